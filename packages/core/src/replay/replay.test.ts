import { describe, expect, it } from 'vitest'
import { type FakeClock, fakeClock } from '../clock.ts'
import { ByteStream } from '../http/byte-stream.ts'
import type { CallerSignal, GatewayResponse } from '../http/exchange.ts'
import type { KeyStore } from '../ledger/key-store.ts'
import { memoryKeys } from '../ledger/memory-keys.ts'
import { OutcomeUnknown } from '../ledger/storage.ts'
import { type AskedOnce, createReplay, patientCaller, type Replay } from './replay.ts'
import { answerName, createAnswerStore } from './stored-answer.ts'

const asked: AskedOnce = {
  accountId: 'alice',
  memberId: undefined,
  key: 'key-1',
  fingerprint: 'what was asked',
  requestId: 'req-1',
}

const answered: GatewayResponse = { status: 200, headers: { 'x-request-id': 'req-1' }, body: '{"n":1}' }

describe('a request with an idempotency key', () => {
  it('runs once, and gives the same status, headers and bytes to a repeat', async () => {
    const { replay } = rig()
    expect(await replay.once(asked, patientCaller, async () => answered)).toBe(answered)

    const again = await replay.once({ ...asked, requestId: 'req-2' }, patientCaller, mustNotRun)

    expect(again.status).toBe(200)
    expect(again.headers).toEqual({ 'x-request-id': 'req-1', 'idempotent-replayed': 'true' })
    expect(String(again.body)).toBe('{"n":1}')
  })

  it('keeps bytes that are no text, over several documents', async () => {
    const { replay } = rig()
    const body = Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 256))
    await replay.once(asked, patientCaller, async () => ({ ...answered, body }))

    const again = await replay.once(asked, patientCaller, mustNotRun)

    expect(Buffer.compare(again.body as Buffer, body)).toBe(0)
  })

  it('runs again after its time is over, one millisecond before it does not', async () => {
    const { replay, clock } = rig()
    await replay.once(asked, patientCaller, async () => answered)

    clock.advance(999)
    expect((await replay.once(asked, patientCaller, mustNotRun)).headers['idempotent-replayed']).toBe('true')

    clock.advance(1)
    const second = { ...answered, body: '{"n":2}' }
    expect(await replay.once(asked, patientCaller, async () => second)).toBe(second)
  })

  it('runs again when the first one was refused', async () => {
    const { replay } = rig()
    const refused = replay.once(asked, patientCaller, async () => {
      throw new Error('no credit')
    })
    await expect(refused).rejects.toThrow('no credit')

    expect(await replay.once(asked, patientCaller, async () => answered)).toBe(answered)
  })

  it('is refused when the key was used for something else, while the first is under way and after', async () => {
    const { replay } = rig()
    const first = held()
    const running = replay.once(asked, patientCaller, first.run)
    await first.started
    const other = { ...asked, fingerprint: 'something else' }

    await expect(replay.once(other, patientCaller, mustNotRun)).rejects.toMatchObject({
      code: 'idempotency_key_reused',
      status: 409,
    })
    first.finish(answered)
    await running
    await expect(replay.once(other, patientCaller, mustNotRun)).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    })
  })

  it('is another one for another account, and for another member of it', async () => {
    const { replay } = rig()
    let runs = 0
    const run = async () => {
      runs += 1
      return answered
    }
    for (const who of [{}, { accountId: 'bob' }, { memberId: 'ada' }, { memberId: 'bob' }]) {
      await replay.once({ ...asked, ...who }, patientCaller, run)
    }
    expect(runs).toBe(4)
  })

  it.each(['', 'x'.repeat(256)])('needs a key of 1 to 255 characters, not "%s"', async (key) => {
    await expect(rig().replay.once({ ...asked, key }, patientCaller, mustNotRun)).rejects.toMatchObject({
      code: 'invalid_request',
    })
  })

  it('takes a key of 255 characters', async () => {
    const { replay } = rig()
    const long = { ...asked, key: 'x'.repeat(255) }
    expect(await replay.once(long, patientCaller, async () => answered)).toBe(answered)
  })

  it('waits for the first one, in the same process and in another', async () => {
    const keys = memoryKeys()
    const { replay, clock } = rig({ keys })
    const elsewhere = rig({ keys, clock }).replay
    const first = held()
    const running = replay.once(asked, patientCaller, first.run)
    await first.started
    const repeat = { ...asked, requestId: 'req-2' }
    const repeats = [replay, elsewhere].map((other) => other.once(repeat, patientCaller, mustNotRun))
    first.finish(answered)
    await running

    const answers = await whileTimePasses(clock, Promise.all(repeats))
    expect(answers.map(({ body }) => String(body))).toEqual(['{"n":1}', '{"n":1}'])
  })

  it('is told to come back when the first one takes longer than a minute', async () => {
    const { replay, clock } = rig()
    const first = held()
    const running = replay.once(asked, patientCaller, first.run)
    await first.started

    const repeat = replay.once(asked, patientCaller, mustNotRun)
    await expect(whileTimePasses(clock, repeat)).rejects.toMatchObject({
      code: 'idempotency_key_in_use',
      status: 409,
      retryAfterSeconds: 5,
    })
    first.finish(answered)
    await running
  })

  it('does not wait for a caller who has left', async () => {
    const { replay } = rig()
    const first = held()
    const running = replay.once(asked, patientCaller, first.run)
    await first.started
    const gone: CallerSignal = { ...patientCaller, aborted: true }

    await expect(replay.once(asked, gone, mustNotRun)).rejects.toMatchObject({ code: 'client_closed' })
    first.finish(answered)
    await running
  })
})

describe('a request that failed before its hold was ended', () => {
  const again = { ...asked, requestId: 'req-2' }
  const failed = async (charge: { isCharged: boolean | undefined }) => {
    const { replay, clock } = rig({ chargeOf: () => charge.isCharged })
    const first = replay.once(asked, patientCaller, async (onUnsettled) => {
      onUnsettled()
      throw new Error('no provider could serve')
    })
    await expect(first).rejects.toThrow('no provider could serve')
    return { replay, clock }
  }

  it('is not run again while nobody knows whether it will be charged', async () => {
    const { replay, clock } = await failed({ isCharged: undefined })
    const repeat = replay.once(again, patientCaller, mustNotRun)
    await expect(whileTimePasses(clock, repeat, 900)).rejects.toMatchObject({
      code: 'idempotency_key_in_use',
    })
  })

  it('is run again as soon as its hold is ended, and nothing was charged', async () => {
    const charge: { isCharged: boolean | undefined } = { isCharged: undefined }
    const { replay, clock } = await failed(charge)
    const repeat = replay.once(again, patientCaller, async () => answered)
    charge.isCharged = false
    expect(await whileTimePasses(clock, repeat, 900)).toBe(answered)
  })

  it('is never run again when it was charged: its receipt is named', async () => {
    const { replay } = await failed({ isCharged: true })
    await expect(replay.once(again, patientCaller, mustNotRun)).rejects.toMatchObject({
      code: 'idempotent_answer_lost',
    })
  })
})

describe('a request whose process died', () => {
  it('is not run again while its hold may still be charged', async () => {
    const { replay, clock } = await abandoned({ isCharged: false })
    clock.advance(9_000)
    const repeat = replay.once(asked, patientCaller, mustNotRun)
    await expect(whileTimePasses(clock, repeat, 900)).rejects.toMatchObject({
      code: 'idempotency_key_in_use',
    })
  })

  it('is run again when that time is over and it was not charged', async () => {
    const { replay, clock } = await abandoned({ isCharged: false })
    clock.advance(100_000)
    expect(await replay.once(asked, patientCaller, async () => answered)).toBe(answered)
  })

  it('is never run again when it was charged: its receipt is named', async () => {
    const { replay, clock } = await abandoned({ isCharged: true })
    clock.advance(100_000)
    // Its claim is kept as long as an answer would be, though the request is over.
    await replay.prune()
    await expect(replay.once(asked, patientCaller, mustNotRun)).rejects.toMatchObject({
      code: 'idempotent_answer_lost',
      facts: { receipt: 'req-0' },
    })
  })
})

describe('an answer', () => {
  it('that is one byte too large is not kept, and its request not run again', async () => {
    const { replay } = rig({ bytesMax: 6 })
    await replay.once(asked, patientCaller, async () => answered)
    await expect(replay.once(asked, patientCaller, mustNotRun)).rejects.toMatchObject({
      code: 'idempotent_answer_lost',
    })
  })

  it('that just fits is kept', async () => {
    const { replay } = rig({ bytesMax: 7 })
    await replay.once(asked, patientCaller, async () => answered)
    expect(String((await replay.once(asked, patientCaller, mustNotRun)).body)).toBe('{"n":1}')
  })

  it('reaches its caller also when it cannot be kept', async () => {
    const keys = memoryKeys()
    const failing: KeyStore = {
      ...keys,
      put: (key, value, version) =>
        key.startsWith('answer-part:')
          ? Promise.reject(new Error('disk full'))
          : keys.put(key, value, version),
    }
    const { replay, notKept } = rig({ keys: failing })
    expect(await replay.once(asked, patientCaller, async () => answered)).toBe(answered)
    expect(notKept).toEqual(['req-1'])
  })

  it('is forgotten after its time, body and all', async () => {
    const keys = memoryKeys()
    const { replay, clock } = rig({ keys })
    await replay.once(asked, patientCaller, async () => answered)
    await replay.prune()
    expect((await keys.list('', null, 10)).documents).toHaveLength(2)

    clock.advance(1_000)
    await replay.prune()
    expect((await keys.list('', null, 10)).documents).toHaveLength(0)
  })

  it('runs when its claim was written, though nobody heard so', async () => {
    const keys = memoryKeys()
    let isLost = false
    const losing: KeyStore = {
      ...keys,
      async put(...write) {
        const isWritten = await keys.put(...write)
        if (isLost) return isWritten
        isLost = true
        throw new OutcomeUnknown('The reply was lost.')
      },
    }
    const { replay, clock } = rig({ keys: losing })
    const answer = replay.once(asked, patientCaller, async () => answered)
    expect(await whileTimePasses(clock, answer, 20)).toBe(answered)
  })

  it('failure 16: is given again by the store’s time, however wrong the clock of a process is', async () => {
    const keys = memoryKeys()
    const { replay, clock } = rig({ keys })
    await replay.once(asked, patientCaller, async () => answered)
    for (const skewMs of [-86_400_000, 86_400_000]) {
      const other = rig({ keys, clock: fakeClock(skewMs), storeNow: clock.now })
      const again = { ...asked, requestId: 'req-2' }
      const given = await other.replay.once(again, patientCaller, mustNotRun)
      expect(given.headers['idempotent-replayed']).toBe('true')
    }
  })
})

describe('a stream', () => {
  it('is passed on as it comes, and given again byte for byte', async () => {
    const { replay } = rig()
    const { source, response } = streaming()
    const first = await replay.once(asked, patientCaller, async () => response)
    const reading = readAll(first.body as ByteStream)
    source.write(Buffer.from('data: 1\n\n'))
    source.write(Buffer.from('data: [DONE]\n\n'))
    source.end()
    expect(await reading).toBe('data: 1\n\ndata: [DONE]\n\n')

    const again = await replay.once(asked, patientCaller, mustNotRun)
    expect(await readAll(again.body as ByteStream)).toBe('data: 1\n\ndata: [DONE]\n\n')
  })

  it('goes on when its caller leaves, so that the repeat gets all of it', async () => {
    const { replay } = rig()
    const { source, response, cancelled } = streaming()
    const first = await replay.once(asked, patientCaller, async () => response)
    source.write(Buffer.from('one '))
    ;(first.body as ByteStream).cancel()
    const repeat = replay.once(asked, patientCaller, mustNotRun)
    source.write(Buffer.from('two'))
    source.end()

    expect(await readAll((await repeat).body as ByteStream)).toBe('one two')
    expect(cancelled()).toBe(false)
  })

  it('that is too large to keep is stopped when its caller leaves', async () => {
    const { replay } = rig({ bytesMax: 3 })
    const { source, response, cancelled } = streaming()
    const first = await replay.once(asked, patientCaller, async () => response)
    source.write(Buffer.from('four'))
    ;(first.body as ByteStream).cancel()
    expect(cancelled()).toBe(true)
  })

  it('that breaks breaks for its caller, and is not run again', async () => {
    const { replay } = rig()
    const { source, response } = streaming()
    const first = await replay.once(asked, patientCaller, async () => response)
    const reading = readAll(first.body as ByteStream)
    source.write(Buffer.from('half'))
    source.fail(new Error('reset'))
    await expect(reading).rejects.toThrow('reset')

    const again = await replay.once(asked, patientCaller, mustNotRun)
    expect(await readAll(again.body as ByteStream)).toBe('half')
  })
})

interface Rig {
  readonly replay: Replay
  readonly clock: FakeClock
  readonly notKept: string[]
}

function rig(
  options: {
    keys?: KeyStore
    clock?: FakeClock
    storeNow?: () => number
    bytesMax?: number
    isCharged?: boolean
    chargeOf?: () => boolean | undefined
  } = {},
): Rig {
  const clock = options.clock ?? fakeClock(0)
  const notKept: string[] = []
  const replay = createReplay({
    keys: options.keys ?? memoryKeys(),
    clock,
    storeNow: async () => (options.storeNow ?? clock.now)(),
    bytesMax: options.bytesMax ?? 1_000_000,
    keepMs: 1_000,
    chargedWithinMs: 100_000,
    isCharged: async () => (options.chargeOf === undefined ? options.isCharged === true : options.chargeOf()),
    onNotKept: (requestId) => notKept.push(requestId),
  })
  return { replay, clock, notKept }
}

/** A store in which another process has begun `req-0` and never came back. */
async function abandoned(options: { isCharged: boolean }): Promise<Rig> {
  const keys = memoryKeys()
  const clock = fakeClock(0)
  const name = answerName(['alice', ''], 'key-1')
  const claim = {
    state: 'running',
    fingerprint: asked.fingerprint,
    requestId: 'req-0',
    untilMs: 100_000,
  } as const
  await createAnswerStore(keys, clock).write(name, claim, null)
  return rig({ keys, clock, ...options })
}

async function mustNotRun(): Promise<never> {
  throw new Error('the request ran twice')
}

function held() {
  let finish: (response: GatewayResponse) => void = () => undefined
  let start: () => void = () => undefined
  const started = new Promise<void>((resolve) => {
    start = resolve
  })
  const run = () => {
    start()
    return new Promise<GatewayResponse>((resolve) => {
      finish = resolve
    })
  }
  return { run, started, finish: (response: GatewayResponse) => finish(response) }
}

function streaming() {
  let isCancelled = false
  const source = new ByteStream({
    onResume: () => undefined,
    onCancel: () => {
      isCancelled = true
    },
  })
  const response: GatewayResponse = { status: 200, headers: {}, body: source }
  return { source, response, cancelled: () => isCancelled }
}

async function readAll(stream: ByteStream): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += Buffer.from(chunk).toString()
  return text
}

/** Lets time pass until it is settled, in steps, because a repeat looks again and again. */
async function whileTimePasses<T>(clock: FakeClock, work: Promise<T>, stepMs = 250): Promise<T> {
  let isOver = false
  const over = () => {
    isOver = true
  }
  work.then(over, over)
  for (let step = 0; step < 1_000 && !isOver; step += 1) {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve()
    clock.advance(stepMs)
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  return work
}
