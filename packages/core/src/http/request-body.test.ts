import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../errors.ts'
import { type JsonBody, readJsonBody } from './request-body.ts'

const bytesMax = 1000

function readBytes(bytes: string | Uint8Array, max = bytesMax): Promise<JsonBody> {
  return readJsonBody({ kind: 'unread', read: async () => Buffer.from(bytes) }, max)
}

function readParsed(value: unknown, max = bytesMax): Promise<JsonBody> {
  return readJsonBody({ kind: 'parsed', value }, max)
}

async function refusal(reading: Promise<JsonBody>): Promise<unknown> {
  try {
    await reading
  } catch (error) {
    if (isGatewayError(error)) return [error.code, error.message]
    throw error
  }
  return 'accepted'
}

function nested(levels: number): string {
  return `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
}

describe('a body that nobody has read', () => {
  it('is given as its value, its bytes and its members', async () => {
    const text = '{"model":"m","seed":7228414683750928001}'
    const body = await readBytes(text)
    expect(body.value['model']).toBe('m')
    expect(body.source?.bytes.toString()).toBe(text)
    expect(body.source?.object.members.map(({ name }) => name)).toEqual(['model', 'seed'])
    expect(body.byteLength).toBe(text.length)
  })

  it('is read with the bound it must keep to', async () => {
    const asked: number[] = []
    const read = async (max: number) => {
      asked.push(max)
      return Buffer.from('{}')
    }
    await readJsonBody({ kind: 'unread', read }, 77)
    expect(asked).toEqual([77])
  })

  it('may be a view into a larger buffer', async () => {
    const whole = new TextEncoder().encode('xx{"a":1}yy')
    const body = await readJsonBody({ kind: 'unread', read: async () => whole.subarray(2, 9) }, bytesMax)
    expect(body.value).toEqual({ a: 1 })
    expect(body.byteLength).toBe(7)
  })

  it('loses its byte order mark', async () => {
    const body = await readBytes('\ufeff{"a":1}')
    expect(body.value).toEqual({ a: 1 })
    expect(body.source?.bytes.toString()).toBe('{"a":1}')
    expect(body.byteLength).toBe(7)
  })

  it('counts bytes, not characters', async () => {
    expect((await readBytes('{"a":"é🦊"}')).byteLength).toBe(14)
  })

  it('has no bytes to pass on when two parsers could read it differently', async () => {
    const body = await readBytes('{"model":"cheap","model":"dear"}')
    expect(body.value['model']).toBe('dear')
    expect(body.source).toBeUndefined()
    expect((await readBytes('{"mod\\u0065l":"m"}')).source).toBeUndefined()
  })

  it.each([
    ['', 'The request body is empty. Send a JSON object.'],
    ['\ufeff', 'The request body is empty. Send a JSON object.'],
    ['{"a":1', 'The request body is not valid JSON (at position 6).'],
    ['{"a":1,}', 'The request body is not valid JSON (at position 7).'],
    ['{"a":"\n"}', 'The request body is not valid JSON (at position 6).'],
    ['{"a":NaN}', 'The request body is not valid JSON'],
    ['{"a":1}{', 'The request body is not valid JSON (at position 7).'],
    ["{'a':1}", 'The request body is not valid JSON'],
    ['model=m', 'The request body is not valid JSON'],
    ['   ', 'The request body is not valid JSON'],
  ])('is refused as invalid JSON when it is %j', async (text, message) => {
    expect(await refusal(readBytes(text))).toEqual(['invalid_json', expect.stringContaining(message)])
  })

  it.each(['[]', '[{"model":"m"}]', 'null', '"{}"', '1', 'true'])(
    'is refused when it is %s instead of an object',
    async (text) => {
      expect(await refusal(readBytes(text))).toEqual([
        'invalid_request',
        'The request body must be a JSON object.',
      ])
    },
  )

  it.each([
    ['Latin-1', [0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xe9, 0x22, 0x7d]],
    ['a UTF-16 surrogate', [0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xed, 0xa0, 0xbd, 0x22, 0x7d]],
    ['UTF-16', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
  ])('is refused when it is not UTF-8 but %s', async (_encoding, bytes) => {
    expect(await refusal(readBytes(Uint8Array.from(bytes)))).toEqual([
      'invalid_json',
      'The request body is not valid UTF-8.',
    ])
  })

  it('is accepted at 64 levels and refused at 65', async () => {
    expect((await readBytes(nested(64))).value).toHaveProperty('a')
    expect(await refusal(readBytes(nested(65)))).toEqual([
      'invalid_json',
      'The request body is nested deeper than 64 levels.',
    ])
  })

  it('does not count brackets inside of texts', async () => {
    const text = JSON.stringify('["{'.repeat(100))
    expect((await readBytes(`{"a":${text}}`)).value).toHaveProperty('a')
    expect(await refusal(readBytes(`[${text}]`))).toEqual(['invalid_request', expect.anything()])
  })

  it.each([
    ['balanced', `{"a":${'['.repeat(5_000_000)}${']'.repeat(5_000_000)}}`],
    ['cut off', `{"a":${'['.repeat(10_000_000)}`],
    ['an array', '['.repeat(10_000_000)],
  ])('is refused before a parser has to follow millions of levels (%s)', async (_case, text) => {
    const before = process.cpuUsage()
    expect(await refusal(readBytes(text, 20_000_000))).toEqual([
      'invalid_json',
      'The request body is nested deeper than 64 levels.',
    ])
    // A parser takes seconds for it, and nothing else runs meanwhile. Seconds of this process: the machine may be busy.
    const { user, system } = process.cpuUsage(before)
    expect(user + system).toBeLessThan(1_000_000)
  })

  it('passes the refusal of a reader on', async () => {
    const read = () => Promise.reject(new Error('the socket broke'))
    await expect(readJsonBody({ kind: 'unread', read }, bytesMax)).rejects.toThrow('the socket broke')
  })
})

describe('a body that the host has parsed', () => {
  it('is given as it is, without bytes to pass on, and with its length as JSON', async () => {
    const value = { model: 'm', messages: [{ content: 'é' }] }
    const body = await readParsed(value)
    expect(body.value).toBe(value)
    expect(body.source).toBeUndefined()
    expect(body.byteLength).toBe(Buffer.byteLength(JSON.stringify(value)))
  })

  it('may be an empty object, which is a body like any other', async () => {
    expect((await readParsed({})).value).toEqual({})
  })

  it('may be the raw bytes, which are then parsed and passed on', async () => {
    const body = await readParsed(Buffer.from('{"model":"m"}'))
    expect(body.value).toEqual({ model: 'm' })
    expect(body.source?.bytes.toString()).toBe('{"model":"m"}')
  })

  it('may be text, which is then parsed and passed on', async () => {
    const body = await readParsed('{"model":"é"}')
    expect(body.value).toEqual({ model: 'é' })
    expect(body.source?.bytes.toString()).toBe('{"model":"é"}')
    expect(await refusal(readParsed('model=m'))).toEqual(['invalid_json', expect.anything()])
  })

  it.each([[[]], [null], [1], [true]])('is refused when it is %j', async (value) => {
    expect(await refusal(readParsed(value))).toEqual([
      'invalid_request',
      'The request body must be a JSON object.',
    ])
  })

  it('is accepted at the limit of bytes and refused above, as a value and as bytes', async () => {
    const value = { a: 'é' }
    expect((await readParsed(value, 10)).byteLength).toBe(10)
    const tooLarge = ['request_too_large', 'The request body is larger than 9 bytes.']
    expect(await refusal(readParsed(value, 9))).toEqual(tooLarge)
    expect(await refusal(readParsed(Buffer.from('{"a":"é"}'), 9))).toEqual(tooLarge)
  })

  it('is accepted at 64 levels and refused at 65', async () => {
    expect((await readParsed(JSON.parse(nested(64)))).value).toHaveProperty('a')
    expect(await refusal(readParsed(JSON.parse(nested(65))))).toEqual([
      'invalid_json',
      'The request body is nested deeper than 64 levels.',
    ])
  })
})

it('says what to do when somebody has read the body and kept nothing', async () => {
  expect(await refusal(readJsonBody({ kind: 'drained' }, bytesMax))).toEqual([
    'body_already_read',
    expect.stringContaining('Mount the gateway before other body parsers'),
  ])
})
