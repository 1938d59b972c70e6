import { describe, expect, it } from 'vitest'
import { noOwnKeys } from './auth/own-keys.ts'
import type { Payer } from './auth/payer.ts'
import { findCandidates } from './candidates.ts'
import { createCatalog } from './catalog/catalog.ts'
import { bookOf } from './catalog/price-book.ts'
import { openaiChat } from './dialects/openai-chat.ts'
import { isGatewayError } from './errors.ts'
import { perMillion } from './money.ts'

const providerIds = ['cerebras', 'together', 'replicate']
const catalog = createCatalog({
  books: [
    bookOf(
      providerIds.map((providerId) => ({
        providerId,
        providerModel: 'm',
        model: 'acme/m',
        operation: 'chat',
        price: { input_token: perMillion('1'), output_token: perMillion('1') },
        source: 'https://example.com/pricing',
        readOn: '2026-01-31',
      })),
    ),
  ],
  providerIds: providerIds,
  now: () => 0,
})

function candidates(
  disabledProviders: readonly string[],
  model = 'acme/m',
  models?: readonly string[],
): readonly string[] {
  const payer: Payer = {
    accountId: 'org:1',
    name: 'acme',
    memberId: undefined,
    preferredProviders: [],
    disabledProviders,
    ownKeys: noOwnKeys,
    models,
  }
  const value = { model, messages: [{ role: 'user', content: 'Hi' }] }
  const call = openaiChat.parse({ value, source: undefined, byteLength: 100 })
  return findCandidates(call, payer, catalog, new Map()).map(({ providerId }) => providerId)
}

function refusal(disabledProviders: readonly string[], model?: string): unknown {
  try {
    return candidates(disabledProviders, model)
  } catch (error) {
    if (isGatewayError(error)) return error
    throw error
  }
}

describe('candidates', () => {
  it('are all that the catalog offers when nothing is disabled', () => {
    expect(candidates([])).toEqual(providerIds)
  })

  it('leave out what the payer has disabled', () => {
    expect(candidates(['together'])).toEqual(['cerebras', 'replicate'])
    expect(candidates(['together', 'unknown', 'cerebras', 'together'])).toEqual(['replicate'])
  })

  it('that are all disabled are refused, each by its name, with whose setting it is', () => {
    expect(refusal(providerIds)).toMatchObject({
      code: 'model_not_supported',
      status: 400,
      param: 'model',
      message:
        "The requested model 'acme/m' is not supported by any provider you have enabled. " +
        "Disabled for 'acme': cerebras, together, replicate.",
      facts: { payer: 'acme', disabled: providerIds },
    })
  })

  it('that were pinned by a suffix are refused when their provider is disabled', () => {
    expect(refusal(['together'], 'acme/m:together')).toMatchObject({
      code: 'model_not_supported',
      facts: { disabled: ['together'] },
    })
    expect(candidates(['together'], 'acme/m:cerebras')).toEqual(['cerebras'])
  })

  it('are none for a model that the caller may not ask for', () => {
    for (const models of [['acme/m'], ['acme/*'], ['*'], ['other/x', 'acme/m']]) {
      expect(candidates([], 'acme/m', models)).toEqual(providerIds)
    }
    for (const models of [['acme/'], ['acme/m2'], ['Acme/m'], ['other/*'], []]) {
      expect(() => candidates([], 'acme/m', models)).toThrow("Your API key is not for the model 'acme/m'.")
    }
    expect(candidates([], 'acme/m:cerebras', ['acme/m'])).toEqual(['cerebras'])
  })
})
