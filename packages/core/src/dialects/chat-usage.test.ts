import { describe, expect, it } from 'vitest'
import { chatUsage } from './chat-usage.ts'

const none = {
  cached: undefined,
  written: undefined,
  reasoning: undefined,
  cost: undefined,
  memoCost: undefined,
}

describe('usage of a chat', () => {
  it.each([undefined, null, 'much', []])('is nothing where nobody told any: %j', (told) => {
    expect(chatUsage(told)).toBeUndefined()
  })

  it('has no counts that are none, and keeps a cost without counts', () => {
    const told = { prompt_tokens: -1, completion_tokens: '2', cost: '0.1' }
    expect(chatUsage(told)).toEqual({ ...none, input: undefined, output: undefined, cost: '0.1' })
  })

  it('keeps what nobody told apart from zero', () => {
    expect(chatUsage({ prompt_tokens: 5 })).toEqual({ ...none, input: 5, output: undefined })
    expect(chatUsage({ prompt_tokens: 5, completion_tokens: 0 })).toEqual({ ...none, input: 5, output: 0 })
  })

  it.each<[string, object]>([
    ['its details', { prompt_tokens_details: { cached_tokens: 3 } }],
    ['cached_tokens', { cached_tokens: 3 }],
    ['num_cached_tokens', { num_cached_tokens: 3 }],
    ['prompt_cache_hit_tokens', { prompt_cache_hit_tokens: 3 }],
  ])('has what was cached, told in %s', (_place, told) => {
    expect(chatUsage({ prompt_tokens: 5, completion_tokens: 2, ...told })?.cached).toBe(3)
  })

  it.each([
    ['inside of the output', 12, 7],
    ['beside it, as the total tells', 16, 11],
  ])('counts what was thought once: %s', (_case, total, output) => {
    const told = { prompt_tokens: 5, completion_tokens: 7, total_tokens: total }
    const details = { completion_tokens_details: { reasoning_tokens: 4 } }
    expect(chatUsage({ ...told, ...details })).toMatchObject({ output, reasoning: 4 })
  })

  it('has the cost that is told in it before the one that is given', () => {
    const told = { prompt_tokens: 5, completion_tokens: 7 }
    expect(chatUsage(told, '0.01')).toMatchObject({ cost: '0.01' })
    expect(chatUsage({ ...told, cost: '0.02', memo_cost: '0.03' }, '0.01')).toMatchObject({
      cost: '0.02',
      memoCost: '0.03',
    })
  })
})
