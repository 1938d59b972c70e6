import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteStream } from '../../http/byte-stream.ts'
import { jsonBodyOf } from '../../http/request-body.ts'
import type { InferenceCall } from '../inference-call.ts'
import { openaiResponses } from './openai-responses.ts'

type Json = Readonly<Record<string, unknown>>
type Response = { readonly output: readonly Json[] } & Json
interface Event extends Json {
  readonly type: string
  readonly sequence_number: number
  readonly response?: Response
  readonly item?: Json
  readonly output_index?: number
}

const usage = { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14, cost: '0.00012' }
const tools = [
  { type: 'function', name: 'f' },
  { type: 'custom', name: 'apply_patch' },
  { type: 'web_search' },
]

function callOf(members: object = {}): InferenceCall {
  return openaiResponses.parse(jsonBodyOf({ model: 'acme/m', input: 'Hi', stream: true, tools, ...members }))
}

/** The stream of these chunks, as text, as a metered stream would come: in whole events, in pieces of any length. */
function translate(events: readonly (Json | string)[], call = callOf()): string {
  const source = new ByteStream({ onResume: () => undefined, onCancel: () => undefined })
  const translated = openaiResponses.stream?.(call, source, { requestId: 'r-1', cost: undefined })
  let text = ''
  translated?.pipe({
    write(chunk) {
      text += Buffer.from(chunk).toString()
      return true
    },
    end: () => undefined,
    fail: () => undefined,
  })
  for (const event of events)
    source.write(Buffer.from(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`))
  source.end()
  return text
}

function eventsOf(text: string): readonly Event[] {
  return text
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => {
      const [name = '', data = ''] = event.split('\n')
      const parsed = JSON.parse(data.slice('data: '.length)) as Event
      expect(name).toBe(`event: ${parsed.type}`)
      return parsed
    })
}

const chunk = (delta: Json, more: Json = {}): Json => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1_780_000_000,
  model: 'provider-name',
  choices: [{ index: 0, delta, finish_reason: null, ...more }],
})
const finish = (reason = 'stop') => chunk({}, { finish_reason: reason })
const counted = { choices: [], usage }

/** A translated stream that ends as a whole one does. */
function play(...chunks: readonly (Json | string)[]): readonly Event[] {
  return eventsOf(translate([...chunks, counted, '[DONE]']))
}

function reply(message: Json, finishReason: string): Response {
  const bytes = Buffer.from(
    JSON.stringify({
      created: 1_780_000_000,
      model: 'provider-name',
      choices: [{ index: 0, message, finish_reason: finishReason }],
      usage: { ...usage, cost: undefined },
    }),
  )
  const facts = { requestId: 'r-1', cost: usage.cost }
  const translated = openaiResponses.reply?.(callOf(), { bytes, contentType: 'application/json' }, facts)
  return JSON.parse(String(translated?.bytes)) as Response
}

describe('a stream of a response', () => {
  it('has the events of a text in the order that clients need', () => {
    const events = play(
      chunk({ role: 'assistant', content: '' }),
      chunk({ content: 'Hel' }),
      chunk({ content: 'lo' }),
      finish(),
    )
    expect(events.map(({ type }) => type)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index))
    expect(events[2]).toMatchObject({
      output_index: 0,
      item: { id: 'msg_r-1_0', type: 'message', role: 'assistant', status: 'in_progress', content: [] },
    })
    expect(events[4]).toMatchObject({ item_id: 'msg_r-1_0', output_index: 0, content_index: 0, delta: 'Hel' })
    expect(events[6]).toMatchObject({ text: 'Hello', logprobs: [] })
    expect(events[0]?.response).toMatchObject({
      id: 'resp_r-1',
      object: 'response',
      created_at: 1_780_000_000,
      status: 'in_progress',
      model: 'acme/m',
      output: [],
      usage: null,
    })
    expect(events.at(-1)?.response).toMatchObject({
      id: 'resp_r-1',
      status: 'completed',
      usage: { input_tokens: 9, output_tokens: 5, total_tokens: 14, cost: '0.00012' },
    })
  })

  it('tells what is thought before what is said, one item after another', () => {
    const events = play(
      chunk({ reasoning: 'Hm' }),
      chunk({ reasoning_content: 'm.' }),
      chunk({ content: 'Hi' }),
      finish(),
    )
    expect(events.map(({ type }) => type).slice(2, -1)).toEqual([
      'response.output_item.added',
      'response.content_part.added',
      'response.reasoning_text.delta',
      'response.reasoning_text.delta',
      'response.reasoning_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
    ])
    expect(events.at(-1)?.response?.output).toMatchObject([
      { type: 'reasoning', id: 'rs_r-1_0', summary: [], content: [{ type: 'reasoning_text', text: 'Hmm.' }] },
      { type: 'message', id: 'msg_r-1_1', content: [{ type: 'output_text', text: 'Hi' }] },
    ])
  })

  it('tells a call piece by piece, and whole in the end', () => {
    const first = { index: 0, id: 'call_1', type: 'function', function: { name: 'f', arguments: '' } }
    const events = play(
      chunk({ tool_calls: [first] }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] }),
      chunk({ tool_calls: [{ index: 0, function: { name: '', arguments: ':1}' } }] }),
      finish('tool_calls'),
    )
    expect(events.slice(2, -1)).toMatchObject([
      {
        type: 'response.output_item.added',
        item: { type: 'function_call', call_id: 'call_1', name: 'f', arguments: '' },
      },
      { type: 'response.function_call_arguments.delta', item_id: 'fc_r-1_0', delta: '{"a"' },
      { type: 'response.function_call_arguments.delta', delta: ':1}' },
      { type: 'response.function_call_arguments.done', name: 'f', arguments: '{"a":1}' },
      {
        type: 'response.output_item.done',
        item: { status: 'completed', call_id: 'call_1', arguments: '{"a":1}' },
      },
    ])
  })

  it('keeps calls apart that are written at once', () => {
    const part = (index: number, args: string) => ({ index, function: { arguments: args } })
    const head = (index: number) => ({
      index,
      id: `call_${index}`,
      type: 'function',
      function: { name: 'f', arguments: '' },
    })
    const events = play(
      chunk({ tool_calls: [head(0), head(1)] }),
      chunk({ tool_calls: [part(1, '{"b'), part(0, '{"a')] }),
      chunk({ tool_calls: [part(0, '":1}'), part(1, '":2}')] }),
      finish('tool_calls'),
    )
    expect(events.at(-1)?.response?.output).toMatchObject([
      { call_id: 'call_0', arguments: '{"a":1}' },
      { call_id: 'call_1', arguments: '{"b":2}' },
    ])
  })

  it.each([
    [
      'without numbers',
      [
        { id: 'a', function: { name: 'f', arguments: '{"a":1}' } },
        { id: 'b', function: { name: 'f', arguments: '{"b":2}' } },
      ],
    ],
    [
      'that all have the same number',
      [
        { index: 0, id: 'a', function: { name: 'f', arguments: '{"a":1}' } },
        { index: 0, id: 'b', function: { name: 'f', arguments: '{"b":2}' } },
      ],
    ],
    [
      'whose arguments are objects',
      [
        { index: 0, id: 'a', function: { name: 'f', arguments: { a: 1 } } },
        { index: 1, id: 'b', function: { name: 'f', arguments: { b: 2 } } },
      ],
    ],
    [
      'whose id is repeated',
      [
        { index: 0, id: 'a', function: { name: 'f', arguments: '{"a"' } },
        { index: 0, id: 'a', function: { name: 'f', arguments: ':1}' } },
        { id: 'b', function: { name: 'f', arguments: '{"b"' } },
        { id: 'b', function: { name: 'f', arguments: ':2}' } },
      ],
    ],
    [
      'whose pieces have neither id nor number',
      [
        { id: 'a', function: { name: 'f', arguments: '{"a"' } },
        { function: { arguments: ':1}' } },
        { id: 'b', function: { name: 'f', arguments: '{"b"' } },
        { function: { arguments: ':2}' } },
      ],
    ],
  ])('understands calls %s', (_name, fragments) => {
    const chunks = fragments.map((fragment) => chunk({ tool_calls: [fragment] }))
    expect(play(...chunks, finish('tool_calls')).at(-1)?.response?.output).toMatchObject([
      { call_id: 'a', name: 'f', arguments: '{"a":1}' },
      { call_id: 'b', name: 'f', arguments: '{"b":2}' },
    ])
  })

  it('turns calls of custom tools back, once their input is whole', () => {
    const head = {
      index: 0,
      id: 'call_1',
      type: 'function',
      function: { name: 'apply_patch', arguments: '' },
    }
    const events = play(
      chunk({ tool_calls: [head] }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '{"input":"*** ' } }] }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '\\n"}' } }] }),
      finish('tool_calls'),
    )
    expect(events.slice(2, -1)).toMatchObject([
      {
        type: 'response.output_item.added',
        item: { type: 'custom_tool_call', name: 'apply_patch', input: '' },
      },
      { type: 'response.custom_tool_call_input.delta', item_id: 'ctc_r-1_0', delta: '*** \n' },
      { type: 'response.custom_tool_call_input.done', input: '*** \n' },
      {
        type: 'response.output_item.done',
        item: { call_id: 'call_1', input: '*** \n', status: 'completed' },
      },
    ])
  })

  it('tells a refusal as one, and log probabilities with the text', () => {
    const logprob = { token: 'I', logprob: -0.1, bytes: [73], top_logprobs: [] }
    const events = play(
      chunk({ content: 'I' }, { logprobs: { content: [logprob] } }),
      chunk({ refusal: 'No.' }),
      finish(),
    )
    expect(events.find(({ type }) => type === 'response.output_text.delta')?.['logprobs']).toEqual([logprob])
    expect(events.map(({ type }) => type)).toContain('response.refusal.done')
    expect(events.at(-1)?.response?.output).toMatchObject([
      {
        content: [
          { type: 'output_text', text: 'I', logprobs: [logprob] },
          { type: 'refusal', refusal: 'No.' },
        ],
      },
    ])
  })

  it.each([
    ['length', 'max_output_tokens'],
    ['content_filter', 'content_filter'],
  ])('is incomplete when it ended for %s', (reason, told) => {
    const { type, response } = play(chunk({ content: 'Hi' }), finish(reason)).at(-1) ?? {}
    expect(type).toBe('response.incomplete')
    expect(response).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: told },
      output: [{ status: 'incomplete' }],
      usage: { output_tokens: 5 },
    })
  })

  it('ends as failed when the provider breaks off, with what had come', () => {
    const error = {
      message: 'The connection broke.',
      type: 'server_error',
      param: null,
      code: 'provider_failed',
    }
    const events = eventsOf(translate([chunk({ content: 'Hel' }), { error }, '[DONE]']))
    expect(events.at(-1)).toMatchObject({
      type: 'response.failed',
      response: {
        status: 'failed',
        error: { code: 'server_error', message: 'The connection broke.' },
        output: [{ type: 'message', status: 'incomplete', content: [{ text: 'Hel' }] }],
        usage: null,
      },
    })
    expect(events.filter(({ type }) => /completed|incomplete/.test(type))).toEqual([])
  })

  it('begins before it fails, also when the first event is an error', () => {
    const types = eventsOf(translate([{ error: 'No.' }])).map(({ type }) => type)
    expect(types).toEqual(['response.created', 'response.in_progress', 'response.failed'])
  })

  it.each([
    ['context_length_exceeded', 'context_length_exceeded'],
    ['rate_limit_exceeded', 'rate_limit_exceeded'],
    // The provider's word on the gateway's own account, which clients would take for theirs.
    ['insufficient_quota', 'server_error'],
    [429, 'server_error'],
    [null, 'server_error'],
  ])('tells the code %j of an error as %j', (code, told) => {
    const events = eventsOf(translate([chunk({ content: 'a' }), { error: { message: 'No.', code } }]))
    expect(events.at(-1)?.response?.['error']).toEqual({ code: told, message: 'No.' })
  })

  it('ends when the provider says nothing at all', () => {
    expect(eventsOf(translate(['[DONE]'])).map(({ type }) => type)).toEqual([
      'response.created',
      'response.in_progress',
      'response.completed',
    ])
  })

  it('has no usage where nobody told any, and the last that was told', () => {
    expect(eventsOf(translate([chunk({ content: 'a' }), '[DONE]'])).at(-1)?.response?.['usage']).toBe(null)
    const running = { ...chunk({ content: 'a' }), usage: { prompt_tokens: 1, completion_tokens: 1 } }
    expect(play(running, { ...running, usage: null }).at(-1)?.response).toMatchObject({
      usage: { output_tokens: 5 },
    })
  })

  it('fails when it would keep more than has a place, and not before', () => {
    const piece = chunk({ content: 'x'.repeat(8 * 1024 * 1024) })
    const lastEvent = (text: string) => text.slice(text.lastIndexOf('event: '), text.lastIndexOf('\ndata: '))
    expect(lastEvent(translate([piece, piece, '[DONE]']))).toBe('event: response.completed')
    expect(lastEvent(translate([piece, piece, chunk({ content: 'x' })]))).toBe('event: response.failed')
  })

  it('never throws over what a provider may write, and always ends', () => {
    const odd = fc.dictionary(
      fc.constantFrom('choices', 'usage', 'created', 'service_tier', 'error'),
      fc.jsonValue({ maxDepth: 2 }),
    )
    const oddDelta = fc
      .dictionary(
        fc.constantFrom('content', 'reasoning', 'refusal', 'tool_calls', 'role'),
        fc.jsonValue({ maxDepth: 3 }),
      )
      .map((delta) => chunk(delta as Json))
    fc.assert(
      fc.property(fc.array(fc.oneof(odd, oddDelta), { maxLength: 8 }), (chunks) => {
        const events = eventsOf(translate([...(chunks as Json[]), '[DONE]']))
        expect(events.at(-1)?.type).toMatch(/^response\.(completed|incomplete|failed)$/)
      }),
    )
  })

  it('is the same as the whole reply, however it is cut', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 40 })
    const toolCall = fc.record({
      name: fc.constantFrom('f', 'apply_patch'),
      arguments: fc.json({ maxDepth: 1 }),
    })
    const message = fc.record({
      reasoning_content: text,
      content: text,
      calls: fc.array(toolCall, { maxLength: 3 }),
      finishReason: fc.constantFrom('stop', 'length', 'content_filter', 'tool_calls'),
    })
    fc.assert(
      fc.property(message, fc.integer({ min: 1, max: 7 }), ({ calls, finishReason, ...said }, size) => {
        const toolCalls = calls.map((asked, index) => ({
          id: `call_${index}`,
          type: 'function',
          function: asked,
        }))
        const chunks = [
          ...cut(said.reasoning_content, size).map((piece) => chunk({ reasoning_content: piece })),
          ...cut(said.content, size).map((piece) => chunk({ content: piece })),
          ...toolCalls.flatMap((asked, index) => [
            chunk({
              tool_calls: [{ ...asked, index, function: { name: asked.function.name, arguments: '' } }],
            }),
            ...cut(asked.function.arguments, size).map((piece) =>
              chunk({ tool_calls: [{ index, function: { arguments: piece } }] }),
            ),
          ]),
          finish(finishReason),
        ]
        const events = play(...chunks)
        const whole = reply({ role: 'assistant', ...said, tool_calls: toolCalls }, finishReason)
        expect(events.at(-1)?.response).toEqual(whole)
        expect(itemsTold(events)).toEqual(whole.output)
      }),
    )
  })
})

/** The items as clients keep them that go by `output_item.done` alone. */
function itemsTold(events: readonly Event[]): readonly unknown[] {
  const items: unknown[] = []
  for (const { type, item, output_index: index = 0 } of events)
    if (type === 'response.output_item.done') items[index] = item
  return items
}

function cut(text: string, size: number): readonly string[] {
  const characters = Array.from(text)
  return Array.from({ length: Math.ceil(characters.length / size) }, (_, index) =>
    characters.slice(index * size, (index + 1) * size).join(''),
  )
}
