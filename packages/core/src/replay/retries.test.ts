import { describe, expect, it } from 'vitest'
import { type FakeClock, fakeClock } from '../clock.ts'
import { ByteStream } from '../http/byte-stream.ts'
import { Caller } from '../http/caller.ts'
import type { CallerSignal, GatewayResponse } from '../http/exchange.ts'
import { createRetries, type Retries, type Tried } from './retries.ts'

const retryMs = 2_000
const mebibyte = 1024 * 1024

describe('a retry whose earlier try was left', () => {
  it('gets the answer of the run that is under way, and nothing is run again', async () => {
    const { retries } = rig()
    const first = sent(retries, 0)
    first.caller.leave()
    const retry = sent(retries, 1)
    first.run.finish(answered('1'))

    expect(retry.run.starts).toBe(0)
    expect(await retry.answer).toEqual({
      status: 200,
      headers: { 'x-request-id': '1', 'idempotent-replayed': 'true' },
      body: '1',
    })
    await expect(first.answer).rejects.toMatchObject({ code: 'client_closed', status: 499 })
    expect(first.run.signal?.aborted).toBe(false)
  })

  it('gets a whole answer that came meanwhile, up to a minute later', async () => {
    for (const [waitMs, starts] of [
      [59_999, 0],
      [60_000, 1],
    ] as const) {
      const { retries, clock } = rig()
      const first = sent(retries, 0)
      first.caller.leave()
      clock.advance(1_000)
      first.run.finish(answered('1'))
      await expect(first.answer).rejects.toMatchObject({ code: 'client_closed' })
      clock.advance(waitMs)
      const retry = sent(retries, 1)
      retry.run.finish(answered('2'))

      expect(await retry.answer).toMatchObject({ body: starts === 0 ? '1' : '2' })
      expect(retry.run.starts).toBe(starts)
    }
  })

  it('gets a stream that has begun meanwhile, from its first byte', async () => {
    const { retries } = rig()
    const first = sent(retries, 0)
    const { source, response, isPaused } = streaming()
    first.caller.leave()
    source.write(Buffer.from('one '))
    first.run.finish(response)
    await expect(first.answer).rejects.toMatchObject({ code: 'client_closed' })
    expect(isPaused()).toBe(true)
    const given = await sent(retries, 1).answer
    source.write(Buffer.from('two'))
    source.end()

    expect(given.headers['idempotent-replayed']).toBe('true')
    expect(await readAll(given)).toBe('one two')
  })

  it('gets its error as any other, and the next retry is a new run', async () => {
    const { retries } = rig()
    const first = sent(retries, 0)
    first.caller.leave()
    const retry = sent(retries, 1)
    first.run.fail(new Error('no provider could serve'))
    await expect(retry.answer).rejects.toThrow('no provider could serve')
    await expect(first.answer).rejects.toMatchObject({ code: 'client_closed' })

    const next = sent(retries, 2)
    next.run.finish(answered('3'))
    expect((await next.answer).body).toBe('3')
  })

  it('leaves it to the next retry when its caller leaves as well', async () => {
    const { retries } = rig()
    const first = sent(retries, 0)
    first.caller.leave()
    const second = sent(retries, 1)
    second.caller.leave()
    const third = sent(retries, 2)
    first.run.finish(answered('1'))

    await expect(second.answer).rejects.toMatchObject({ code: 'client_closed' })
    expect((await third.answer).body).toBe('1')
    expect([second.run.starts, third.run.starts]).toEqual([0, 0])
  })

  it('may be a later one than the next: those between were refused, or came to another process', async () => {
    const { retries } = rig()
    const first = sent(retries, 0)
    first.caller.leave()
    const third = sent(retries, 2)
    first.run.finish(answered('1'))
    expect((await third.answer).body).toBe('1')
  })
})

describe('a new run', () => {
  it('is every first try, whatever was left before it', async () => {
    const { retries } = rig()
    const first = sent(retries, 0)
    first.caller.leave()
    expect(sent(retries, 0).run.starts).toBe(1)
  })

  it('is a retry while the caller of the try before it is there, and when it was answered', async () => {
    const { retries } = rig()
    const first = sent(retries, 0)
    expect(sent(retries, 1).run.starts).toBe(1)
    first.run.finish(answered('1'))
    await first.answer
    expect(sent(retries, 1).run.starts).toBe(1)
  })

  it('is a retry of something else', () => {
    const { retries } = rig()
    sent(retries, 0).caller.leave()
    expect(sent(retries, 1, { fingerprint: 'something else' }).run.starts).toBe(1)
  })

  it('is a try that counts no higher than the one that was left', () => {
    const { retries } = rig()
    sent(retries, 1).caller.leave()
    expect(sent(retries, 1).run.starts).toBe(1)
  })

  it('is a retry of a try that failed, before and after its caller left', async () => {
    const { retries } = rig()
    for (const hasLeft of [false, true]) {
      const first = sent(retries, 0)
      if (hasLeft) first.caller.leave()
      first.run.fail(new Error('no credit'))
      await expect(first.answer).rejects.toThrow('no credit')
      expect(sent(retries, 1).run.starts).toBe(1)
    }
  })

  it('is the second of two retries: what one left goes to one', async () => {
    const { retries } = rig()
    const first = sent(retries, 0)
    first.caller.leave()
    const retry = sent(retries, 1)
    const other = sent(retries, 1)
    first.run.finish(answered('1'))
    other.run.finish(answered('2'))
    expect((await retry.answer).body).toBe('1')
    expect((await other.answer).body).toBe('2')
  })

  it('is a try whose caller has gone before it began', async () => {
    const { retries } = rig()
    sent(retries, 0).caller.leave()
    const gone = new Caller()
    gone.leave()
    const late = sent(retries, 1, {}, gone)
    expect(late.run.signal).toBe(gone)
  })
})

it('as many identical tries as were left are given to as many retries, the first one first', async () => {
  const { retries } = rig()
  const tries = [1, 2, 3].map(() => sent(retries, 0))
  for (const { caller } of tries) caller.leave()
  const taken = [1, 2, 3].map(() => sent(retries, 1))
  for (const [index, { run }] of tries.entries()) run.finish(answered(String(index)))

  expect(await Promise.all(taken.map(async ({ answer }) => (await answer).body))).toEqual(['0', '1', '2'])
  expect(taken.map(({ run }) => run.starts)).toEqual([0, 0, 0])
})

it('a retry prefers the latest try that was left', async () => {
  const { retries } = rig()
  const first = sent(retries, 0)
  const second = sent(retries, 1)
  first.caller.leave()
  second.caller.leave()
  const third = sent(retries, 2)
  second.run.finish(answered('2'))
  expect((await third.answer).body).toBe('2')
})

describe('a run that was left', () => {
  it.each([
    [0, 500],
    [1, 1_000],
    [2, 2_000],
    [3, 4_000],
    [4, 8_000],
    [5, 8_000],
    [99, 8_000],
  ])('by try %i is given up when its SDK has paused for %i ms and no retry came', async (count, pauseMs) => {
    const { retries, clock } = rig()
    const first = sent(retries, count)
    first.caller.leave()
    clock.advance(pauseMs + retryMs - 1)
    expect(first.run.signal?.aborted).toBe(false)
    clock.advance(1)
    expect(first.run.signal?.aborted).toBe(true)
    first.run.fail(new Error('aborted'))
    await expect(first.answer).rejects.toThrow('aborted')
    expect(sent(retries, count + 1).run.starts).toBe(1)
  })

  it('and taken up is not given up', async () => {
    const { retries, clock } = rig()
    const first = sent(retries, 0)
    first.caller.leave()
    const retry = sent(retries, 1)
    clock.advance(600_000)
    expect(first.run.signal?.aborted).toBe(false)
    first.run.finish(answered('1'))
    expect((await retry.answer).body).toBe('1')
  })

  it('stops its stream when it is given up', async () => {
    const { retries, clock } = rig()
    const first = sent(retries, 0)
    const { source, response, isCancelled } = streaming()
    first.caller.leave()
    source.write(Buffer.from('one'))
    first.run.finish(response)
    await expect(first.answer).rejects.toMatchObject({ code: 'client_closed' })
    clock.advance(499 + retryMs)
    expect(isCancelled()).toBe(false)
    clock.advance(1)
    expect(isCancelled()).toBe(true)
    expect(sent(retries, 1).run.starts).toBe(1)
  })

  it('ends at once when the caller left behind the head of a stream', async () => {
    const { retries } = rig()
    const first = sent(retries, 0)
    first.run.finish(streaming().response)
    await first.answer
    first.caller.leave()
    expect(first.run.signal?.aborted).toBe(true)
    expect(sent(retries, 1).run.starts).toBe(1)
  })

  it('is kept when the caller left before all of a whole answer was written', async () => {
    const { retries } = rig()
    const first = sent(retries, 0)
    first.run.finish(answered('1'))
    await first.answer
    first.caller.leave()
    const retry = sent(retries, 1)
    expect((await retry.answer).body).toBe('1')
    retry.caller.leave()
    expect((await sent(retries, 2).answer).body).toBe('1')
  })

  it('is not kept behind a whole answer where nobody knows what a signal says then', async () => {
    const { retries } = rig()
    const controller = new AbortController()
    const first = sent(retries, 0, {}, controller.signal)
    first.run.finish(answered('1'))
    await first.answer
    controller.abort()
    expect(sent(retries, 1).run.starts).toBe(1)
  })
})

describe('what is left behind is bounded:', () => {
  it('the 1,001st run ends with its caller', () => {
    const { retries } = rig()
    const tries = Array.from({ length: 1_001 }, (_, index) => {
      const one = sent(retries, 0, { fingerprint: String(index) })
      one.caller.leave()
      return one
    })
    expect(tries.findIndex(({ run }) => run.signal?.aborted)).toBe(1_000)
    sent(retries, 1, { fingerprint: '7' })
    const again = sent(retries, 0)
    again.caller.leave()
    expect(again.run.signal?.aborted).toBe(false)
  })

  it('request bodies of 64 MiB, and one byte more ends with its caller', () => {
    const { retries } = rig()
    const left = (bytes: number) => {
      const one = sent(retries, 0, { bytes })
      one.caller.leave()
      return one.run.signal?.aborted
    }
    expect([left(63 * mebibyte), left(mebibyte + 1), left(mebibyte), left(1)]).toEqual([
      false,
      true,
      false,
      true,
    ])
  })

  it('answers count as well, and those that are too large are not kept', async () => {
    const { retries, clock } = rig({ bytesMax: 40 * mebibyte })
    const leftWith = async (answerBytes: number) => {
      const first = sent(retries, 0)
      first.caller.leave()
      first.run.finish({ ...answered('1'), body: Buffer.alloc(answerBytes) })
      await expect(first.answer).rejects.toMatchObject({ code: 'client_closed' })
    }
    await leftWith(40 * mebibyte + 1)
    expect(sent(retries, 1).run.starts).toBe(1)
    await leftWith(40 * mebibyte)
    await leftWith(40 * mebibyte)
    expect([sent(retries, 1), sent(retries, 1)].map(({ run }) => run.starts)).toEqual([0, 1])
    // What was taken or is past its time makes room again.
    await leftWith(40 * mebibyte)
    clock.advance(60_000)
    await leftWith(40 * mebibyte)
    expect(sent(retries, 1).run.starts).toBe(0)
  })
})

describe('closing', () => {
  it('gives up what was left behind, and keeps what still has a reader', async () => {
    const { retries } = rig()
    const [running, streamed, read] = [sent(retries, 0), sent(retries, 0), sent(retries, 0)]
    const { response, isCancelled } = streaming()
    running.caller.leave()
    streamed.caller.leave()
    streamed.run.finish(response)
    await expect(streamed.answer).rejects.toMatchObject({ code: 'client_closed' })
    retries.close()

    expect(running.run.signal?.aborted).toBe(true)
    expect(isCancelled()).toBe(true)
    expect(read.run.signal?.aborted).toBe(false)
    read.caller.leave()
    expect(read.run.signal?.aborted).toBe(true)
  })
})

it('recognises nothing and stands in nobody’s way when the time for it is 0', () => {
  const { retries } = rig({ retryMs: 0 })
  const first = sent(retries, 0)
  expect(first.run.signal).toBe(first.caller)
  first.caller.leave()
  expect(sent(retries, 1).run.starts).toBe(1)
})

it('asks what a request is only when somebody has left', async () => {
  const { retries } = rig()
  let asked = 0
  const fingerprint = () => {
    asked += 1
    return 'what is asked'
  }
  const tried = (count: number): Tried => ({ count, bytes: 1, fingerprint })
  await retries.run(tried(0), new Caller(), async () => answered('1'))
  await retries.run(tried(1), new Caller(), async () => answered('2'))
  expect(asked).toBe(0)
})

function rig(options: { retryMs?: number; bytesMax?: number } = {}): { retries: Retries; clock: FakeClock } {
  const clock = fakeClock(0)
  return { retries: createRetries({ clock, retryMs, bytesMax: mebibyte, ...options }), clock }
}

interface Sent<Signal> {
  readonly caller: Signal
  readonly answer: Promise<GatewayResponse>
  /** The run that it may have started. */
  readonly run: ReturnType<typeof startable>
}

function sent(retries: Retries, count: number, tried?: Partial<Named>): Sent<Caller>
function sent<Signal extends CallerSignal>(
  retries: Retries,
  count: number,
  tried: Partial<Named>,
  caller: Signal,
): Sent<Signal>
function sent(
  retries: Retries,
  count: number,
  { fingerprint = 'what is asked', bytes = 100 }: Partial<Named> = {},
  caller: CallerSignal = new Caller(),
): Sent<CallerSignal> {
  const run = startable()
  const answer = retries.run({ count, bytes, fingerprint: () => fingerprint }, caller, run.start)
  // Most tries of a test are nobody's to wait for.
  answer.catch(() => undefined)
  return { caller, answer, run }
}

interface Named {
  readonly fingerprint: string
  readonly bytes: number
}

function startable() {
  let starts = 0
  let given: CallerSignal | undefined
  let finish: (response: GatewayResponse) => void = () => undefined
  let fail: (error: Error) => void = () => undefined
  return {
    start(signal: CallerSignal): Promise<GatewayResponse> {
      starts += 1
      given = signal
      return new Promise((resolve, reject) => {
        finish = resolve
        fail = reject
      })
    },
    get starts() {
      return starts
    },
    get signal() {
      return given
    },
    finish: (response: GatewayResponse) => finish(response),
    fail: (error: Error) => fail(error),
  }
}

function answered(text: string): GatewayResponse {
  return { status: 200, headers: { 'x-request-id': text }, body: text }
}

function streaming() {
  let isCancelled = false
  let hasBeenResumed = false
  const source = new ByteStream({
    onResume: () => {
      hasBeenResumed = true
    },
    onCancel: () => {
      isCancelled = true
    },
  })
  const response: GatewayResponse = { status: 200, headers: {}, body: source }
  return { source, response, isCancelled: () => isCancelled, isPaused: () => !hasBeenResumed }
}

async function readAll({ body }: GatewayResponse): Promise<string> {
  let text = ''
  for await (const chunk of body as ByteStream) text += Buffer.from(chunk).toString()
  return text
}
