import { describe, expect, it } from 'vitest'
import { argumentsOf, contentOf, firstChoice, readChat, reasoningOf } from './chat-answer.ts'

const reply = (text: string) => ({ bytes: Buffer.from(text), contentType: 'application/json' })

describe('a chat’s answer', () => {
  it('is read from a reply that is an object, and from no other', () => {
    expect(readChat(reply('{"id":"a","choices":[]}'))).toEqual({ id: 'a', choices: [] })
    for (const text of ['[]', '7', '{"logprob":NaN}', '']) expect(readChat(reply(text))).toBeUndefined()
  })

  it('is the first of its choices', () => {
    expect(firstChoice({ choices: [{ index: 0 }, { index: 1 }] })).toEqual({ index: 0 })
    for (const choices of [undefined, null, {}, [], ['a'], [null]])
      expect(firstChoice({ choices })).toBeUndefined()
  })

  it('says a text, or parts of one', () => {
    expect(contentOf({ content: 'Hi' })).toBe('Hi')
    expect(
      contentOf({ content: [{ type: 'text', text: 'H' }, null, { type: 'thinking' }, { text: 'i' }] }),
    ).toBe('Hi')
    expect(contentOf({ content: null })).toBe('')
  })

  it('says what was thought under either name', () => {
    expect(reasoningOf({ reasoning_content: 'a', reasoning: 'b' })).toBe('a')
    expect(reasoningOf({ reasoning_content: '', reasoning: 'b' })).toBe('b')
    expect(reasoningOf({})).toBe('')
  })

  it('calls with JSON as text, or with the value itself', () => {
    expect(argumentsOf({ function: { arguments: '{"a":' } })).toBe('{"a":')
    expect(argumentsOf({ function: { arguments: { a: 1 } } })).toBe('{"a":1}')
    for (const call of [{}, { function: null }, { function: { arguments: null } }])
      expect(argumentsOf(call)).toBe('')
  })
})
