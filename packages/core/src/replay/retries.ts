import type { Clock } from '../clock.ts'
import { GatewayError } from '../errors.ts'
import { ByteStream } from '../http/byte-stream.ts'
import { Caller } from '../http/caller.ts'
import type { CallerSignal, GatewayResponse } from '../http/exchange.ts'

export interface RetriesOptions {
  readonly clock: Clock
  /** How much longer than its SDK's own pause a retry is waited for, in milliseconds; 0 recognises none. */
  readonly retryMs: number
  /** Bytes of an answer that is kept for a retry. */
  readonly bytesMax: number
}

/** One sending of a request by an SDK that counts how often it sends it. */
export interface Tried {
  /** 0 for the first one, 1 for the first automatic retry. */
  readonly count: number
  /** Bytes of the request body, which stays in memory with its run. */
  readonly bytes: number
  /** Whatever makes it this request of this caller and no other. Asked for only when a caller has left. */
  readonly fingerprint: () => string
}

/** Gives what a caller has left behind to the retry that their SDK sends. */
export interface Retries {
  /**
   * Runs a request, or takes up the run of an earlier try whose caller left before the answer: then that answer is given, and
   * nothing is asked for again. Every run has one reader at a time, so no answer goes to two callers.
   *
   * A run whose caller leaves goes on for as long as its SDK may take to send a retry, and is given up then: the signal
   * that `start` gets aborts.
   */
  run(
    tried: Tried,
    signal: CallerSignal,
    start: (signal: CallerSignal) => Promise<GatewayResponse>,
  ): Promise<GatewayResponse>
  /** Gives up what was left behind, and waits for no retries any more. */
  close(): void
}

interface Run {
  /** For whom the work is done: leaves when the work is given up. */
  readonly caller: Caller
  /** The try that gets the answer. */
  tried: Tried
  reader: Reader
  isTakenUp: boolean
  response: GatewayResponse | undefined
  /** Set while there is nobody to give an answer to. */
  left: Left | undefined
}

interface Reader {
  resolve(response: GatewayResponse): void
  reject(error: unknown): void
}

interface Left {
  readonly fingerprint: string
  readonly bytes: number
  readonly stopWaiting: () => void
}

/** What is left behind at once, and its bytes: requests, and whole answers. Beyond that a run ends with its caller. */
const runsMax = 1_000
const leftBytesMax = 64 * 1024 * 1024

/** How long a whole answer is kept that came when its caller had gone. It costs nothing any more. */
const keptMs = 60_000

/**
 * The longest pause of an SDK before it sends its next try: 0.5 s, doubled each time, up to 8 s. Stainless' SDKs shorten it by
 * chance by up to a quarter (openai-node 6.49.0 `src/client.ts`, openai-python `_base_client.py`, read 2026-11-26).
 */
function pauseMs(count: number): number {
  return Math.min(500 * 2 ** count, 8_000)
}

export function createRetries({ clock, retryMs, bytesMax }: RetriesOptions): Retries {
  const left = new Set<Run>()
  let leftBytes = 0
  let isOpen = retryMs > 0

  /** Makes a try the one that gets the answer. */
  function read(run: Run, tried: Tried, signal: CallerSignal): Promise<GatewayResponse> {
    return new Promise((resolve, reject) => {
      run.tried = tried
      run.reader = { resolve, reject }
      signal.addEventListener('abort', () => {
        if (run.tried === tried) leave(run, signal)
      })
    })
  }

  function leave(run: Run, signal: CallerSignal): void {
    const { response } = run
    // The head of a stream is out. No SDK sends a request again after that: somebody has pressed stop.
    if (response?.body instanceof ByteStream) run.caller.leave()
    else if (response === undefined) {
      if (!keep(run)) run.caller.leave()
    }
    // Only our own adapters watch until the last byte is written. What other hosts mean after the answer is not known.
    else if (signal instanceof Caller) keep(run)
  }

  /** Leaves a run to the next try of its request. False when there is no room for it. */
  function keep(run: Run): boolean {
    const { tried, response } = run
    const answerBytes = response === undefined ? 0 : lengthOf(response)
    const bytes = tried.bytes + answerBytes
    if (!isOpen || left.size >= runsMax || leftBytes + bytes > leftBytesMax || answerBytes > bytesMax)
      return false
    const waitMs = response === undefined ? pauseMs(tried.count) + retryMs : keptMs
    const stopWaiting = clock.after(waitMs, () => giveUp(run))
    run.left = { fingerprint: tried.fingerprint(), bytes, stopWaiting }
    left.add(run)
    leftBytes += bytes
    return true
  }

  function remove(run: Run): void {
    run.left?.stopWaiting()
    leftBytes -= run.left?.bytes ?? 0
    run.left = undefined
    left.delete(run)
  }

  function giveUp(run: Run): void {
    remove(run)
    const body = run.response?.body
    if (body instanceof ByteStream) body.cancel()
    run.caller.leave()
  }

  /** The latest earlier try of the same request that nobody waits for; of several the one that was left first. */
  function find({ count, fingerprint }: Tried): Run | undefined {
    const wanted = fingerprint()
    let found: Run | undefined
    for (const run of left) {
      const { tried } = run
      if (run.left?.fingerprint !== wanted || tried.count >= count) continue
      if (found === undefined || tried.count > found.tried.count) found = run
    }
    return found
  }

  function takeUp(run: Run, tried: Tried, signal: CallerSignal): Promise<GatewayResponse> {
    remove(run)
    run.isTakenUp = true
    run.reader.reject(hasLeft())
    const answer = read(run, tried, signal)
    if (run.response !== undefined) run.reader.resolve(marked(run.response))
    return answer
  }

  function arrive(run: Run, response: GatewayResponse): void {
    run.response = response
    if (run.left === undefined) {
      run.reader.resolve(run.isTakenUp ? marked(response) : response)
      return
    }
    run.reader.reject(hasLeft())
    // A stream waits unread, and its provider with it; a whole answer costs nothing more, and can wait longer.
    if (response.body instanceof ByteStream) return
    remove(run)
    keep(run)
  }

  function fail(run: Run, error: unknown): void {
    remove(run)
    run.reader.reject(error)
  }

  return {
    run(tried, signal, start) {
      if (!isOpen || signal.aborted) return start(signal)
      const earlier = tried.count === 0 || left.size === 0 ? undefined : find(tried)
      if (earlier !== undefined) return takeUp(earlier, tried, signal)
      const run: Run = {
        caller: new Caller(),
        tried,
        reader: nobody,
        isTakenUp: false,
        response: undefined,
        left: undefined,
      }
      const answer = read(run, tried, signal)
      start(run.caller).then(
        (response) => arrive(run, response),
        (error: unknown) => fail(run, error),
      )
      return answer
    },
    close() {
      isOpen = false
      for (const run of left) giveUp(run)
    },
  }
}

const nobody: Reader = { resolve: () => undefined, reject: () => undefined }

function marked({ status, headers, body }: GatewayResponse): GatewayResponse {
  return { status, headers: { ...headers, 'idempotent-replayed': 'true' }, body }
}

function lengthOf({ body }: GatewayResponse): number {
  return body instanceof ByteStream ? 0 : Buffer.byteLength(body)
}

function hasLeft(): GatewayError {
  return new GatewayError('client_closed', 'The caller closed the connection.')
}
