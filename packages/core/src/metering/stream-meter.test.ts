import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Target } from '../catalog/target.ts'
import { openaiChat } from '../dialects/openai-chat.ts'
import { ByteStream } from '../http/byte-stream.ts'
import { eventData, eventEnd } from '../http/sse.ts'
import { formatUsd, perMillion } from '../money.ts'
import { cerebras } from '../providers/cerebras.ts'
import { openaiCompatible } from '../providers/openai-compatible.ts'
import type { Provider } from '../providers/provider.ts'
import { together } from '../providers/together.ts'
import { rateUsage } from '../rate-usage.ts'
import type { Quantities } from '../usage.ts'
import type { Attempt } from './attempt.ts'
import { findUsage } from './reply-meter.ts'
import { meterStream } from './stream-meter.ts'

const target: Target = {
  targetId: 'p/m',
  providerId: 'p',
  providerModel: 'm',
  model: 'acme/m',
  operation: 'chat',
  price: {
    input_token: perMillion('0.35'),
    cached_input_token: perMillion('0.1'),
    output_token: perMillion('0.75'),
  },
  limits: {},
  priceVersion: 'v1',
  source: 'https://example.com/pricing',
  readOn: '2026-01-31',
}

const value = { model: 'acme/m', messages: [{ role: 'user', content: 'Hi' }], stream: true }
const call = openaiChat.parse({ value, source: undefined, byteLength: 100 })
const standard = openaiCompatible({ id: 'p', baseUrl: 'https://example.com/v1' })

const shapes: readonly (readonly [string, Provider, Quantities])[] = [
  [
    'cerebras',
    cerebras(),
    { input_token: 10n, cached_input_token: 64n, output_token: 16n, reasoning_token: 20n },
  ],
  ['together', together(), { input_token: 6n, cached_input_token: 4n, output_token: 955n }],
  ['openai', standard, { input_token: 9n, output_token: 2n }],
  ['xai', standard, { input_token: 1n, cached_input_token: 11n, output_token: 2n, reasoning_token: 340n }],
  ['vllm', standard, { input_token: 31n, output_token: 2n }],
]

function fixture(name: string): Buffer {
  return readFileSync(new URL(`../providers/__fixtures__/${name}`, import.meta.url))
}

interface Options {
  readonly wantsUsage?: boolean
  readonly provider?: Provider
  readonly settle?: () => Promise<void>
  readonly signal?: AbortSignal
  readonly hide?: (text: string) => string
}

/** A metered stream, and what its caller reads of it. */
function start(options: Options = {}) {
  const { wantsUsage = false, provider = standard, settle = async () => undefined } = options
  const attempt: Attempt = {
    attemptId: 'r.1',
    target,
    isOwnKey: false,
    startedMs: 0,
    outcome: 'running',
    mayHaveCost: true,
    isReportFinal: false,
    outputEvents: 0,
    replyBytes: 0,
  }
  const counts = { settled: 0, cancelled: 0, resumed: 0 }
  const upstream = new ByteStream({
    onResume: () => {
      counts.resumed += 1
    },
    onCancel: () => {
      counts.cancelled += 1
    },
  })
  const response = meterStream({
    upstream,
    attempt,
    wantsUsage,
    readUsage: (event) => provider.usage(event, call),
    costOf: (quantities) => ({ cost: formatUsd(rateUsage(quantities, target)) }),
    hide: options.hide,
    writeError: (error) => Buffer.from(`data: {"error":{"code":"${error.code}"}}\n\n`),
    signal: options.signal ?? new AbortController().signal,
    settle: async () => {
      counts.settled += 1
      await settle()
    },
    monotonicMs: () => 42,
  })
  return { upstream, response, attempt, counts }
}

async function readText(response: ByteStream): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of response) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** Plays chunks and the end, or a failure, and gives what the caller read. */
async function play(chunks: readonly (string | Uint8Array)[], options: Options = {}, failure?: Error) {
  const meter = start(options)
  const reading = readText(meter.response)
  for (const chunk of chunks) meter.upstream.write(Buffer.from(chunk))
  if (failure === undefined) meter.upstream.end()
  else meter.upstream.fail(failure)
  return { ...meter, text: await reading }
}

/** The data of every event. */
function dataOf(text: string): string[] {
  const bytes = Buffer.from(text)
  const found: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = eventEnd(bytes, at)
    const data = eventData(bytes.subarray(at, end))
    if (data !== undefined) found.push(data)
    at = end
  }
  return found
}

const chunkEvent = (content: string, more = '') =>
  `data: {"choices":[{"index":0,"delta":{"content":${JSON.stringify(content)}}}]${more}}\n\n`
const usageEvent =
  'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}\n\n'
const done = 'data: [DONE]\n\n'
const brokenOff = 'data: {"error":{"code":"provider_failed"}}\n\n'

describe.each(shapes)('a stream in the shape of %s', (name, provider, quantities) => {
  const stream = fixture(`${name}.stream.sse`)

  it('tells the same usage as the reply of the same answer', async () => {
    const { attempt } = await play([stream], { provider })
    expect(attempt.reported).toEqual(quantities)
    expect(provider.usage(findUsage(fixture(`${name}.reply.json`)), call)).toEqual(quantities)
  })

  it('is read and shown alike wherever it is cut into chunks', async () => {
    const whole = await play([stream], { provider, wantsUsage: true })
    for (let cut = 1; cut < stream.length; cut += 1) {
      const { text, attempt, counts } = await play([stream.subarray(0, cut), stream.subarray(cut)], {
        provider,
        wantsUsage: true,
      })
      expect(text).toBe(whole.text)
      expect(attempt).toEqual(whole.attempt)
      expect(counts.settled).toBe(1)
    }
  })

  it('is read and shown alike byte by byte', async () => {
    const whole = await play([stream], { provider })
    const { text, attempt } = await play(
      Array.from(stream, (byte) => Uint8Array.of(byte)),
      { provider },
    )
    expect(text).toBe(whole.text)
    expect(attempt).toEqual(whole.attempt)
  })

  it('is read alike with CRLF, and goes through byte for byte where nothing is hidden', async () => {
    const crlf = stream.toString().replaceAll('\n', '\r\n')
    const { text, attempt } = await play([crlf], { provider })
    expect(attempt).toMatchObject({ outcome: 'served', reported: quantities })
    const shown = dataOf(text)
    expect(shown).toEqual(dataOf((await play([stream], { provider })).text))
    expect(text.startsWith(crlf.slice(0, crlf.indexOf('\r\n\r\n') + 4))).toBe(true)
  })

  it('hides usage from a caller who did not ask, and changes nothing else', async () => {
    const { text } = await play([stream], { provider })
    const expected = dataOf(stream.toString()).flatMap((data) => {
      if (data === '[DONE]') return [data]
      const { usage, ...others } = JSON.parse(data)
      if (usage === undefined || usage === null) return [data]
      return others.choices.length === 0 ? [] : [others]
    })
    const shown = dataOf(text).map((data, index) =>
      typeof expected[index] === 'string' ? data : JSON.parse(data),
    )
    expect(shown).toEqual(expected)
  })

  it('shows usage with the cost to a caller who asked, and changes nothing else', async () => {
    const { text } = await play([stream], { provider, wantsUsage: true })
    const cost = formatUsd(rateUsage(quantities, target))
    const expected = dataOf(stream.toString()).map((data) => {
      const usage = data === '[DONE]' ? undefined : JSON.parse(data).usage
      return usage === undefined || usage === null
        ? data
        : data.replace(JSON.stringify(usage), JSON.stringify({ ...usage, cost }))
    })
    // As texts: no digit of a number beyond 2⁵³ may change.
    expect(dataOf(text)).toEqual(expected)
  })

  it('ends with an error event and without [DONE] when it is cut anywhere before its usage is told', async () => {
    const told = stream.lastIndexOf('\n\ndata: [DONE]')
    for (let cut = 0; cut < told; cut += 7) {
      const { text, attempt, counts } = await play([stream.subarray(0, cut)], { provider })
      const shown = dataOf(text)
      expect(shown.at(-1)).toBe('{"error":{"code":"provider_failed"}}')
      expect(shown).not.toContain('[DONE]')
      // No half event comes before the error: an SDK would stumble over it and never see the error.
      for (const data of shown) expect(() => JSON.parse(data)).not.toThrow()
      expect(attempt.outcome).toBe('aborted')
      expect(counts.settled).toBe(1)
    }
  })
})

it('keeps a seed of 19 digits byte for byte, in events that are edited too', async () => {
  for (const wantsUsage of [true, false]) {
    const { text } = await play([fixture('together.stream.sse')], { wantsUsage })
    expect(text).toContain('"seed":7228414683750928001')
  }
})

describe('usage', () => {
  it('that is null is not usage, and an answer that never told any has none', async () => {
    const { attempt, text } = await play([chunkEvent('a', ',"usage":null'), chunkEvent('b'), done])
    expect(attempt.reported).toBeUndefined()
    expect(attempt.outcome).toBe('served')
    expect(text.endsWith(done)).toBe(true)
  })

  it('of zero stays zero', async () => {
    const zeros =
      'data: {"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}\n\n'
    const { attempt } = await play([chunkEvent('a'), zeros, done])
    expect(attempt.reported).toEqual({ input_token: 0n, output_token: 0n })
  })

  it('that is told more than once counts once, as last told', async () => {
    const running =
      'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}\n\n'
    const { attempt } = await play([chunkEvent('a'), running, usageEvent, usageEvent, done])
    expect(attempt.reported).toEqual({ input_token: 9n, output_token: 2n })
  })

  it('that is told on two events of one chunk is hidden from both', async () => {
    const finish =
      'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2}}\n\n'
    const { text, attempt } = await play([`${chunkEvent('a')}${finish}${usageEvent}${done}`])
    expect(dataOf(text).filter((data) => data.includes('usage'))).toEqual([])
    expect(dataOf(text)).toHaveLength(3)
    expect(attempt.reported).toEqual({ input_token: 9n, output_token: 2n })
  })

  it('that is told before output is not all of it: what comes behind is counted, and nothing is final', async () => {
    const early = 'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":0}}\n\n'
    for (const chunks of [
      [early, chunkEvent('a'), chunkEvent('b'), done],
      [`${early}${chunkEvent('a')}${chunkEvent('b')}`, done],
      [`${chunkEvent('z')}${early}${chunkEvent('a')}`, chunkEvent('b'), done],
    ]) {
      const { attempt } = await play(chunks)
      expect(attempt).toMatchObject({ isReportFinal: false, untoldEvents: 2, outcome: 'served' })
    }
    const { text } = await play([early, chunkEvent('a')])
    expect(text).toContain(brokenOff)
    const { attempt } = await play([early, chunkEvent('a'), usageEvent, chunkEvent(''), done])
    expect(attempt).toMatchObject({ isReportFinal: true, reported: { output_token: 2n } })
    expect(attempt.untoldEvents).toBeUndefined()
  })

  it.each([
    ['behind a comment with a brace', `: {\n${usageEvent}`],
    ['behind a name with a brace', `event: {x}\n${usageEvent}`],
    [
      'on two lines',
      'data: {"choices":[],\ndata: "usage":{"prompt_tokens":9,\ndata:"completion_tokens":2}}\n\n',
    ],
  ])('is read and hidden %s', async (_place, event) => {
    const { attempt, text } = await play([chunkEvent('a'), event, done])
    expect(attempt.reported).toEqual({ input_token: 9n, output_token: 2n })
    expect(text).not.toContain('usage')
    const { text: shown } = await play([event, done], { wantsUsage: true })
    expect(JSON.parse(dataOf(shown)[0] ?? '').usage).toMatchObject({
      completion_tokens: 2,
      cost: '0.00000465',
    })
  })

  it('is read behind the byte order mark that a stream may begin with', async () => {
    const { attempt, text } = await play([`\ufeff${usageEvent}`, done])
    expect(attempt.reported).toEqual({ input_token: 9n, output_token: 2n })
    expect(text).not.toContain('usage')
  })

  it('that says nothing does not replace usage that did', async () => {
    const empty = 'data: {"choices":[],"usage":{}}\n\n'
    const { attempt } = await play([chunkEvent('a'), usageEvent, empty, done])
    expect(attempt.reported).toEqual({ input_token: 9n, output_token: 2n })
  })

  it.each([
    ['in the text of an answer', chunkEvent('{"usage":{"prompt_tokens":1,"completion_tokens":1}}')],
    ['as the whole text of an answer', chunkEvent('usage')],
    ['in a nested object', chunkEvent('a', ',"x_groq":{"usage":{"prompt_tokens":1,"completion_tokens":1}}')],
    [
      'in the arguments of a tool',
      chunkEvent('', ',"tool":{"arguments":"{\\"usage\\":{\\"prompt_tokens\\":1}}"}'),
    ],
    ['as a name in an escaped form', chunkEvent('a', ',"us\\u0061ge":{"prompt_tokens":1}')],
  ])('%s is not usage', async (_place, event) => {
    const { attempt, text } = await play([event, done])
    expect(attempt.reported).toBeUndefined()
    expect(text).toBe(event + done)
  })

  it('hides the whole event of a caller who did not ask only when it holds nothing else', async () => {
    const failed = 'data: {"error":{"message":"no"},"usage":{"prompt_tokens":9,"completion_tokens":2}}\n\n'
    const { text, attempt } = await play([chunkEvent('a'), failed])
    expect(JSON.parse(dataOf(text).at(-1) ?? '')).toEqual({ error: { message: 'no' } })
    expect(attempt.reported).toEqual({ input_token: 9n, output_token: 2n })
  })

  it('that was known before the stream began is what the cost in its last event is for', async () => {
    const deaf: Provider = { ...standard, usage: () => undefined }
    const meter = start({ provider: deaf, wantsUsage: true })
    meter.attempt.reported = { input_token: 1_000_000n, output_token: 0n }
    const reading = readText(meter.response)
    meter.upstream.write(Buffer.from(usageEvent + done))
    expect(JSON.parse(dataOf(await reading)[0] ?? '').usage.cost).toBe('0.35')
  })
})

describe('the end of a stream', () => {
  it('waits for the settlement before it says [DONE]', async () => {
    let finish: () => void = () => undefined
    const settled = new Promise<void>((resolve) => {
      finish = resolve
    })
    const meter = start({ settle: () => settled })
    const got: string[] = []
    meter.response.pipe({
      write: (chunk) => got.push(Buffer.from(chunk).toString()) > 0,
      end: () => got.push('end'),
      fail: () => got.push('fail'),
    })
    meter.upstream.write(Buffer.from(chunkEvent('a') + done))
    await new Promise(setImmediate)
    expect(got).toEqual([chunkEvent('a')])
    finish()
    await new Promise(setImmediate)
    expect(got).toEqual([chunkEvent('a'), done, 'end'])
    expect(meter.attempt).toMatchObject({ outcome: 'served', endedMs: 42 })
  })

  it.each([
    ['data: [DONE]\n\n'],
    ['data:[DONE]\n\n'],
    ['data: [DONE]\r\n\r\n'],
    ['data: [DONE]'],
    ['data: [DONE]\n'],
    [': bye\ndata: [DONE]\n\n'],
    ['event: done\ndata: [DONE]\n\n'],
  ])('is recognised as %j and told once', async (last) => {
    const { text, attempt, counts } = await play([chunkEvent('a'), last])
    expect(text).toBe(chunkEvent('a') + done)
    expect(attempt.outcome).toBe('served')
    expect(counts.settled).toBe(1)
  })

  it.each([
    ['in the text of the answer', chunkEvent('[DONE]')],
    ['behind data: in the text of the answer', chunkEvent('data: [DONE]')],
    ['on a line of its own in the text of the answer', chunkEvent('\ndata: [DONE]\n\n')],
  ])('is not seen %s', async (_place, event) => {
    const { text, attempt } = await play([event, chunkEvent('b'), done])
    expect(text).toBe(event + chunkEvent('b') + done)
    expect(attempt.outcome).toBe('served')
  })

  it('is seen in a chunk whose text talks of it too', async () => {
    const { text } = await play([chunkEvent('[DONE]') + done])
    expect(text).toBe(chunkEvent('[DONE]') + done)
  })

  it('drops what follows [DONE], and leaves the connection to end by itself', async () => {
    const { text, counts } = await play([chunkEvent('a') + done, chunkEvent('late'), usageEvent])
    expect(text).toBe(chunkEvent('a') + done)
    expect(counts).toMatchObject({ settled: 1, cancelled: 0 })
  })

  it('is supplied when the provider left it out although it had told the usage', async () => {
    const { text, attempt } = await play([chunkEvent('a'), usageEvent])
    expect(text).toBe(chunkEvent('a') + done)
    expect(attempt.outcome).toBe('served')
  })

  it('is an error when the provider stopped before it told the usage', async () => {
    const { text, attempt, counts } = await play([chunkEvent('a')])
    expect(text).toBe(chunkEvent('a') + brokenOff)
    expect(attempt).toMatchObject({ outcome: 'aborted', failure: { reason: 'reset' } })
    expect(counts.settled).toBe(1)
  })

  it('is an error when the connection broke, also in the middle of an event', async () => {
    const { text, attempt, counts } = await play(
      [chunkEvent('a'), 'data: {"choices":[{"delta":{"content":"ha'],
      {},
      new Error('ECONNRESET'),
    )
    expect(text).toBe(chunkEvent('a') + brokenOff)
    expect(attempt).toMatchObject({ outcome: 'aborted', failure: { reason: 'reset' } })
    expect(counts.settled).toBe(1)
  })

  it('never shows half an event when the provider stopped in the middle of one', async () => {
    const { text } = await play([chunkEvent('a'), 'data: {"choices":[{"delta":{"content":"ha'])
    expect(text).toBe(chunkEvent('a') + brokenOff)
  })

  it('shows a last event that lacks nothing but its blank line', async () => {
    const { text, attempt } = await play([chunkEvent('a'), usageEvent.trimEnd()], { wantsUsage: true })
    expect(dataOf(text)).toHaveLength(3)
    expect(attempt).toMatchObject({ outcome: 'served', reported: { output_token: 2n } })
  })

  it('is not told by a count that runs along, which is all that is known when the stream is cut', async () => {
    const running = (count: number) =>
      chunkEvent('a', `,"usage":{"prompt_tokens":9,"completion_tokens":${count},"total_tokens":${9 + count}}`)
    const { text, attempt } = await play([running(1), running(2)])
    expect(text).toBe(chunkEvent('a') + chunkEvent('a') + brokenOff)
    expect(attempt).toMatchObject({
      outcome: 'aborted',
      isReportFinal: false,
      reported: { input_token: 9n, output_token: 2n },
    })
    const whole = await play([running(1), running(2), usageEvent, done])
    expect(whole.attempt).toMatchObject({ outcome: 'served', isReportFinal: true })
  })

  it('tells of an error at once, however long the settlement takes', async () => {
    const { text, counts } = await play([chunkEvent('a')], { settle: () => new Promise(() => undefined) })
    expect(text).toBe(chunkEvent('a') + brokenOff)
    expect(counts.settled).toBe(1)
  })

  it('comes early, with an error, when one event grows beyond all bounds', async () => {
    const meter = start()
    const reading = readText(meter.response)
    meter.upstream.write(Buffer.from('data: '))
    for (let sent = 0; sent <= 9; sent += 1) meter.upstream.write(Buffer.alloc(1024 * 1024, 'x'))
    expect(await reading).toBe(brokenOff)
    expect(meter.counts).toMatchObject({ settled: 1, cancelled: 1 })
    expect(meter.attempt.outcome).toBe('aborted')
  })
})

describe('an error in the middle of a stream', () => {
  const errors: readonly (readonly [string, string])[] = [
    ['OpenAI', 'data: {"error":{"message":"m","type":"server_error","param":null,"code":null}}\n\n'],
    ['Groq', 'event: error\ndata: {"error":{"message":"m","code":"tool_use_failed","status_code":400}}\n\n'],
    [
      'Cerebras',
      'data: {"error":{"message":"m","type":"t","param":"p","code":"c","id":""},"status_code":429}\n\n',
    ],
    ['OpenRouter', chunkEvent('', ',"error":{"code":502,"message":"m"}')],
    ['TGI', 'event: error\ndata: {"error":"m","error_type":"generation"}\n\n'],
  ]

  it.each(errors)('of %s is handed on as the last event, and settled once', async (_who, event) => {
    const { text, attempt, counts } = await play([chunkEvent('a'), event])
    expect(text).toBe(chunkEvent('a') + event)
    expect(attempt).toMatchObject({ outcome: 'aborted', failure: { reason: 'reset' } })
    expect(counts.settled).toBe(1)
  })

  it.each(errors)('of %s is not followed by [DONE], also if the provider wrote one', async (_who, event) => {
    const { text, attempt, counts } = await play([chunkEvent('a') + event + done])
    expect(text).toBe(chunkEvent('a') + event)
    expect(attempt).toMatchObject({ outcome: 'aborted', failure: { reason: 'reset' } })
    expect(counts.settled).toBe(1)
  })

  it('is none when the member is null or only named in the text', async () => {
    const { attempt, text } = await play([chunkEvent('error', ',"error":null'), chunkEvent('"error"'), done])
    expect(attempt.outcome).toBe('served')
    expect(text.endsWith(done)).toBe(true)
  })

  it('keeps the usage that came with it or before it', async () => {
    const { attempt } = await play([usageEvent, errors[0]?.[1] ?? ''])
    expect(attempt).toMatchObject({ outcome: 'aborted', reported: { input_token: 9n, output_token: 2n } })
  })
})

describe('a caller who leaves', () => {
  const stream = fixture('cerebras.stream.sse').toString()
  const events = stream.split(/(?<=\n\n)/)

  it.each(events.map((_, index) => [index] as const))(
    'before event %i has the provider stopped and the request settled once',
    async (index) => {
      const meter = start()
      const iterator = meter.response[Symbol.asyncIterator]()
      for (const event of events.slice(0, index)) {
        meter.upstream.write(Buffer.from(event))
        await iterator.next()
      }
      await iterator.return?.()
      for (const event of events.slice(index)) meter.upstream.write(Buffer.from(event))
      meter.upstream.end()
      await new Promise(setImmediate)
      expect(meter.counts).toMatchObject({ settled: 1, cancelled: 1 })
      expect(meter.attempt).toMatchObject({ outcome: 'aborted', endedMs: 42 })
      expect(meter.attempt.failure).toBeUndefined()
      expect(meter.attempt.outputEvents).toBe(index)
      // Usage that had been told by then is known exactly; otherwise it stays unknown, which is not zero.
      expect(meter.attempt.reported === undefined).toBe(index < 4)
    },
  )

  it('is not the provider’s failure, though its connection is cut, and a read that still waits comes to an end', async () => {
    const meter = start({ signal: AbortSignal.abort() })
    const iterator = meter.response[Symbol.asyncIterator]()
    const waiting = iterator.next().catch((error: unknown) => error)
    meter.upstream.fail(new Error('The exchange was given up.'))
    expect(meter.counts).toMatchObject({ settled: 1 })
    expect(meter.attempt).toMatchObject({ outcome: 'aborted', endedMs: 42 })
    expect(meter.attempt.failure).toBeUndefined()
    expect(await waiting).toBeInstanceOf(Error)
    meter.response.cancel()
    expect(meter.counts).toMatchObject({ settled: 1 })
  })

  it('while the end is settled changes nothing, and is settled no second time', async () => {
    const meter = start({ settle: () => new Promise(setImmediate) })
    const iterator = meter.response[Symbol.asyncIterator]()
    meter.upstream.write(Buffer.from(stream))
    await iterator.return?.()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(meter.counts).toMatchObject({ settled: 1, cancelled: 0 })
    expect(meter.attempt.outcome).toBe('served')
  })

  it('before anything was read at all still ends the reservation', () => {
    const meter = start()
    meter.response.cancel()
    meter.response.cancel()
    meter.upstream.fail(new Error('late'))
    expect(meter.counts).toMatchObject({ settled: 1, cancelled: 1 })
  })
})

it('passes comments on and counts the events that may hold output', async () => {
  const comment = ': OPENROUTER PROCESSING\n\n'
  const { text, attempt } = await play([comment, chunkEvent('a'), comment, chunkEvent('b'), usageEvent, done])
  expect(text).toBe(comment + chunkEvent('a') + comment + chunkEvent('b') + done)
  expect(attempt.outputEvents).toBeGreaterThanOrEqual(2)
})

it('lets the provider wait while the caller does, and go on when the caller does', async () => {
  const meter = start()
  const got: string[] = []
  meter.response.pipe({
    write: (chunk) => {
      got.push(Buffer.from(chunk).toString())
      return false
    },
    end: () => got.push('end'),
    fail: () => got.push('fail'),
  })
  meter.counts.resumed = 0
  expect(meter.upstream.write(Buffer.from(chunkEvent('a')))).toBe(false)
  expect(meter.upstream.write(Buffer.from(chunkEvent('b')))).toBe(false)
  expect(got).toEqual([chunkEvent('a')])
  expect(meter.counts.resumed).toBe(0)
  meter.response.resume()
  expect(got).toEqual([chunkEvent('a'), chunkEvent('b')])
  meter.response.resume()
  expect(meter.counts.resumed).toBe(1)
})

it('asks for more while nothing of what came could be shown', () => {
  const meter = start()
  meter.response.pipe({ write: () => true, end: () => undefined, fail: () => undefined })
  expect(meter.upstream.write(Buffer.from('data: {"ch'))).toBe(true)
  expect(meter.upstream.write(Buffer.from(`oices":[],"usage":{"prompt_tokens":1}}\n\n`))).toBe(true)
})

it('settles exactly once whatever the provider and the caller do, in whatever order', async () => {
  const pieces = [chunkEvent('a'), usageEvent, done, 'data: {"error":{}}\n\n', 'data: {"cut', ': ping\n\n']
  const steps = fc.array(fc.constantFrom(...pieces, 'END', 'FAIL', 'LEAVE'), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(steps, fc.boolean(), async (script, wantsUsage) => {
      const meter = start({ wantsUsage })
      meter.response.pipe({ write: () => true, end: () => undefined, fail: () => undefined })
      for (const step of script) {
        if (step === 'END') meter.upstream.end()
        else if (step === 'FAIL') meter.upstream.fail(new Error('broken'))
        else if (step === 'LEAVE') meter.response.cancel()
        else meter.upstream.write(Buffer.from(step))
      }
      meter.response.cancel()
      await new Promise(setImmediate)
      expect(meter.counts.settled).toBe(1)
      expect(meter.counts.cancelled).toBeLessThanOrEqual(1)
      expect(['served', 'aborted']).toContain(meter.attempt.outcome)
    }),
    { numRuns: 200 },
  )
})

it('takes an account’s own key out of errors in the stream, and looks at nothing else', async () => {
  const key = 'own-key-0123456789'
  const looked: string[] = []
  const { upstream, response } = start({
    hide: (text) => {
      looked.push(text)
      return text.replaceAll(key, '[key]')
    },
  })
  const read = readText(response)
  const failed = `data: {"error":{"message":"é ${key}"}}\n\n`
  upstream.write(Buffer.from(chunkEvent('a')))
  upstream.write(Buffer.from(failed.slice(0, 40)))
  upstream.write(Buffer.from(failed.slice(40)))
  upstream.end()

  const text = await read
  expect(text).toContain('"é [key]"')
  expect(text).not.toContain(key)
  expect(looked).toHaveLength(1)
})
