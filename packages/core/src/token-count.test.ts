import { describe, expect, it } from 'vitest'
import { createCatalog } from './catalog/catalog.ts'
import { shippedPrices } from './catalog/shipped-prices.ts'
import { isGatewayError } from './errors.ts'
import { jsonBodyOf } from './http/request-body.ts'
import { countMessageTokens } from './token-count.ts'

const catalog = createCatalog({
  books: [shippedPrices()],
  providerIds: ['cerebras', 'together'],
  now: () => Date.UTC(2026, 10, 26),
})

function count(content: unknown, members: object = {}): number {
  const body = { model: 'openai/gpt-oss-120b', messages: [{ role: 'user', content }], ...members }
  return JSON.parse(countMessageTokens(jsonBodyOf(body), catalog)).input_tokens
}

describe('the count of a prompt', () => {
  it('is about a quarter of its bytes, and a little for the template', () => {
    const short = count('Hi')
    expect(short).toBeGreaterThan(50)
    expect(short).toBeLessThan(150)
    expect(count('x'.repeat(4_000)) - short).toBeGreaterThan(990)
    expect(count('x'.repeat(4_000)) - short).toBeLessThan(1_010)
  })

  it('has everything that the model reads in it', () => {
    const tool = { name: 'f', description: 'x'.repeat(400), input_schema: { type: 'object' } }
    expect(count('Hi', { system: 'x'.repeat(400) }) - count('Hi')).toBeGreaterThanOrEqual(100)
    expect(count('Hi', { tools: [tool] }) - count('Hi')).toBeGreaterThanOrEqual(100)
  })

  it('takes a picture for a picture, however many bytes it has', () => {
    const picture = (data: string) => [
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data } },
    ]
    const small = count(picture('AAAA'))
    expect(Math.abs(count(picture('A'.repeat(100_000))) - small)).toBeLessThan(10)
    expect(small - count('Hi')).toBeGreaterThan(1_500)
  })

  it.each([
    [{ model: 'no/such-model' }, 'model_not_found'],
    [{ model: 'intfloat/multilingual-e5-large-instruct' }, 'model_not_supported'],
    [{ model: undefined }, 'invalid_request'],
    [{ messages: [] }, 'invalid_request'],
  ])('of %j is refused as the message would be', (members, code) => {
    try {
      count('Hi', members)
      expect.unreachable()
    } catch (error) {
      expect(isGatewayError(error) && error.code).toBe(code)
    }
  })
})
