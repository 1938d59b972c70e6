import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteStream } from '../../http/byte-stream.ts'
import { jsonBodyOf } from '../../http/request-body.ts'
import { anthropicMessages, readMessages } from './anthropic-messages.ts'
import { messageReply } from './message.ts'

type Members = { readonly [name: string]: unknown }
interface Block {
  type: string
  [name: string]: unknown
}

const call = (members: object = {}) =>
  readMessages(
    jsonBodyOf({
      model: 'openai/gpt-oss-120b',
      max_tokens: 100,
      stream: true,
      messages: [{ role: 'user', content: 'Hi' }],
      ...members,
    }),
  )
const facts = { requestId: 'r-1', cost: undefined }
const thinkingCall = call({ thinking: { type: 'adaptive' } })

/** Everything a caller is sent for these chunks of a chat, as bytes. */
function streamed(chunks: readonly (object | '[DONE]')[], asked = call()): string {
  const source = new ByteStream({ onResume: () => undefined, onCancel: () => undefined })
  let text = ''
  anthropicMessages.stream?.(asked, source, facts).pipe({
    write(bytes) {
      text += Buffer.from(bytes).toString()
      return true
    },
    end: () => undefined,
    fail: () => undefined,
  })
  for (const chunk of chunks)
    source.write(Buffer.from(`data: ${chunk === '[DONE]' ? chunk : JSON.stringify(chunk)}\n\n`))
  source.end()
  return text
}

/** The events of a stream, each of whose names is its type as well. */
function eventsOf(text: string): readonly Members[] {
  return text.split('\n\n').flatMap((event) => {
    if (event === '') return []
    const [, name, data = ''] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? []
    const parsed = JSON.parse(data) as Members
    assert.equal(parsed['type'], name)
    return parsed['type'] === 'ping' ? [] : [parsed]
  })
}

/**
 * A stream put together by the rules of Anthropic's SDK (1.14.0), and by those it relies on: blocks come one behind the other,
 * pieces are of the open one, and two events end it.
 */
function accumulate(text: string): Members {
  const events = eventsOf(text)
  const [first, ...others] = events
  assert.equal(first?.['type'], 'message_start')
  const message = structuredClone(first?.['message']) as { [name: string]: unknown; content: Block[] }
  let isOpen = false
  let json = ''
  for (const event of others) {
    const block = message.content.at(-1)
    switch (event['type']) {
      case 'content_block_start':
        assert.equal(isOpen, false)
        assert.equal(event['index'], message.content.length)
        message.content.push(structuredClone(event['content_block']) as Block)
        isOpen = true
        json = ''
        break
      case 'content_block_delta': {
        assert.deepEqual([isOpen, event['index']], [true, message.content.length - 1])
        const delta = event['delta'] as { type: string; text: string; thinking: string; partial_json: string }
        if (block?.type === 'text' && delta.type === 'text_delta') block['text'] += delta.text
        else if (block?.type === 'thinking' && delta.type === 'thinking_delta')
          block['thinking'] += delta.thinking
        else if (block?.type === 'tool_use' && delta.type === 'input_json_delta') json += delta.partial_json
        else assert.fail(`${delta.type} in a block of type ${block?.type}`)
        break
      }
      case 'content_block_stop':
        assert.deepEqual([isOpen, event['index']], [true, message.content.length - 1])
        if (block?.type === 'tool_use') block['input'] = JSON.parse(json || '{}')
        isOpen = false
        break
      case 'message_delta':
        assert.equal(isOpen, false)
        Object.assign(message, event['delta'], { usage: event['usage'] })
        break
      case 'message_stop':
        assert.equal(event, events.at(-1))
        assert.notEqual(message['stop_reason'], null)
        break
      default:
        assert.fail(`an event of type ${String(event['type'])}`)
    }
  }
  assert.equal(events.at(-1)?.['type'], 'message_stop')
  return message
}

const chunk = (delta: object, finish: string | null = null) => ({
  id: 'chatcmpl-1',
  choices: [{ index: 0, delta, finish_reason: finish }],
})
const usage = { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13, cost: '0.000002' }
const ending = (finish = 'stop') =>
  [chunk({}, finish), { id: 'chatcmpl-1', choices: [], usage }, '[DONE]'] as const
const tool = (index: number, id: string | undefined, name: string | undefined, args: string) =>
  chunk({
    tool_calls: [
      { index, ...(id === undefined ? {} : { id, type: 'function' }), function: { name, arguments: args } },
    ],
  })
const text = (words: string) => ({ type: 'text', text: words, citations: null })
const used = (id: string, name: string, input: object) => ({ type: 'tool_use', id, name, input })

describe('a stream of words', () => {
  const chunks = [
    chunk({ role: 'assistant', content: '' }),
    chunk({ content: 'Hel' }),
    chunk({ content: 'lo' }),
  ]

  it('has exactly the events that Anthropic’s clients expect', () => {
    expect(streamed([...chunks, ...ending()])).toBe(
      [
        'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_r-1","type":"message","role":"assistant",' +
          '"model":"openai/gpt-oss-120b","container":null,"content":[],"stop_reason":null,"stop_sequence":null,' +
          '"stop_details":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":null,' +
          '"cache_read_input_tokens":null,"output_tokens":0}}}',
        'event: content_block_start\ndata: {"type":"content_block_start","index":0,' +
          '"content_block":{"type":"text","text":"","citations":null}}',
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}',
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}',
        'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}',
        'event: message_delta\ndata: {"type":"message_delta","delta":{"container":null,"stop_reason":"end_turn",' +
          '"stop_sequence":null,"stop_details":null},"usage":{"input_tokens":9,"cache_creation_input_tokens":null,' +
          '"cache_read_input_tokens":null,"output_tokens":4,"cost":"0.000002"}}',
        'event: message_stop\ndata: {"type":"message_stop"}',
        '',
      ].join('\n\n'),
    )
  })

  it('does not end before the answer is whole', () => {
    const [finish, told] = ending()
    const types = eventsOf(streamed([...chunks, finish, told])).map(({ type }) => type)
    expect(types.at(-1)).toBe('content_block_delta')
  })

  it('is a message without content when nothing is said', () => {
    expect(accumulate(streamed([...ending()]))).toMatchObject({ content: [], stop_reason: 'end_turn' })
    expect(accumulate(streamed(['[DONE]']))).toMatchObject({ content: [], usage: { output_tokens: 0 } })
  })

  it('says that it was cut off, or refused, or ended by a stop sequence', () => {
    expect(accumulate(streamed([...chunks, ...ending('length')]))['stop_reason']).toBe('max_tokens')
    expect(accumulate(streamed([...chunks, ...ending('content_filter')]))['stop_reason']).toBe('refusal')
    expect(
      accumulate(streamed([chunk({ refusal: 'No' }), chunk({ refusal: '.' }), ...ending()])),
    ).toMatchObject({
      content: [text('No.')],
      stop_reason: 'refusal',
    })
    const matched = { id: 'x', choices: [{ delta: {}, finish_reason: 'stop', stop_reason: 'END' }] }
    expect(accumulate(streamed([...chunks, matched, '[DONE]']))).toMatchObject({
      stop_reason: 'stop_sequence',
      stop_sequence: 'END',
    })
  })

  it('that breaks off ends with an error and no more', () => {
    const error = { error: { message: 'Broke off.', code: 'provider_failed' } }
    const events = eventsOf(streamed([...chunks, error]))
    expect(events.at(-1)).toEqual({
      type: 'error',
      error: { type: 'api_error', message: 'Broke off.', details: { error_code: 'provider_failed' } },
      request_id: 'r-1',
    })
    expect(events.filter(({ type }) => type === 'message_stop')).toEqual([])
  })
})

describe('a stream of thoughts', () => {
  const chunks = [
    chunk({ reasoning: 'H' }),
    chunk({ reasoning_content: 'm.' }),
    chunk({ content: 'Hello' }),
    ...ending(),
  ]

  it('shows them in a block of their own to a caller who asked', () => {
    expect(accumulate(streamed(chunks, thinkingCall))['content']).toEqual([
      { type: 'thinking', thinking: 'Hm.', signature: '' },
      text('Hello'),
    ])
  })

  it('shows others that it goes on, and no more', () => {
    const sent = streamed(chunks)
    expect(accumulate(sent)['content']).toEqual([text('Hello')])
    expect(sent.match(/event: ping\n/g)).toHaveLength(2)
    expect(sent.startsWith('event: message_start\n')).toBe(true)
  })
})

describe('a stream of tool calls', () => {
  it('has a block for each, behind what is said', () => {
    const sent = streamed([
      chunk({ content: 'Let me see.' }),
      tool(0, 'c1', 'f', ''),
      tool(0, undefined, undefined, '{"a"'),
      tool(0, undefined, undefined, ':1}'),
      tool(1, 'c2', 'g', '{}'),
      ...ending('tool_calls'),
    ])
    expect(accumulate(sent)).toMatchObject({
      content: [text('Let me see.'), used('c1', 'f', { a: 1 }), used('c2', 'g', {})],
      stop_reason: 'tool_use',
    })
    const [second] = eventsOf(sent).filter(({ index }) => index === 2)
    expect(second).toEqual({
      type: 'content_block_start',
      index: 2,
      content_block: { type: 'tool_use', id: 'c2', name: 'g', input: {} },
    })
  })

  it('keeps calls apart that a provider writes at once', () => {
    const sent = streamed([
      tool(0, 'c1', 'f', '{"a":'),
      tool(1, 'c2', 'g', '{"b":'),
      chunk({ content: 'Meanwhile.' }),
      tool(0, undefined, undefined, '1}'),
      tool(1, undefined, undefined, '2}'),
      ...ending(),
    ])
    expect(accumulate(sent)).toMatchObject({
      content: [used('c1', 'f', { a: 1 }), used('c2', 'g', { b: 2 }), text('Meanwhile.')],
      stop_reason: 'tool_use',
    })
  })

  it('keeps calls apart that are all in the same place, or in none', () => {
    const same = [tool(0, 'c1', 'f', '{"a":1}'), tool(0, 'c2', 'g', '{"b":2}'), ...ending()]
    const expected = [used('c1', 'f', { a: 1 }), used('c2', 'g', { b: 2 })]
    expect(accumulate(streamed(same))['content']).toEqual(expected)
    const placeless = same.map((piece) =>
      typeof piece === 'string'
        ? piece
        : JSON.parse(JSON.stringify(piece).replaceAll('"index":0,"id"', '"id"')),
    )
    expect(accumulate(streamed(placeless))['content']).toEqual(expected)
  })

  it('takes the id and an empty name in later pieces for the same call', () => {
    const sent = streamed([tool(0, 'c1', 'f', '{"a"'), tool(0, 'c1', '', ':1}'), ...ending()])
    expect(accumulate(sent)['content']).toEqual([used('c1', 'f', { a: 1 })])
  })

  it('gives calls without an id one of their own, and takes arguments that are no text', () => {
    const whole = { function: { name: 'f', arguments: { a: 1 } } }
    const sent = streamed([
      chunk({
        tool_calls: [
          { index: 0, ...whole },
          { index: 1, ...whole },
        ],
      }),
      ...ending(),
    ])
    expect(accumulate(sent)['content']).toEqual([
      used('toolu_r-1_0', 'f', { a: 1 }),
      used('toolu_r-1_1', 'f', { a: 1 }),
    ])
  })

  it('takes nothing behind whole arguments once another block has begun', () => {
    const sent = streamed([
      tool(0, 'c1', 'f', '{}'),
      chunk({ content: 'x' }),
      tool(0, undefined, undefined, ' '),
      ...ending(),
    ])
    expect(accumulate(sent)['content']).toEqual([used('c1', 'f', {}), text('x')])
  })

  it('keeps back no more than any answer holds: then it ends, and the provider is left', () => {
    const long = 'x'.repeat(1024 * 1024)
    const kept = [tool(0, 'c1', 'f', '{"a":'), ...Array.from({ length: 17 }, () => chunk({ content: long }))]
    const sent = streamed([...kept, ...ending()])
    expect(eventsOf(sent).at(-1)).toMatchObject({
      type: 'error',
      error: { type: 'api_error', message: 'The answer is too long to be streamed.' },
    })
    const spoken = kept.slice(1)
    expect(accumulate(streamed([...spoken, ...ending()]))['stop_reason']).toBe('end_turn')
  })

  it('gives arguments that were cut off as they came', () => {
    const sent = streamed([tool(0, 'c1', 'f', '{"city": "Be'), ...ending('length')])
    expect(sent).toContain(JSON.stringify({ type: 'input_json_delta', partial_json: '{"city": "Be' }))
    expect(sent).toContain('"stop_reason":"max_tokens"')
  })
})

describe('a stream, put together', () => {
  /** Pieces of a text, cut where the draws say. */
  const cut = (whole: string, draw: () => number): string[] => {
    const pieces: string[] = []
    for (let rest = whole; rest !== ''; ) {
      const length = 1 + (draw() % 7)
      pieces.push(rest.slice(0, length))
      rest = rest.slice(length)
    }
    return pieces
  }

  it('is the message that the whole reply would be', () => {
    const answer = fc.record({
      reasoning: fc.string(),
      content: fc.string({ unit: 'grapheme' }),
      tools: fc.array(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 })), { maxLength: 4 }),
      finish: fc.constantFrom('stop', 'length', 'tool_calls', 'content_filter'),
      reasoningName: fc.constantFrom('reasoning', 'reasoning_content'),
      isMixed: fc.boolean(),
      repeatsIds: fc.boolean(),
      cuts: fc.array(fc.nat(), { minLength: 1, maxLength: 50 }),
    })
    const property = fc.property(answer, fc.boolean(), (drawn, hasThinking) => {
      let next = 0
      const draw = () => drawn.cuts[next++ % drawn.cuts.length] ?? 0
      const calls = drawn.tools.map((input, index) => ({
        id: `c${index}`,
        type: 'function',
        function: { name: `f${index}`, arguments: JSON.stringify(input) },
      }))
      const pieces = calls.map(({ id, function: { name, arguments: args } }, index) => [
        tool(index, id, name, ''),
        ...cut(args, draw).map((piece) => tool(index, drawn.repeatsIds ? id : undefined, undefined, piece)),
      ])
      const told = calls.length === 0 ? [] : drawn.isMixed ? mixed(pieces, draw) : pieces.flat()
      const chunks = [
        chunk({ role: 'assistant', content: '' }),
        ...cut(drawn.reasoning, draw).map((piece) => chunk({ [drawn.reasoningName]: piece, content: '' })),
        ...cut(drawn.content, draw).map((content) => chunk({ content })),
        ...told,
        ...ending(drawn.finish),
      ]
      const asked = hasThinking ? thinkingCall : call()
      const whole = {
        id: 'chatcmpl-1',
        choices: [
          {
            message: { [drawn.reasoningName]: drawn.reasoning, content: drawn.content, tool_calls: calls },
            finish_reason: drawn.finish,
          },
        ],
        usage,
      }
      const reply = messageReply(asked, { bytes: Buffer.from(JSON.stringify(whole)), contentType: '' }, facts)
      expect(accumulate(streamed(chunks, asked))).toEqual(JSON.parse(reply.bytes.toString()))
    })
    fc.assert(property, { numRuns: 100 })
  })
})

/** Pieces of several calls in any order that keeps each call's own, and the order in which they begin. */
function mixed<T>(calls: readonly (readonly T[])[], draw: () => number): T[] {
  const left = calls.map((pieces) => [...pieces])
  const order: T[] = []
  let begun = 0
  while (left.some((pieces) => pieces.length > 0)) {
    const pick = draw() % Math.min(begun + 1, left.length)
    const pieces = left[pick]
    if (pieces === undefined || pieces.length === 0) {
      const other = left.findIndex((candidate) => candidate.length > 0)
      order.push(...(left[other]?.splice(0, 1) ?? []))
      begun = Math.max(begun, other + 1)
      continue
    }
    if (pick === begun) begun += 1
    order.push(...pieces.splice(0, 1))
  }
  return order
}
