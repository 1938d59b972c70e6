import { describe, expect, it } from 'vitest'
import { ByteStream } from '../../http/byte-stream.ts'
import { jsonBodyOf } from '../../http/request-body.ts'
import { textGeneration } from './text-generation.ts'

const body = jsonBodyOf({ inputs: 'Once', parameters: { max_new_tokens: 9, stop: ['.'], top_k: 4 } })
const call = {
  ...textGeneration.dialect.parse(textGeneration.translate(body, 'acme/m')),
  translatedFrom: body,
}

/** Writes events of completions, and gives what came of them. */
function streamed(...events: readonly string[]) {
  const heard: string[] = []
  const source = new ByteStream({
    onResume: () => undefined,
    onCancel: () => heard.push('cancel'),
  })
  const told = textGeneration.stream?.(call, source)
  let text = ''
  told?.pipe({
    write(chunk) {
      text += Buffer.from(chunk).toString()
      return true
    },
    end: () => heard.push('end'),
    fail: () => heard.push('fail'),
  })
  for (const event of events) source.write(Buffer.from(`data: ${event}\n\n`))
  source.end()
  const written = text.split('\n\n').filter((event) => event !== '')
  return { heard, events: written.map((event) => JSON.parse(event.slice('data:'.length))) }
}

const piece = (text: unknown, more: object = {}) => JSON.stringify({ choices: [{ index: 0, text, ...more }] })

describe('the events of a text that goes on', () => {
  it('are a token each, and the whole text with how it ended', () => {
    const usage = JSON.stringify({ choices: [], usage: { completion_tokens: 3 } })
    const { events } = streamed(piece('a'), piece('b', { finish_reason: 'length' }), usage, '[DONE]')
    expect(events.map(({ token, generated_text }) => [token.text, generated_text])).toEqual([
      ['a', null],
      ['b', null],
      ['', 'ab'],
    ])
    expect(events.at(-1).details).toEqual({ finish_reason: 'length', generated_tokens: 3 })
  })

  it.each([piece(undefined), piece(null), piece(7), '{}', '{"choices":null}', '{"choices":[null]}'])(
    'leave out what says nothing: %s',
    (event) => {
      expect(streamed(event, '[DONE]').events).toHaveLength(1)
    },
  )

  it('end with an error where the text is longer than any is, and the provider is read no further', () => {
    const long = piece('x'.repeat(9 * 1024 * 1024))
    const { events, heard } = streamed(long, long, long)
    expect(events).toHaveLength(2)
    expect(events.at(-1)).toEqual({
      error: 'The answer is too long to be streamed.',
      error_type: 'generation',
    })
    expect(heard).toEqual(['end', 'cancel'])
  })
})

describe('a whole text', () => {
  const reply = (value: unknown) => {
    const whole = { bytes: Buffer.from(JSON.stringify(value)), contentType: 'application/json' }
    return JSON.parse(textGeneration.reply(call, whole).bytes.toString())
  }

  it('is what was written, without the prompt unless that is asked for', () => {
    expect(reply({ choices: [{ text: 'a' }] })).toEqual([{ generated_text: 'a' }])
  })

  it.each([{}, { choices: [] }, { choices: [{ text: 7 }] }])(
    'is handed on as it came when it is none: %j',
    (value) => {
      expect(reply(value)).toEqual(value)
    },
  )
})

it('a text is asked for with its parameters in the words of OpenAI', () => {
  expect(call.body.value).toEqual({ model: 'acme/m', prompt: 'Once', max_tokens: 9, stop: ['.'], top_k: 4 })
})
