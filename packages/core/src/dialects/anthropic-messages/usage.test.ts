import { describe, expect, it } from 'vitest'
import { messageUsage } from './usage.ts'

describe('usage of a message', () => {
  it('has cached tokens beside the input, where OpenAI has them inside', () => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 20,
      prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 10 },
      completion_tokens_details: { reasoning_tokens: 5 },
    }
    expect(messageUsage(usage)).toEqual({
      input_tokens: 30,
      cache_creation_input_tokens: 10,
      cache_read_input_tokens: 60,
      output_tokens: 20,
      output_tokens_details: { thinking_tokens: 5 },
    })
  })

  it.each(['cached_tokens', 'num_cached_tokens', 'prompt_cache_hit_tokens'])(
    'reads cached tokens by the name %s',
    (name) => {
      expect(messageUsage({ prompt_tokens: 10, completion_tokens: 1, [name]: 4 })).toMatchObject({
        input_tokens: 6,
        cache_read_input_tokens: 4,
      })
    },
  )

  it('counts reasoning into the output where the total says that it stands beside it', () => {
    const usage = {
      prompt_tokens: 10,
      completion_tokens: 5,
      completion_tokens_details: { reasoning_tokens: 3 },
    }
    expect(messageUsage({ ...usage, total_tokens: 18 }).output_tokens).toBe(8)
    expect(messageUsage({ ...usage, total_tokens: 15 }).output_tokens).toBe(5)
  })

  it('is never below zero, whatever a provider says', () => {
    const usage = { prompt_tokens: 5, completion_tokens: -1, prompt_tokens_details: { cached_tokens: 9 } }
    expect(messageUsage(usage)).toMatchObject({
      input_tokens: 0,
      output_tokens: 0,
      cache_read_input_tokens: 9,
    })
  })

  it('tells the cost, of the stream itself or as it is known behind a whole reply', () => {
    expect(messageUsage({ prompt_tokens: 1, completion_tokens: 1, cost: '0.1' })).toMatchObject({
      cost: '0.1',
    })
    expect(messageUsage({ cost: '0.00', memo_cost: '0.2' })).toMatchObject({ cost: '0.00', memo_cost: '0.2' })
    expect(messageUsage({}, '0.3')).toMatchObject({ cost: '0.3' })
    expect(messageUsage({})).not.toHaveProperty('cost')
  })

  it.each([undefined, null, 'none', {}])(
    'of which nothing is told (%j) has the counts that clients add up',
    (usage) => {
      expect(messageUsage(usage)).toEqual({
        input_tokens: 0,
        cache_creation_input_tokens: null,
        cache_read_input_tokens: null,
        output_tokens: 0,
      })
    },
  )
})
