import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readWebhookSecret, signWebhook, spread } from './signature.ts'

const secret = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`

describe('the signature of a delivery', () => {
  it('is over id, whole seconds and body, in base64 behind its version', () => {
    const key = Buffer.alloc(32, 7)
    const headers = signWebhook([key], { id: 'msg_1', nowMs: 1_674_087_231_999, body: '{"a":1}' })
    const expected = createHmac('sha256', key).update('msg_1.1674087231.{"a":1}').digest('base64')
    expect(headers).toEqual({
      'webhook-id': 'msg_1',
      'webhook-timestamp': '1674087231',
      'webhook-signature': `v1,${expected}`,
    })
  })

  it('is there once for each secret, so that one can replace another', () => {
    const keys = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
    const signed = { id: 'msg_1', nowMs: 0, body: '' }
    const [first, second] = keys.map((key) => signWebhook([key], signed)['webhook-signature'])
    expect(signWebhook(keys, signed)['webhook-signature']).toBe(`${first} ${second}`)
  })
})

describe('a webhook secret', () => {
  it.each([24, 32, 64])('may be of %i bytes', (bytes) => {
    expect(readWebhookSecret(secret(bytes))).toHaveLength(bytes)
  })

  it.each([
    ['too short', secret(23)],
    ['too long', secret(65)],
    ['without its prefix', secret(32).slice(6)],
    ['of other characters', `whsec_${'*'.repeat(44)}`],
    ['empty', ''],
  ])('that is %s is refused, and not repeated', (_what, wrong) => {
    let message = ''
    try {
      readWebhookSecret(wrong)
    } catch (error) {
      message = String(error)
    }
    expect(message).toMatch(
      /^RangeError: A webhook secret is "whsec_" and the base64 of 24 to 64 random bytes/,
    )
    if (wrong !== '') expect(message).not.toContain(wrong)
  })
})

it('spreads retries evenly, and the same way for the same delivery and attempt', () => {
  const values = Array.from({ length: 1000 }, (_, index) => spread(`msg_${index}`, 1))
  expect(Math.min(...values)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...values)).toBeLessThan(1)
  expect(values.reduce((sum, value) => sum + value, 0) / 1000).toBeCloseTo(0.5, 1)
  expect(spread('msg_1', 1)).toBe(spread('msg_1', 1))
  expect(spread('msg_1', 1)).not.toBe(spread('msg_1', 2))
})
