import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../errors.ts'
import { readInput } from './input-items.ts'

const user = { role: 'user', content: 'Hi' }
const call = (id: string) => ({ type: 'function_call', call_id: id, name: 'f', arguments: '{}' })
const called = (id: string) => ({ id, type: 'function', function: { name: 'f', arguments: '{}' } })
const output = (id: string, text: unknown = 'ok') => ({
  type: 'function_call_output',
  call_id: id,
  output: text,
})
const tool = (id: string, content = 'ok') => ({ role: 'tool', tool_call_id: id, content })

const messagesOf = (...items: readonly unknown[]) => readInput(items, undefined)

function refusalOf(...items: readonly unknown[]): unknown {
  try {
    readInput(items, undefined)
  } catch (error) {
    if (isGatewayError(error)) return [error.code, error.param, error.message]
    throw error
  }
  return 'accepted'
}

describe('messages of the input', () => {
  it('are one of the user where it is a text', () => {
    expect(readInput('Hi', undefined)).toEqual([user])
  })

  it('keep their roles, with or without a type', () => {
    expect(messagesOf({ type: 'message', ...user }, { role: 'assistant', content: 'Hello.' }, user)).toEqual([
      user,
      { role: 'assistant', content: 'Hello.' },
      user,
    ])
  })

  it('begin with one system message: instructions, and what else stands before everything', () => {
    const developer = { role: 'developer', content: [{ type: 'input_text', text: 'Be kind.' }] }
    expect(readInput([developer, { role: 'system', content: 'Be short.' }, user], 'Be brief.')).toEqual([
      { role: 'system', content: 'Be brief.\n\nBe kind.\n\nBe short.' },
      user,
    ])
    expect(messagesOf(user, developer)).toEqual([user, { role: 'system', content: 'Be kind.' }])
    expect(readInput([user], '')).toEqual([user])
  })

  it('have a single text as a text, and anything more as parts', () => {
    const text = { type: 'input_text', text: 'a' }
    expect(messagesOf({ role: 'user', content: [text] })).toEqual([{ role: 'user', content: 'a' }])
    expect(messagesOf({ role: 'user', content: [text, text] })).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'a' },
        ],
      },
    ])
  })

  it('show images and let audio be heard', () => {
    const content = [
      { type: 'input_image', image_url: 'https://example.com/a.png', detail: 'low' },
      { type: 'input_image', image_url: 'data:image/png;base64,AA', detail: 'original' },
      { type: 'input_image', image_url: 'https://example.com/b.png' },
      { type: 'input_audio', input_audio: { data: 'AA', format: 'wav' } },
    ]
    expect(messagesOf({ role: 'user', content })).toEqual([
      {
        role: 'user',
        content: [
          { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'low' } },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AA', detail: 'high' } },
          { type: 'image_url', image_url: { url: 'https://example.com/b.png' } },
          { type: 'input_audio', input_audio: { data: 'AA', format: 'wav' } },
        ],
      },
    ])
  })

  it('keep marks of the prompt cache', () => {
    const mark = { mode: 'explicit' }
    const content = [{ type: 'input_text', text: 'a', prompt_cache_breakpoint: mark }]
    expect(messagesOf({ role: 'user', content })).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'a', prompt_cache_breakpoint: mark }] },
    ])
  })

  it('have what the assistant said and refused as one text', () => {
    const content = [
      { type: 'output_text', text: 'I ', annotations: [] },
      { type: 'refusal', refusal: 'can not.' },
    ]
    expect(messagesOf(user, { type: 'message', id: 'msg_1', role: 'assistant', content })).toEqual([
      user,
      { role: 'assistant', content: 'I can not.' },
    ])
  })
})

describe('calls of the input', () => {
  it('are one message with what was said before them, and their outputs follow', () => {
    expect(
      messagesOf(
        user,
        { role: 'assistant', content: 'Wait.' },
        call('a'),
        call('b'),
        output('a'),
        output('b'),
        user,
      ),
    ).toEqual([
      user,
      { role: 'assistant', content: 'Wait.', tool_calls: [called('a'), called('b')] },
      tool('a'),
      tool('b'),
      user,
    ])
  })

  it('are a message each where the outputs lie between them', () => {
    expect(messagesOf(call('a'), output('a'), call('b'), output('b'))).toEqual([
      { role: 'assistant', content: null, tool_calls: [called('a')] },
      tool('a'),
      { role: 'assistant', content: null, tool_calls: [called('b')] },
      tool('b'),
    ])
  })

  it('keep what was said behind them in their message, so that nothing parts them from their outputs', () => {
    expect(messagesOf(call('a'), { role: 'assistant', content: 'Done.' }, output('a'))).toEqual([
      { role: 'assistant', content: 'Done.', tool_calls: [called('a')] },
      tool('a'),
    ])
  })

  it('are not parted by reasoning, which is not told, nor by searches', () => {
    const reasoning = {
      type: 'reasoning',
      id: 'rs_1',
      summary: [],
      content: [{ type: 'reasoning_text', text: 'x' }],
    }
    const search = { type: 'web_search_call', id: 'ws_1', status: 'completed' }
    expect(messagesOf(user, reasoning, call('a'), search, reasoning, call('b'))).toEqual([
      user,
      { role: 'assistant', content: null, tool_calls: [called('a'), called('b')] },
    ])
  })

  it('may come to parts: texts are joined, images follow behind all outputs', () => {
    const image = { type: 'input_image', image_url: 'https://example.com/a.png' }
    const shown = { type: 'image_url', image_url: { url: 'https://example.com/a.png' } }
    const texts = [
      { type: 'input_text', text: 'a' },
      { type: 'input_text', text: 'b' },
    ]
    expect(
      messagesOf(call('a'), call('b'), output('a', [image]), output('b', [...texts, image]), user),
    ).toEqual([
      { role: 'assistant', content: null, tool_calls: [called('a'), called('b')] },
      tool('a', 'See the images in the next message.'),
      tool('b', 'a\nb'),
      { role: 'user', content: [shown, shown] },
      user,
    ])
    expect(messagesOf(call('a'), output('a', [image])).at(-1)).toEqual({ role: 'user', content: [shown] })
  })

  it('of custom tools are calls of a function of one text', () => {
    expect(
      messagesOf(
        { type: 'custom_tool_call', call_id: 'a', name: 'apply_patch', input: 'a "b"\n' },
        { type: 'custom_tool_call_output', call_id: 'a', output: 'ok' },
      ),
    ).toEqual([
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          {
            id: 'a',
            type: 'function',
            function: { name: 'apply_patch', arguments: '{"input":"a \\"b\\"\\n"}' },
          },
        ],
      },
      tool('a'),
    ])
  })
})

describe('a call of a tool in a namespace', () => {
  it('is by the name that the model knows it by', () => {
    expect(messagesOf({ ...call('a'), namespace: 'clock' })).toMatchObject([
      { tool_calls: [{ id: 'a', function: { name: 'clock__f' } }] },
    ])
  })
})

describe('an item is refused', () => {
  it.each([
    ['that is no object', 'x', 'input.0'],
    ['that is null', null, 'input.0'],
    ['without type and role', { content: 'x' }, 'input.0'],
    ['of a type nobody knows', { type: 'constructor' }, 'input.0'],
    ['that was run by OpenAI', { type: 'file_search_call', id: 'fs_1' }, 'input.0'],
    ['of a role nobody knows', { role: 'tool', content: 'x' }, 'input.0.role'],
    ['without content', { role: 'user' }, 'input.0.content'],
    ['with a part that is a text', { role: 'user', content: ['x'] }, 'input.0.content.0'],
    ['with a part of chat', { role: 'user', content: [{ type: 'image_url' }] }, 'input.0.content.0'],
    [
      'with a part without text',
      { role: 'user', content: [{ type: 'input_text' }] },
      'input.0.content.0.text',
    ],
    ['with a file', { role: 'user', content: [{ type: 'input_file', file_id: 'f' }] }, 'input.0.content.0'],
    [
      'with an image that is stored',
      { role: 'user', content: [{ type: 'input_image', file_id: 'f' }] },
      'input.0.content.0.file_id',
    ],
    [
      'with an image that is none',
      { role: 'user', content: [{ type: 'input_image' }] },
      'input.0.content.0.image_url',
    ],
    [
      'with audio that is none',
      { role: 'user', content: [{ type: 'input_audio' }] },
      'input.0.content.0.input_audio',
    ],
    [
      'of the system with an image',
      { role: 'system', content: [{ type: 'input_image', image_url: 'x' }] },
      'input.0.content.0',
    ],
    [
      'that is a call without an id',
      { type: 'function_call', name: 'f', arguments: '{}' },
      'input.0.call_id',
    ],
    ['that is a call with an object', { ...call('a'), arguments: {} }, 'input.0.arguments'],
    ['that is an output without text', { type: 'function_call_output', call_id: 'a' }, 'input.0.output'],
    ['that is an output without an id', { type: 'function_call_output', output: 'a' }, 'input.0.call_id'],
  ])('%s', (_name, item, param) => {
    expect(refusalOf(item)).toEqual(['invalid_request', param, expect.any(String)])
  })

  it('by its place among others', () => {
    expect(refusalOf(user, user, { type: 'nothing' })).toEqual([
      'invalid_request',
      'input.2',
      expect.any(String),
    ])
  })

  it('that refers to one that would have to be stored, and says what helps', () => {
    expect(refusalOf({ type: 'item_reference', id: 'msg_1' })).toEqual([
      'invalid_request',
      'input.0',
      expect.stringContaining('"store": false'),
    ])
  })
})
