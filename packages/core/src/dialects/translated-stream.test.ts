import { describe, expect, it } from 'vitest'
import { GatewayError } from '../errors.ts'
import { ByteStream } from '../http/byte-stream.ts'
import { encodeNamedEvent, type StreamTranslator, translatedStream } from './translated-stream.ts'

const spelling: StreamTranslator = {
  event({ text }) {
    if (text === 'endless') throw new GatewayError('provider_failed', 'too long')
    return text === undefined ? '' : encodeNamedEvent('piece', { text })
  },
  error: ({ message }) => encodeNamedEvent('error', { message }),
  done: () => encodeNamedEvent('end', {}),
}

function open() {
  const heard: string[] = []
  const source = new ByteStream({
    onResume: () => heard.push('resume'),
    onCancel: () => heard.push('cancel'),
  })
  return { heard, source, translated: translatedStream(source, spelling) }
}

function collect(stream: ByteStream): { text: string; ending: string } {
  const got = { text: '', ending: '' }
  stream.pipe({
    write(chunk) {
      got.text += Buffer.from(chunk).toString()
      return true
    },
    end: () => {
      got.ending = 'end'
    },
    fail: () => {
      got.ending = 'fail'
    },
  })
  return got
}

describe('a translated stream', () => {
  it('has an event for each event, and its ending when the answer is whole', () => {
    const { source, translated } = open()
    const got = collect(translated)
    source.write(Buffer.from('data: {"text":"a"}\n\ndata: {"text":"é"}\r\n\r\n'))
    expect(got.text).toBe(encodeNamedEvent('piece', { text: 'a' }) + encodeNamedEvent('piece', { text: 'é' }))
    source.write(Buffer.from('data: [DONE]\n\n'))
    source.end()
    expect(got.text.endsWith(encodeNamedEvent('end', {}))).toBe(true)
    expect(got.ending).toBe('end')
  })

  it('keeps comments, and leaves out what is no event of anybody', () => {
    const { source, translated } = open()
    const got = collect(translated)
    source.write(Buffer.from(': ping\n\ndata: {oops\n\ndata: [1]\n\ndata: {"id":"1"}\n\n'))
    expect(got.text).toBe(': ping\n\n')
  })

  it('tells an error once and nothing after it', () => {
    const { source, translated } = open()
    const got = collect(translated)
    source.write(Buffer.from('data: {"error":{"message":"broke"}}\n\ndata: {"text":"late"}\n\n'))
    source.write(Buffer.from('data: [DONE]\n\n'))
    source.end()
    expect(got.text).toBe(encodeNamedEvent('error', { message: 'broke' }))
    expect(got.ending).toBe('end')
  })

  it('takes an error that is a text for its message, and a null error for none', () => {
    const { source, translated } = open()
    const got = collect(translated)
    source.write(Buffer.from('data: {"error":null,"text":"a"}\n\ndata: {"error":"broke"}\n\n'))
    expect(got.text).toBe(
      encodeNamedEvent('piece', { text: 'a' }) + encodeNamedEvent('error', { message: 'broke' }),
    )
  })

  it('holds its source back while its reader is full, and goes on when it is not', () => {
    const { source, translated, heard } = open()
    expect(source.write(Buffer.from('data: {"text":"a"}\n\n'))).toBe(false)
    const got = collect(translated)
    expect(got.text).toBe(encodeNamedEvent('piece', { text: 'a' }))
    expect(heard).toContain('resume')
    expect(source.write(Buffer.from('data: {"text":"b"}\n\n'))).toBe(true)
  })

  it('ends with an error that its translator raises, and reads no further', () => {
    const { source, translated, heard } = open()
    const got = collect(translated)
    source.write(Buffer.from('data: {"text":"a"}\n\ndata: {"text":"endless"}\n\ndata: {"text":"b"}\n\n'))
    source.write(Buffer.from('data: {"text":"c"}\n\n'))
    expect(got.text).toBe(
      encodeNamedEvent('piece', { text: 'a' }) + encodeNamedEvent('error', { message: 'too long' }),
    )
    expect(got.ending).toBe('end')
    expect(heard.at(-1)).toBe('cancel')
  })

  it('cancels its source when its reader leaves, and fails as it fails', () => {
    const left = open()
    left.translated.cancel()
    expect(left.heard).toContain('cancel')
    const broken = open()
    const got = collect(broken.translated)
    broken.source.fail(new Error('gone'))
    expect(got.ending).toBe('fail')
  })
})
