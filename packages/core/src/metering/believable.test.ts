import { describe, expect, it } from 'vitest'
import type { Target } from '../catalog/target.ts'
import { openaiChat } from '../dialects/openai-chat.ts'
import { perMillion } from '../money.ts'
import { isBelievable } from './believable.ts'

const target: Target = {
  targetId: 'p/m',
  providerId: 'p',
  providerModel: 'm',
  model: 'acme/m',
  operation: 'chat',
  price: { input_token: perMillion('1'), output_token: perMillion('1') },
  limits: { contextTokens: 1000 },
  priceVersion: 'v1',
  source: 'https://example.com/pricing',
  readOn: '2026-01-31',
}

const value = { model: 'acme/m', messages: [{ role: 'user', content: 'Hi' }], n: 2 }
const call = openaiChat.parse({ value, source: undefined, byteLength: 100 })

describe('a report of a provider', () => {
  it('is believed where the model could have read and written so much, or lists are behind it a little', () => {
    expect(isBelievable({ input_token: 1000n, output_token: 2000n }, call, target)).toBe(true)
    expect(isBelievable({ input_token: 3000n, output_token: 8000n }, call, target)).toBe(true)
    expect(isBelievable({ compute_second: '1e9' }, call, target)).toBe(true)
  })

  it('is not where nothing could', () => {
    expect(isBelievable({ input_token: 8001n, output_token: 1n }, call, target)).toBe(false)
    expect(isBelievable({ input_token: 1n, cached_input_token: 2n ** 53n - 1n }, call, target)).toBe(false)
  })

  it('is believed where nobody knows how much a model reads', () => {
    expect(isBelievable({ input_token: 2n ** 53n }, call, { ...target, limits: {} })).toBe(true)
  })
})
