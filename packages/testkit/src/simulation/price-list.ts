import { type CatalogRow, createPriceBook, type PriceBook, type Provider, perMillion } from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'

/**
 * The provider that tells what an attempt cost when it is asked, the one that prices every attempt only after it has served
 * it, and the one that never tells.
 */
export const providerIds = ['telling', 'later', 'silent'] as const

export type ProviderId = (typeof providerIds)[number]

/** US dollars for a million tokens. Dear enough that a few answers use up what a plan includes. */
const lists: Readonly<Record<ProviderId, { input: string; cached: string; output: string }>> = {
  telling: { input: '29.7', cached: '2.97', output: '121.3' },
  later: { input: '28.01', cached: '7', output: '133.3' },
  silent: { input: '31', cached: '15.5', output: '99.99' },
}

/** Which models there are, and who has them. */
const offers: readonly { readonly model: string; readonly providers: readonly ProviderId[] }[] = [
  { model: 'sim/both', providers: ['telling', 'silent'] },
  { model: 'sim/telling', providers: ['telling'] },
  { model: 'sim/later', providers: ['later'] },
  { model: 'sim/any', providers: ['later', 'silent', 'telling'] },
  { model: 'sim/silent', providers: ['silent'] },
]

export const models: readonly string[] = offers.map(({ model }) => model)

const rows: readonly CatalogRow[] = offers.flatMap(({ model, providers }) =>
  providers.map((providerId) => ({
    providerId,
    providerModel: model,
    model,
    operation: 'chat' as const,
    price: {
      input_token: perMillion(lists[providerId].input),
      cached_input_token: perMillion(lists[providerId].cached),
      output_token: perMillion(lists[providerId].output),
    },
    limits: { contextTokens: 4_096, outputTokens: 200 },
    source: 'https://example.com/simulated',
    readOn: '2026-11-22',
  })),
)

/** The prices a gateway is given. */
export const catalog: PriceBook = createPriceBook([{ effectiveAtMs: 0, rows }])

/** The providers as a host configures them. */
export function providers(): readonly Provider[] {
  return providerIds.map((id) => {
    const baseUrl = `https://${id}.example/v1`
    return openaiCompatible({
      id,
      baseUrl,
      ...(id !== 'silent' && { costUrl: `${baseUrl}/costs` }),
      ...(id === 'later' && { settles: 'afterwards' }),
    })
  })
}

/** Tokens as a provider counts them. */
export interface Tokens {
  /** All of the prompt, with what was cached of it. */
  readonly prompt: number
  readonly cached: number
  readonly output: number
}

/** What a provider charges for these tokens by its list, in nano-USD, in arithmetic of its own: in millionths, rounded up. */
export function listCost(providerId: ProviderId, { prompt, cached, output }: Tokens): bigint {
  const { input, cached: cachedInput, output: outputRate } = lists[providerId]
  // A dollar for a million tokens is a thousand nano-USD for one: in millionths, ten places are plenty.
  const micro = (dollars: string) => BigInt(Math.round(Number(dollars) * 1_000_000))
  const millionths =
    BigInt(prompt - cached) * micro(input) +
    BigInt(cached) * micro(cachedInput) +
    BigInt(output) * micro(outputRate)
  return (millionths * 1_000n + 999_999n) / 1_000_000n
}
