import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../errors.ts'
import type { RequestBody } from './exchange.ts'
import { encodeForm, readFormBody } from './multipart.ts'

const boundary = 'edge'
const type = `multipart/form-data; boundary=${boundary}`

function part(name: string, value: string, filename?: string): string {
  const file = filename === undefined ? '' : `; filename="${filename}"\r\nContent-Type: audio/wav`
  return `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n${value}\r\n`
}

const end = `--${boundary}--\r\n`

function read(body: RequestBody | string | Buffer, contentType = type, bytesMax = 10_000) {
  const isText = typeof body === 'string' || Buffer.isBuffer(body)
  return readFormBody(
    {
      method: 'POST',
      path: '/',
      headers: { 'content-type': contentType },
      signal: new AbortController().signal,
      body: isText ? { kind: 'unread', read: async () => Buffer.from(body) } : body,
    },
    bytesMax,
  )
}

async function refusal(...request: Parameters<typeof read>): Promise<unknown> {
  try {
    await read(...request)
  } catch (error) {
    if (isGatewayError(error)) return [error.code, error.param]
    throw error
  }
  return 'accepted'
}

describe('a form', () => {
  it('gives its texts by name, those of one name together, and its file', async () => {
    const texts = part('model', 'acme/m') + part('of[]', 'word') + part('of[]', 'segment')
    const { value, file, byteLength } = await read(texts + part('file', 'RIFF…', 'C:\\me\\a.wav') + end)
    expect(value).toEqual({ model: 'acme/m', 'of[]': ['word', 'segment'] })
    expect(file?.contentType).toBe('audio/wav')
    expect(file?.bytes.toString()).toBe('RIFF…')
    expect(file?.name).toBe('a.wav')
    expect(byteLength).toBe(Buffer.byteLength(JSON.stringify(value)))
  })

  it('keeps names that objects have of their own', async () => {
    const { value } = await read(part('__proto__', 'x') + part('file', 'a', 'a') + end)
    expect(Object.hasOwn(value, '__proto__')).toBe(true)
    expect(Object.getPrototypeOf({})).toBe(Object.prototype)
  })

  it('is read where the host has its bytes', async () => {
    const bytes = Buffer.from(part('file', 'abc', 'a.wav') + end)
    expect((await read({ kind: 'parsed', value: bytes })).file?.bytes.toString()).toBe('abc')
    expect(await refusal({ kind: 'parsed', value: bytes }, type, 10)).toEqual([
      'request_too_large',
      undefined,
    ])
  })

  it.each<[string, Parameters<typeof read>, unknown]>([
    ['is JSON', ['{}', 'application/json'], ['unsupported_encoding', undefined]],
    ['has no boundary', ['x', 'multipart/form-data'], ['unsupported_encoding', undefined]],
    ['is broken', ['--edge\r\noops'], ['invalid_request', undefined]],
    ['has no file', [part('model', 'a') + end], ['invalid_request', 'file']],
    ['has a text for a file', [part('file', 'https://example.com/a.mp3') + end], ['invalid_request', 'file']],
    ['has an empty file', [part('file', '', 'a.wav') + end], ['invalid_request', 'file']],
    ['was read by somebody', [{ kind: 'drained' }], ['body_already_read', undefined]],
    [
      'was made a value by the host',
      [{ kind: 'parsed', value: { model: 'a' } }],
      ['body_already_read', undefined],
    ],
  ])('is refused when it %s', async (_case, request, expected) => {
    expect(await refusal(...request)).toEqual(expected)
  })
})

it('comes out of what was written as it went in, whatever is in names and bytes', async () => {
  const bytes = Buffer.from([0, 255, 13, 10, 45, 45])
  const file = { name: 'a"b\r\n.wav', contentType: 'audio/wav\r\nx: y', bytes }
  const { contentType, body } = encodeForm({ model: 'm', 'of[]': ['word', 'segment'] }, file, 'farebox-r.1')
  const again = await read(body, contentType)
  expect(again.value).toEqual({ model: 'm', 'of[]': ['word', 'segment'] })
  expect(again.file?.bytes).toEqual(bytes)
  expect(again.file?.contentType).toBe('application/octet-stream')
})
