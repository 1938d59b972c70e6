import type { ByteStream, CallerSignal, GatewayRequest, GatewayResponse, ResponseBody } from '@farebox/core'
import type { Running } from './process.ts'
import type { World } from './world.ts'

/** What a caller got to see of its request. */
export interface Ending {
  readonly requestId: string
  /**
   * `whole`: all of the answer, with its end. `error`: an error, or a stream that ended with one. `left`: the caller left.
   * `cut off`: the process died.
   */
  readonly kind: 'whole' | 'error' | 'left' | 'cut off'
  /** The code of the error. */
  readonly code?: string
  /** The cost the caller was told, in US dollars. */
  readonly cost?: string
  /** The answer, and the request it is the answer of: an earlier one, where it is given again. */
  readonly text?: string
  readonly answeredId?: string | undefined
}

export interface Question {
  readonly accountId: string
  readonly member: string | undefined
  /** The API key that it comes with, and its cap. */
  readonly apiKey?: string | undefined
  readonly model: string
  readonly isStream: boolean
  readonly outputMax: number | undefined
  /** The `Idempotency-Key` it is sent with. */
  readonly key?: string | undefined
  /** After how many pieces of the answer the caller leaves; 0 for before the first, absent for never. */
  readonly leavesAt: number | undefined
}

/** Someone who may leave. */
class Caller implements CallerSignal {
  aborted = false
  #listeners: (() => void)[] = []
  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.push(listener)
  }
  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners = this.#listeners.filter((other) => other !== listener)
  }
  leave(): void {
    if (this.aborted) return
    this.aborted = true
    for (const listener of this.#listeners.splice(0)) listener()
  }
}

/** A question under way. */
export interface Asking {
  readonly requestId: string
  /** Rejects only with a fault of the gateway itself. */
  readonly ending: Promise<Ending>
  /** The caller leaves, unless it is over. */
  leave(): void
}

/** Asks one question, as a connection to the process' server would, and reads the answer at its own pace. */
export function ask(world: World, running: Running, question: Question): Asking {
  const { scheduler, nature, faults, random } = world
  const { life, gateway } = running
  const { leavesAt } = question
  const caller = new Caller()
  let isOver = false
  let stream: ByteStream | undefined
  let resolve: (ending: Ending) => void
  let reject: (error: unknown) => void
  const ending = new Promise<Ending>((onEnding, onFault) => {
    resolve = onEnding
    reject = onFault
  })
  const handling = gateway.handle(requestOf(question, caller))
  const requestId = running.lastRequestId
  world.log(() => `${requestId} asks: ${JSON.stringify(question)}`)

  function end(seen: Omit<Ending, 'requestId'>): void {
    if (isOver) return
    isOver = true
    world.log(() => `${requestId} ends: ${JSON.stringify({ ...seen, text: seen.text?.length })}`)
    resolve({ requestId, ...seen })
  }

  function leave(): void {
    if (isOver || life.isOver) return
    end({ kind: 'left' })
    // In the order of an adapter: the stream first, so that the abort is not taken for a fault of the provider.
    stream?.cancel()
    caller.leave()
  }

  function readWhole({ status, headers }: GatewayResponse, text: string): void {
    const cost = headers['x-farebox-cost']
    const answeredId = headers['x-request-id']
    if (status === 200) end({ kind: 'whole', text, answeredId, ...(cost !== undefined && { cost }) })
    else end({ kind: 'error', code: String(JSON.parse(text).error.code) })
  }

  function readStream(body: ByteStream, answeredId: string | undefined): void {
    let pieces = 0
    let text = ''
    stream = body
    body.pipe({
      write(chunk) {
        text += Buffer.from(chunk).toString('utf8')
        pieces += 1
        if (pieces === leavesAt) scheduler.after(0, nature, `${requestId} leaves`, leave)
        if (!faults.happens('caller slow')) return true
        const pauseMs = random.pick([1, 50, 2_000, 10_000])
        scheduler.after(pauseMs, life, `${requestId} reads on`, () => body.resume())
        return false
      },
      end() {
        if (text.includes('[DONE]')) end({ kind: 'whole', text, answeredId })
        else end({ kind: 'error', code: 'broken off' })
      },
      fail: () => end({ kind: 'error', code: 'failed' }),
    })
  }

  running.onEnd(() => end({ kind: 'cut off' }))
  if (leavesAt === 0) {
    scheduler.after(random.pick([0, 1, 5, 50, 500]), nature, `${requestId} leaves`, leave)
  }
  handling.then(
    (response) => {
      if (response === undefined) return
      const { body } = response
      if (!isStream(body)) readWhole(response, Buffer.from(body).toString('utf8'))
      // An adapter whose caller has gone lets go of the stream.
      else if (isOver) body.cancel()
      else readStream(body, response.headers['x-request-id'])
    },
    (error: unknown) => reject(error),
  )
  return { requestId, ending, leave }
}

function isStream(body: ResponseBody): body is ByteStream {
  return typeof body === 'object' && 'pipe' in body
}

function requestOf(
  { accountId, member, apiKey, model, isStream, outputMax, key }: Question,
  signal: CallerSignal,
): GatewayRequest {
  const value = {
    model,
    messages: [{ role: 'user', content: 'A question.' }],
    ...(isStream && { stream: true }),
    ...(outputMax !== undefined && { max_tokens: outputMax }),
  }
  return {
    method: 'POST',
    path: '/v1/chat/completions',
    headers: {
      'x-account': accountId,
      ...(member !== undefined && { 'x-member': member }),
      ...(apiKey !== undefined && { 'x-api-key': apiKey }),
      ...(key !== undefined && { 'idempotency-key': key }),
    },
    body: { kind: 'unread', read: async () => Buffer.from(JSON.stringify(value)) },
    signal,
  }
}
