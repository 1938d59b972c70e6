import { createConnection } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { faultOfModel } from './faults.ts'
import { type Fault, type ProviderName, type Simulator, startSimulator } from './index.ts'

let simulator: Simulator
beforeEach(async () => {
  simulator = await startSimulator()
})
afterEach(() => simulator.close())

const chatProviders = ['cerebras', 'together'] as const
type ChatProvider = (typeof chatProviders)[number]

async function ask(provider: ChatProvider, body: object, signal?: AbortSignal): Promise<Response> {
  const usage = { stream_options: { include_usage: true } }
  const messages = [{ role: 'user', content: 'say 10 tokens' }]
  return fetch(`${simulator.baseUrl(provider)}/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer key' },
    body: JSON.stringify({ model: 'sim/ok', messages, ...usage, ...body }),
    ...(signal === undefined ? {} : { signal }),
  })
}

/** Everything read until the stream ended or broke. */
async function drain(response: Response): Promise<{ text: string; isBroken: boolean }> {
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const part of response.body ?? []) text += decoder.decode(part as Uint8Array, { stream: true })
    return { text, isBroken: false }
  } catch {
    return { text, isBroken: true }
  }
}

async function play(provider: ChatProvider, model: string): Promise<{ text: string; isBroken: boolean }> {
  return drain(await ask(provider, { model, stream: true }))
}

function contentEvents(text: string): number {
  return text.match(/"content":"[^"]/g)?.length ?? 0
}

/** Prompt of 4 tokens, then so many out, at the price of the first chat model. */
function cost(provider: ProviderName, output: number): bigint {
  return provider === 'cerebras' ? 4n * 350n + BigInt(output) * 750n : 4n * 150n + BigInt(output) * 600n
}

describe('faultOfModel', () => {
  it('reads the kind and its first number', () => {
    expect(faultOfModel('sim/status-429')).toEqual({ kind: 'status', status: 429 })
    expect(faultOfModel('sim/truncate-3')).toEqual({ kind: 'truncate', afterChunks: 3 })
    expect(faultOfModel('sim/slow-200')).toEqual({ kind: 'slow', firstTokenMs: 200 })
    expect(faultOfModel('sim/slow-job-4')).toEqual({ kind: 'slow-job', polls: 4 })
    expect(faultOfModel('sim/no-usage')).toEqual({ kind: 'no-usage' })
    expect(faultOfModel('sim/no-usage-embeddings')).toEqual({ kind: 'no-usage' })
  })

  it('finds none in other names', () => {
    for (const model of ['sim/ok', 'sim/', 'openai/hang', 'sim/hanging', undefined]) {
      expect(faultOfModel(model)).toBeUndefined()
    }
  })
})

describe.each(chatProviders)('faults before an answer at %s', (provider) => {
  it.each([400, 401, 402, 403, 404, 422, 429, 500, 503])(
    'refuses with %i in its own shape, at no cost',
    async (status) => {
      const response = await ask(provider, { model: `sim/status-${status}` })
      expect(response.status).toBe(status)
      const error = { message: expect.any(String), type: expect.any(String) }
      expect(await response.json()).toMatchObject(provider === 'cerebras' ? error : { error })
      if (status === 429) {
        const hint = provider === 'cerebras' ? 'retry-after' : 'x-ratelimit-reset'
        expect(response.headers.get(hint)).toBe('1')
      }
      expect(simulator.served).toHaveLength(0)
      expect(simulator.requests).toHaveLength(1)
    },
  )

  it('takes the body and headers of a status from the script', async () => {
    simulator.script(provider, [
      { kind: 'status', status: 503, body: 'busy', headers: { 'retry-after': '7' } },
    ])
    const response = await ask(provider, {})
    expect(response.headers.get('retry-after')).toBe('7')
    expect(await response.text()).toBe('busy')
    expect((await ask(provider, {})).status).toBe(200)
  })

  it('answers with a page, nothing, or an error in a success', async () => {
    const page = await ask(provider, { model: 'sim/html-504' })
    expect(page.status).toBe(504)
    expect(page.headers.get('content-type')).toBe('text/html')
    const empty = await ask(provider, { model: 'sim/empty' })
    expect([empty.status, await empty.text()]).toEqual([200, ''])
    const spoiled = await ask(provider, { model: 'sim/error-in-200' })
    expect(spoiled.status).toBe(200)
    expect(await spoiled.text()).toContain('"message"')
    expect((await play(provider, 'sim/error-in-200')).text).toMatch(/^data: \{"error":/)
    expect(simulator.served).toHaveLength(0)
  })

  it.each(['reset', 'close-mid-headers'])('breaks the connection: %s', async (kind) => {
    await expect(ask(provider, { model: `sim/${kind}` })).rejects.toThrow('fetch failed')
    await simulator.idle()
    expect(simulator.served).toHaveLength(0)
  })

  it('hangs until the client leaves', async () => {
    const controller = new AbortController()
    const asked = ask(provider, { model: 'sim/hang' }, controller.signal)
    await expect.poll(() => simulator.requests.length).toBe(1)
    expect(simulator.activeRequests()).toBe(1)
    controller.abort()
    await expect(asked).rejects.toThrow()
    await simulator.idle()
    expect(simulator.activeRequests()).toBe(0)
    expect(simulator.served).toHaveLength(0)
  })
})

describe.each(chatProviders)('faults of a stream at %s', (provider) => {
  it('truncates after the chunks it is told, and bills what was written', async () => {
    const { text, isBroken } = await play(provider, 'sim/truncate-4')
    expect(isBroken).toBe(true)
    expect(contentEvents(text)).toBe(4)
    await simulator.idle()
    expect(simulator.served).toMatchObject([
      { usage: { completion_tokens: 4 }, outcome: 'failed', costNanoUsd: cost(provider, 4) },
    ])
  })

  it('ends early without a finish', async () => {
    const { text, isBroken } = await play(provider, 'sim/end-early-2')
    expect(isBroken).toBe(false)
    expect(contentEvents(text)).toBe(2)
    expect(text).not.toContain('[DONE]')
    expect(text).not.toContain('"stop"')
    expect(simulator.served).toMatchObject([{ outcome: 'failed', costNanoUsd: cost(provider, 2) }])
  })

  it('cuts at the end of an answer that is shorter than the number of chunks', async () => {
    const { text } = await play(provider, 'sim/end-early-99')
    expect(contentEvents(text)).toBe(10)
    expect(text).not.toContain('"stop"')
    expect(simulator.served).toMatchObject([{ outcome: 'failed', costNanoUsd: cost(provider, 10) }])
  })

  it('sends an error event in the middle', async () => {
    const { text } = await play(provider, 'sim/error-event-0')
    const events = text.trimEnd().split('\n\n')
    expect(events.at(-1)).toMatch(/^data: \{"error":\{"message":/)
    expect(simulator.served).toMatchObject([{ outcome: 'failed', costNanoUsd: cost(provider, 0) }])
  })

  it('sends a line that is not JSON and goes on', async () => {
    const { text } = await play(provider, 'sim/malformed-1')
    const events = text.trimEnd().split('\n\n').slice(0, -1)
    const broken = events.filter((event) => {
      try {
        return JSON.parse(event.slice('data: '.length)) === undefined
      } catch {
        return true
      }
    })
    expect(broken).toHaveLength(1)
    expect(contentEvents(text)).toBe(10)
    expect(simulator.served).toMatchObject([{ outcome: 'complete', costNanoUsd: cost(provider, 10) }])
  })

  it('stalls after the chunks it is told, and bills them when the client leaves', async () => {
    const controller = new AbortController()
    const response = await ask(provider, { model: 'sim/stall-3', stream: true }, controller.signal)
    let text = ''
    for await (const part of response.body ?? []) {
      text += Buffer.from(part as Uint8Array).toString()
      if (contentEvents(text) === 3) break
    }
    controller.abort()
    await simulator.idle()
    expect(simulator.served).toMatchObject([{ outcome: 'aborted', costNanoUsd: cost(provider, 3) }])
  })

  it('never ends until the client leaves, and bills what was written', async () => {
    const controller = new AbortController()
    const response = await ask(provider, { model: 'sim/never-ending', stream: true }, controller.signal)
    let text = ''
    for await (const part of response.body ?? []) {
      text += Buffer.from(part as Uint8Array).toString()
      if (contentEvents(text) >= 15) break
    }
    controller.abort()
    await simulator.idle()
    const [served] = simulator.served
    expect(served).toMatchObject({ outcome: 'aborted' })
    const { completion_tokens: tokens = 0 } = served?.usage ?? {}
    expect(tokens).toBeGreaterThanOrEqual(contentEvents(text))
    expect(served?.costNanoUsd).toBe(cost(provider, tokens))
  })

  it('omits, zeroes, nulls or repeats usage', async () => {
    expect((await play(provider, 'sim/no-usage')).text).not.toContain('"usage"')
    expect((await play(provider, 'sim/zero-usage')).text).toContain('"completion_tokens":0,"total_tokens":0')
    expect((await play(provider, 'sim/usage-null')).text).not.toContain('"completion_tokens"')
    const { text } = await play(provider, 'sim/duplicate-usage')
    expect(text.match(/"completion_tokens":10/g)).toHaveLength(3)
    expect(text).toContain('"choices":[]')
    expect(simulator.served.map(({ costNanoUsd }) => costNanoUsd)).toEqual(Array(4).fill(cost(provider, 10)))
  })

  it('separates lines by CRLF, or puts comments between events', async () => {
    const crlf = (await play(provider, 'sim/crlf')).text
    expect(crlf.replaceAll('\r\n', '')).not.toContain('\n')
    expect(crlf).toContain('\r\n\r\n')
    expect((await play(provider, 'sim/comments')).text).toContain(': keep-alive\n\ndata: ')
  })

  it('splits writes inside lines and characters', async () => {
    const response = await ask(provider, { model: 'sim/split', stream: true })
    const parts: Buffer[] = []
    for await (const part of response.body ?? []) parts.push(Buffer.from(part as Uint8Array))
    const text = Buffer.concat(parts).toString()
    expect(text).toMatch(/[^\p{ASCII}]/u)
    expect(text.trimEnd().split('\n\n').at(-1)).toBe('data: [DONE]')
    const isInsideCharacter = parts.some((part) => ((part[0] ?? 0) & 0xc0) === 0x80)
    expect(isInsideCharacter).toBe(true)
  })

  it('is slow when told to', async () => {
    simulator.script(provider, [{ kind: 'slow', firstTokenMs: 30, tokenMs: 1 }])
    const startedAt = performance.now()
    await drain(await ask(provider, { stream: true }))
    expect(performance.now() - startedAt).toBeGreaterThan(30)
  })
})

describe.each(chatProviders)('faults of a whole answer at %s', (provider) => {
  it.each([
    [{ kind: 'truncate' }, true],
    [{ kind: 'end-early' }, false],
    [{ kind: 'malformed' }, false],
  ] satisfies [Fault, boolean][])('spoils the body of a billed answer: $kind', async (fault, isBroken) => {
    simulator.script(provider, [fault])
    const read = await drain(await ask(provider, {}))
    expect(read.isBroken).toBe(isBroken)
    expect(() => JSON.parse(read.text)).toThrow()
    expect(simulator.served).toMatchObject([{ outcome: 'complete', costNanoUsd: cost(provider, 10) }])
  })

  it('splits the body inside characters', async () => {
    const response = await ask(provider, { model: 'sim/split' })
    const parts: Buffer[] = []
    for await (const part of response.body ?? []) parts.push(Buffer.from(part as Uint8Array))
    expect(parts.some((part) => ((part[0] ?? 0) & 0xc0) === 0x80)).toBe(true)
    expect(JSON.parse(Buffer.concat(parts).toString())).toHaveProperty('usage')
  })

  it('generates without end until the client leaves', async () => {
    const controller = new AbortController()
    const asked = ask(provider, { model: 'sim/never-ending' }, controller.signal)
    await expect.poll(() => simulator.requests.length).toBe(1)
    controller.abort()
    await expect(asked).rejects.toThrow()
    await simulator.idle()
    expect(simulator.served).toMatchObject([{ outcome: 'aborted', usage: { prompt_tokens: 4 } }])
  })

  it('omits, zeroes or nulls usage', async () => {
    const body = async (model: string): Promise<unknown> => (await ask(provider, { model })).json()
    expect(await body('sim/no-usage')).not.toHaveProperty('usage')
    expect(await body('sim/zero-usage')).toMatchObject({ usage: { prompt_tokens: 0, completion_tokens: 0 } })
    expect(await body('sim/usage-null')).toMatchObject({ usage: null })
  })

  it('plays a standing fault until it is cleared, and a script before it', async () => {
    simulator.fault(provider, { kind: 'status', status: 500 })
    simulator.script(provider, [undefined, { kind: 'status', status: 503 }])
    const statuses: number[] = []
    for (let count = 0; count < 4; count += 1) statuses.push((await ask(provider, {})).status)
    simulator.fault(provider, undefined)
    statuses.push((await ask(provider, {})).status)
    expect(statuses).toEqual([200, 503, 500, 500, 200])
  })
})

describe('a client that breaks the protocol', () => {
  it('does not disturb the others', async () => {
    await new Promise<void>((resolve) => {
      const socket = createConnection(Number(new URL(simulator.url).port), '127.0.0.1')
      socket.on('close', () => resolve())
      socket.on('error', () => undefined)
      socket.write('NONSENSE\r\n\r\n')
    })
    expect((await ask('cerebras', {})).status).toBe(200)
  })
})
