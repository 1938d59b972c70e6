import { type Clock, pause } from '../clock.ts'
import { GatewayError } from '../errors.ts'
import { ByteStream } from '../http/byte-stream.ts'
import type { CallerSignal, GatewayResponse } from '../http/exchange.ts'
import type { KeyStore } from '../ledger/key-store.ts'
import { recorded } from './recording.ts'
import {
  type AnswerStore,
  answerName,
  createAnswerStore,
  type DoneAnswer,
  type RunningAnswer,
  type StoredAnswer,
} from './stored-answer.ts'

export interface ReplayOptions {
  readonly keys: KeyStore
  readonly clock: Clock
  /** The store's time, in milliseconds since 1970 UTC: whose clock a process has must not decide what is charged. */
  readonly storeNow: () => Promise<number>
  /** Bytes of an answer that is kept. */
  readonly bytesMax: number
  /** How long an answer is given again. */
  readonly keepMs: number
  /** How long after its start a request may still be charged, whatever becomes of its process. */
  readonly chargedWithinMs: number
  /** Whether a request of an account was charged; `undefined` while its hold is not ended. */
  readonly isCharged: (accountId: string, requestId: string) => Promise<boolean | undefined>
  /** An answer could not be kept. The caller got it all the same. */
  readonly onNotKept: (requestId: string, cause: unknown) => void
}

/** A request that is to be answered once. */
export interface AskedOnce {
  readonly accountId: string
  /** Who asked inside the account: two people may use the same key. */
  readonly memberId: string | undefined
  /** The caller's `Idempotency-Key`. */
  readonly key: string
  /** Whatever makes it this request and no other. */
  readonly fingerprint: string
  readonly requestId: string
}

/** Answers a request once, however often it is sent. */
export interface Replay {
  /**
   * Runs a request that was not seen under this key, or gives the answer it had. A repeat that comes while the first is
   * under way waits for it. A request that was refused, and so not charged, may be sent again: at once, or when its hold is
   * ended, where `run` has told that it was not.
   *
   * @throws GatewayError `idempotency_key_reused`, `idempotency_key_in_use`, `idempotent_answer_lost`.
   */
  once(asked: AskedOnce, signal: CallerSignal, run: RunFirst): Promise<GatewayResponse>
  /** Forgets answers past their time. */
  prune(): Promise<void>
}

/** Runs a request for the first time, and tells when it has failed without ending its hold. */
export type RunFirst = (onUnsettled: () => void) => Promise<GatewayResponse>

/** A caller who stays until the end, because a repeat is to get the answer that this one does not wait for. */
export const patientCaller: CallerSignal = {
  aborted: false,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
}

/** How long a repeat waits for the first request, and how often it looks when another process is at work. */
const waitMsMax = 60_000
const lookEveryMs = 250

export function createReplay(options: ReplayOptions): Replay {
  const { clock } = options
  const store = createAnswerStore(options.keys, clock)
  /** What this process is at work on. */
  const running = new Map<string, Promise<void>>()

  async function once(asked: AskedOnce, signal: CallerSignal, run: RunFirst): Promise<GatewayResponse> {
    checkKey(asked.key)
    const name = answerName([asked.accountId, asked.memberId ?? ''], asked.key)
    const startedMs = clock.monotonicMs()
    for (;;) {
      const found = await store.read(name)
      if (found !== undefined && found.answer.fingerprint !== asked.fingerprint) throw reused()
      // Confirmed by reading: the reply to an earlier try to claim it was lost.
      if (isOwnClaim(name, found?.answer, asked)) return runFirst(name, asked, run)
      if (found === undefined || (await isOver(asked.accountId, found.answer))) {
        const { fingerprint, requestId } = asked
        const untilMs = (await options.storeNow()) + options.chargedWithinMs
        const claim = { state: 'running', fingerprint, requestId, untilMs } as const
        if (!(await store.write(name, claim, found?.version ?? null))) continue
        return runFirst(name, asked, run)
      }
      if (found.answer.state === 'done') return replayed(store, name, found.answer)
      if (signal.aborted) throw new GatewayError('client_closed', 'The caller closed the connection.')
      if (clock.monotonicMs() - startedMs >= waitMsMax) throw inUse()
      await changed(name)
    }
  }

  function isOwnClaim(name: string, answer: StoredAnswer | undefined, asked: AskedOnce): boolean {
    return isRunning(answer) && answer.requestId === asked.requestId && !running.has(name)
  }

  /** Resolves when there may be something new: at once when this process is done, after a while when it is another's. */
  function changed(name: string): Promise<void> {
    const later = pause(clock, lookEveryMs)
    const here = running.get(name)
    return here === undefined ? later : Promise.race([here, later])
  }

  /** Whether the key is free again: its answer is too old, or its request ended, with its process or an error, and was not charged. */
  async function isOver(accountId: string, answer: StoredAnswer): Promise<boolean> {
    const isPast = answer.untilMs <= (await options.storeNow())
    if (!isRunning(answer)) return isPast
    if (!isPast && answer.hasFailed !== true) return false
    const isCharged = await options.isCharged(accountId, answer.requestId)
    if (isCharged === true) throw lost(answer.requestId)
    return isPast || isCharged === false
  }

  async function runFirst(name: string, asked: AskedOnce, run: RunFirst): Promise<GatewayResponse> {
    let isUnsettled = false
    let finish = () => {}
    running.set(name, new Promise((resolve) => (finish = resolve)))
    const over = () => {
      running.delete(name)
      finish()
    }
    try {
      const response = await run(() => {
        isUnsettled = true
      })
      const { body } = response
      if (!(body instanceof ByteStream)) {
        await keep(name, asked, response, typeof body === 'string' ? Buffer.from(body) : body)
        over()
        return response
      }
      const { bytesMax } = options
      const onOver = async (bytes: Buffer | undefined) => {
        await keep(name, asked, response, bytes)
        over()
      }
      return {
        status: response.status,
        headers: response.headers,
        body: recorded(body, { bytesMax, onOver }),
      }
    } catch (error) {
      await release(name, asked.requestId, isUnsettled)
      over()
      throw error
    }
  }

  async function keep(
    name: string,
    { fingerprint, requestId }: AskedOnce,
    { status, headers, body }: GatewayResponse,
    bytes: Uint8Array | undefined,
  ): Promise<void> {
    try {
      const untilMs = (await options.storeNow()) + options.keepMs
      const isKept = bytes !== undefined && bytes.byteLength <= options.bytesMax
      const parts = isKept ? await store.writeBody(name, bytes, untilMs) : null
      const isStream = body instanceof ByteStream
      const done: DoneAnswer = {
        state: 'done',
        fingerprint,
        requestId,
        status,
        headers,
        isStream,
        parts,
        untilMs,
      }
      const found = await store.read(name)
      if (found?.answer.requestId === requestId) await store.write(name, done, found.version)
    } catch (cause) {
      options.onNotKept(requestId, cause)
    }
  }

  /**
   * A request that was refused leaves its key to the next one. While its hold is open, it may still be charged: whoever
   * finds out what it cost does not know that it was answered with an error.
   */
  async function release(name: string, requestId: string, isUnsettled: boolean): Promise<void> {
    try {
      const found = await store.read(name)
      if (!isRunning(found?.answer) || found.answer.requestId !== requestId) return
      if (isUnsettled) await store.write(name, { ...found.answer, hasFailed: true }, found.version)
      else await store.forget(name, found.version)
    } catch (cause) {
      options.onNotKept(requestId, cause)
    }
  }

  return {
    once,
    async prune() {
      // A claim outlives its request as long as an answer would: as long as it may have been charged, the key is taken.
      await store.prune(await options.storeNow(), options.keepMs)
    },
  }
}

function isRunning(answer: StoredAnswer | undefined): answer is RunningAnswer {
  return answer?.state === 'running'
}

async function replayed(store: AnswerStore, name: string, answer: DoneAnswer): Promise<GatewayResponse> {
  const { status, parts, requestId } = answer
  const bytes = parts === null ? undefined : await store.readBody(name, parts)
  if (bytes === undefined) throw lost(requestId)
  const headers = { ...answer.headers, 'idempotent-replayed': 'true' }
  if (!answer.isStream) return { status, headers, body: bytes }
  const body = new ByteStream({ onResume: () => undefined, onCancel: () => undefined })
  body.write(bytes)
  body.end()
  return { status, headers, body }
}

const keyCharsMax = 255

function checkKey(key: string): void {
  if (key.length > 0 && key.length <= keyCharsMax) return
  throw new GatewayError('invalid_request', `An Idempotency-Key has 1 to ${keyCharsMax} characters.`, {
    param: 'Idempotency-Key',
  })
}

function reused(): GatewayError {
  return new GatewayError(
    'idempotency_key_reused',
    'This Idempotency-Key was used for another request. Send a new key with a new request.',
  )
}

function inUse(): GatewayError {
  return new GatewayError(
    'idempotency_key_in_use',
    'The first request with this Idempotency-Key is still under way. Ask again for its answer.',
    { retryAfterSeconds: 5 },
  )
}

function lost(requestId: string): GatewayError {
  return new GatewayError(
    'idempotent_answer_lost',
    `This request was answered and charged, but its answer was not kept. Its receipt is '${requestId}'. Send a new Idempotency-Key to run it again.`,
    { facts: { receipt: requestId } },
  )
}
