import { describe, expect, it } from 'vitest'
import { jsonBodyOf } from '../../http/request-body.ts'
import { openaiResponses } from './openai-responses.ts'

const facts = { requestId: 'r-1', cost: '0.00012' }
const contentType = 'application/json; charset=utf-8'

function translate(chat: unknown, asked: object = {}): Record<string, unknown> {
  const call = openaiResponses.parse(jsonBodyOf({ model: 'acme/m:cheapest', input: 'Hi', ...asked }))
  const bytes = Buffer.from(typeof chat === 'string' ? chat : JSON.stringify(chat))
  const reply = openaiResponses.reply?.(call, { bytes, contentType }, facts)
  expect(reply?.contentType).toBe(contentType)
  return JSON.parse(String(reply?.bytes)) as Record<string, unknown>
}

const message = { role: 'assistant', content: 'Hello.' }
const usage = { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 }
const chat = (members: object = {}, choice: object = {}) => ({
  id: 'chatcmpl-1',
  created: 1_780_000_000,
  model: 'provider-name',
  choices: [{ index: 0, message, finish_reason: 'stop', ...choice }],
  usage,
  ...members,
})

describe('a whole response', () => {
  it('has every member that SDKs expect, and says what was not asked for', () => {
    expect(translate(chat())).toEqual({
      id: 'resp_r-1',
      object: 'response',
      created_at: 1_780_000_000,
      status: 'completed',
      background: false,
      error: null,
      incomplete_details: null,
      output: [
        {
          id: 'msg_r-1_0',
          type: 'message',
          status: 'completed',
          role: 'assistant',
          content: [{ type: 'output_text', text: 'Hello.', annotations: [], logprobs: [] }],
        },
      ],
      service_tier: null,
      usage: {
        input_tokens: 9,
        input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
        output_tokens: 5,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 14,
        cost: '0.00012',
      },
      instructions: null,
      max_output_tokens: null,
      max_tool_calls: null,
      metadata: {},
      model: 'acme/m',
      parallel_tool_calls: true,
      previous_response_id: null,
      prompt_cache_key: null,
      reasoning: { effort: null, summary: null },
      safety_identifier: null,
      store: false,
      temperature: null,
      text: { format: { type: 'text' } },
      tool_choice: 'auto',
      tools: [],
      top_logprobs: 0,
      top_p: null,
      truncation: 'disabled',
      user: null,
    })
  })

  it('has the members of its request again, but claims nothing that is not so', () => {
    const asked = {
      instructions: 'Be brief.',
      max_output_tokens: 50,
      metadata: { a: 'b' },
      parallel_tool_calls: false,
      prompt_cache_key: 'k',
      reasoning: { effort: 'low', summary: 'auto' },
      safety_identifier: 's',
      temperature: 0.5,
      text: { format: { type: 'json_object' }, verbosity: 'low' },
      tool_choice: 'none',
      tools: [{ type: 'function', name: 'f' }],
      top_p: 0.9,
      user: 'u',
    }
    expect(translate(chat(), asked)).toMatchObject({ ...asked, reasoning: { effort: 'low', summary: null } })
    const claimed = { store: true, truncation: 'auto', tools: [{ type: 'web_search' }] }
    expect(translate(chat(), claimed)).toMatchObject({ store: false, truncation: 'disabled', tools: [] })
  })

  it('tells the tier that served it', () => {
    expect(translate(chat({ service_tier: 'flex' }))['service_tier']).toBe('flex')
    expect(translate(chat(), { service_tier: 'auto' })['service_tier']).toBe('auto')
  })

  it('has reasoning, text and calls as items', () => {
    const calls = [
      { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
      { id: 'call_2', type: 'function', function: { name: 'apply_patch', arguments: '{"input":"x"}' } },
    ]
    const asked = {
      tools: [
        { type: 'function', name: 'f' },
        { type: 'custom', name: 'apply_patch' },
      ],
    }
    const said = { ...message, reasoning_content: 'Hm.', tool_calls: calls }
    expect(translate(chat({}, { message: said, finish_reason: 'tool_calls' }), asked)['output']).toEqual([
      {
        id: 'rs_r-1_0',
        type: 'reasoning',
        status: 'completed',
        summary: [],
        content: [{ type: 'reasoning_text', text: 'Hm.' }],
        encrypted_content: null,
      },
      expect.objectContaining({ id: 'msg_r-1_1', type: 'message' }),
      {
        id: 'fc_r-1_2',
        type: 'function_call',
        status: 'completed',
        call_id: 'call_1',
        name: 'f',
        arguments: '{"a":1}',
      },
      {
        id: 'ctc_r-1_3',
        type: 'custom_tool_call',
        status: 'completed',
        call_id: 'call_2',
        name: 'apply_patch',
        input: 'x',
      },
    ])
  })

  it.each([
    [
      'without ids',
      [{ function: { name: 'f', arguments: '1' } }, { function: { name: 'g', arguments: '2' } }],
    ],
    [
      'with the same number',
      [
        { index: 0, id: 'a', function: { name: 'f', arguments: '1' } },
        { index: 0, id: 'b', function: { name: 'g', arguments: '2' } },
      ],
    ],
  ])('keeps calls %s apart', (_name, toolCalls) => {
    const said = { content: null, tool_calls: toolCalls }
    expect(translate(chat({}, { message: said }))['output']).toMatchObject([
      { name: 'f', arguments: '1' },
      { name: 'g', arguments: '2' },
    ])
  })

  it('has calls by the names that the caller knows', () => {
    const asked = {
      tools: [{ type: 'namespace', name: 'clock', tools: [{ type: 'function', name: 'time' }] }],
    }
    const calls = [{ id: 'call_1', type: 'function', function: { name: 'clock__time', arguments: '{}' } }]
    expect(
      translate(chat({}, { message: { content: null, tool_calls: calls } }), asked)['output'],
    ).toMatchObject([
      { type: 'function_call', call_id: 'call_1', name: 'time', namespace: 'clock', arguments: '{}' },
    ])
  })

  it('has no output where the model said nothing', () => {
    expect(translate(chat({}, { message: { content: null } }))['output']).toEqual([])
    expect(translate(chat({}, { message: null }))).toMatchObject({ status: 'completed', output: [] })
  })

  it('joins the parts of a content that is a list', () => {
    const content = [{ type: 'text', text: 'a' }, null, { type: 'text', text: 'b' }]
    expect(translate(chat({}, { message: { content } }))['output']).toMatchObject([
      { content: [{ text: 'ab' }] },
    ])
  })

  it('is incomplete where it was cut', () => {
    expect(translate(chat({}, { finish_reason: 'length' }))).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      output: [{ status: 'incomplete' }],
    })
  })

  it('counts what was cached and thought, by any of the names that providers have for it', () => {
    const details = {
      prompt_tokens_details: { cached_tokens: 3, cache_write_tokens: 2 },
      completion_tokens_details: { reasoning_tokens: 4 },
    }
    expect(translate(chat({ usage: { ...usage, ...details } }))['usage']).toMatchObject({
      input_tokens_details: { cached_tokens: 3, cache_write_tokens: 2 },
      output_tokens_details: { reasoning_tokens: 4 },
    })
    for (const name of ['cached_tokens', 'num_cached_tokens', 'prompt_cache_hit_tokens']) {
      expect(translate(chat({ usage: { ...usage, [name]: 7 } }))['usage']).toMatchObject({
        input_tokens_details: { cached_tokens: 7 },
      })
    }
  })

  it('has no usage where the provider told none, and adds up a total that is missing', () => {
    expect(translate(chat({ usage: undefined }))['usage']).toBe(null)
    expect(translate(chat({ usage: {} }))['usage']).toBe(null)
    const { total_tokens: _total, ...counts } = usage
    expect(translate(chat({ usage: counts }))['usage']).toMatchObject({ total_tokens: 14 })
  })

  it.each([
    ['what is no JSON', '{"choices":[oops]}'],
    ['choices that are none', { choices: [null], usage }],
  ])('is a failed one for %s, which is paid for and not to be asked for again', (_name, answer) => {
    expect(translate(answer)).toMatchObject({
      status: 'failed',
      error: { code: 'server_error', message: 'The provider sent an answer that can not be read.' },
      output: [],
    })
  })
})
