import { describe, expect, it } from 'vitest'
import { findUsage } from './reply-meter.ts'

const usage = { prompt_tokens: 9, completion_tokens: 2 }

function find(text: string): unknown {
  return findUsage(Buffer.from(text))?.usage
}

describe('the usage of a whole reply', () => {
  it.each([
    ['at the end', { id: 'a', choices: [], usage }],
    ['in the middle', { id: 'a', usage, choices: [{ message: { content: 'x'.repeat(10_000) } }] }],
    ['at the start', { usage, choices: [] }],
    ['before an object of the same name deeper down', { usage, x_groq: { usage: { prompt_tokens: 1 } } }],
    ['behind an object of the same name deeper down', { x_groq: { usage: { prompt_tokens: 1 } }, usage }],
  ])('is found %s', (_place, reply) => {
    expect(find(JSON.stringify(reply))).toEqual(usage)
    expect(find(JSON.stringify(reply, null, 2))).toEqual(usage)
  })

  it.each([
    ['nowhere', { choices: [] }],
    ['in a nested object only', { x_groq: { usage } }],
    ['in the text of the answer only', { choices: [{ message: { content: JSON.stringify({ usage }) } }] }],
    ['as the text of the answer only', { choices: [{ message: { content: 'usage' } }] }],
  ])('is not there when it is %s', (_place, reply) => {
    expect(find(JSON.stringify(reply))).toBeUndefined()
  })

  it('comes with the service tier, which decides what it costs', () => {
    const reply = { id: 'a', service_tier: 'flex', choices: [{ service_tier: 'none' }], usage }
    expect(findUsage(Buffer.from(JSON.stringify(reply)))).toEqual({ usage, service_tier: 'flex' })
    expect(findUsage(Buffer.from(JSON.stringify({ usage })))).toEqual({ usage, service_tier: undefined })
  })

  it('is null when the provider wrote null', () => {
    expect(find('{"usage":null}')).toBeNull()
  })

  it.each(['', '[]', '<html>"usage"</html>', '{"usage":{"prompt_tokens":9', '{"usage":{"prompt_tokens":}}'])(
    'is not there in %j, which is no reply',
    (text) => {
      expect(find(text)).toBeUndefined()
    },
  )
})
