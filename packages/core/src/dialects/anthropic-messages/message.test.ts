import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../errors.ts'
import { jsonBodyOf } from '../../http/request-body.ts'
import { readMessages } from './anthropic-messages.ts'
import { messageReply } from './message.ts'

const asked = {
  model: 'openai/gpt-oss-120b:cheapest',
  max_tokens: 100,
  messages: [{ role: 'user', content: 'Hi' }],
}

function reply(choice: object, { usage, cost, ...members }: { [name: string]: unknown } = {}) {
  const call = readMessages(jsonBodyOf({ ...asked, ...members }))
  const bytes = Buffer.from(JSON.stringify({ id: 'chatcmpl-1', model: 'gpt-oss', choices: [choice], usage }))
  const whole = { bytes, contentType: 'application/json; charset=utf-8' }
  const written = messageReply(call, whole, { requestId: 'r-1', cost: cost as string | undefined })
  expect(written.contentType).toBe('application/json; charset=utf-8')
  return JSON.parse(written.bytes.toString())
}

const said = (message: object, finish = 'stop') => ({ index: 0, message, finish_reason: finish })
const call = (id: string, args: unknown) => ({
  id,
  type: 'function',
  function: { name: 'f', arguments: args },
})
const text = (words: string) => ({ type: 'text', text: words, citations: null })

describe('a whole reply', () => {
  it('is a message of the model that was asked for', () => {
    const usage = { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 }
    expect(reply(said({ role: 'assistant', content: 'Hello' }), { usage, cost: '0.000001' })).toEqual({
      id: 'msg_r-1',
      type: 'message',
      role: 'assistant',
      model: 'openai/gpt-oss-120b',
      container: null,
      content: [text('Hello')],
      stop_reason: 'end_turn',
      stop_sequence: null,
      stop_details: null,
      usage: {
        input_tokens: 9,
        cache_creation_input_tokens: null,
        cache_read_input_tokens: null,
        output_tokens: 2,
        cost: '0.000001',
      },
    })
  })

  it('has tool calls behind its words, and says that it stopped for them even where the provider does not', () => {
    const message = { content: 'Let me see.', tool_calls: [call('c1', '{"a":1}'), call('c2', '')] }
    for (const finish of ['tool_calls', 'stop']) {
      expect(reply(said(message, finish))).toMatchObject({
        content: [
          text('Let me see.'),
          { type: 'tool_use', id: 'c1', name: 'f', input: { a: 1 } },
          { type: 'tool_use', id: 'c2', name: 'f', input: {} },
        ],
        stop_reason: 'tool_use',
      })
    }
  })

  it('takes arguments that are no text for the input itself, and gives calls without an id one', () => {
    const { content } = reply(
      said({ content: null, tool_calls: [call('', { a: 1 }), { function: { name: 'g' } }] }),
    )
    expect(content).toEqual([
      { type: 'tool_use', id: 'toolu_r-1_0', name: 'f', input: { a: 1 } },
      { type: 'tool_use', id: 'toolu_r-1_1', name: 'g', input: {} },
    ])
  })

  it.each(['{"city": "Be', '[1]', 'null', '"x"', '5'])(
    'loses nothing of arguments that are no object: %s',
    (args) => {
      const { content } = reply(said({ content: '', tool_calls: [call('c1', args)] }, 'length'))
      expect(content).toEqual([{ type: 'tool_use', id: 'c1', name: 'f', input: { INVALID_JSON: args } }])
    },
  )

  it.each(['reasoning', 'reasoning_content'])(
    'shows what was thought (%s) to a caller who asked',
    (member) => {
      const choice = said({ content: 'Hello', [member]: 'Hm.' })
      const thinking = { type: 'thinking', thinking: 'Hm.', signature: '' }
      for (const type of ['adaptive', 'enabled']) {
        expect(reply(choice, { thinking: { type, budget_tokens: 1024 } }).content).toEqual([
          thinking,
          text('Hello'),
        ])
      }
      expect(reply(choice).content).toEqual([text('Hello')])
      expect(reply(choice, { thinking: { type: 'disabled' } }).content).toEqual([text('Hello')])
      expect(reply(choice, { thinking: { type: 'adaptive', display: 'omitted' } }).content).toEqual([
        text('Hello'),
      ])
    },
  )

  it.each([
    ['stop', 'end_turn'],
    ['length', 'max_tokens'],
    ['content_filter', 'refusal'],
    ['tool_calls', 'end_turn'],
    [null, 'end_turn'],
    ['eos', 'end_turn'],
  ])('that ended by %s stopped for %s', (finish, reason) => {
    expect(reply({ message: { content: 'x' }, finish_reason: finish }).stop_reason).toBe(reason)
  })

  it('names the stop sequence where the provider does', () => {
    const choice = { message: { content: 'x' }, finish_reason: 'stop', stop_reason: 'END' }
    expect(reply(choice)).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: 'END' })
    expect(reply({ ...choice, stop_reason: 200_002 })).toMatchObject({
      stop_reason: 'end_turn',
      stop_sequence: null,
    })
  })

  it('has the words of a provider that writes parts', () => {
    const parts = [
      { type: 'text', text: 'Hel' },
      { type: 'text', text: 'lo' },
    ]
    expect(reply(said({ role: 'assistant', content: parts })).content).toEqual([text('Hello')])
  })

  it('says a refusal in words', () => {
    expect(reply(said({ content: null, refusal: 'I will not.' }))).toMatchObject({
      content: [text('I will not.')],
      stop_reason: 'refusal',
    })
  })

  it('without content is a message without content', () => {
    expect(reply(said({ content: null })).content).toEqual([])
    expect(reply({}).content).toEqual([])
  })

  it('that is no JSON is an error that nobody repeats by themselves, because it was paid for', () => {
    const contentType = 'application/json'
    try {
      messageReply(
        readMessages(jsonBodyOf(asked)),
        { bytes: Buffer.from('{"choices":[oops]}'), contentType },
        { requestId: 'r-1', cost: undefined },
      )
      expect.unreachable()
    } catch (error) {
      expect(isGatewayError(error) && [error.code, error.headers]).toEqual([
        'provider_failed',
        { 'x-should-retry': 'false' },
      ])
    }
  })
})
