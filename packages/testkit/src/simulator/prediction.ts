import { createDraw, type Question } from './answer.ts'
import type { Context } from './context.ts'
import { type Fault, shownUsage } from './faults.ts'
import { type Quantity, tokenQuantities } from './price-list.ts'
import { paceOf } from './stream.ts'
import type { OpenEntry } from './truth.ts'

export type PredictionStatus = 'starting' | 'processing' | 'succeeded' | 'failed' | 'canceled'

export interface PredictionRequest {
  readonly id: string
  readonly model: string
  readonly version: string
  readonly input: object
  readonly kind: 'language' | 'image'
  readonly question: Question
  /** Pieces of text, one token each, or addresses of images. */
  readonly outputs: readonly string[]
  readonly promptTokens: number
  readonly fault: Fault | undefined
  /** The key it was created with: nobody else may look at it. */
  readonly key: string | undefined
  readonly entry: OpenEntry
}

/** A job at Replicate. It is counted when it reaches a terminal status, and only then shows metrics. */
export interface Prediction {
  readonly request: PredictionRequest
  /** It takes no time, so whoever created it decides when it ends. */
  readonly isInstant: boolean
  /** Resolves when the status is terminal. */
  readonly ended: Promise<void>
  status(): PredictionStatus
  begin(): void
  /** A look from outside: it moves a slow job on. */
  poll(): void
  complete(): void
  cancel(): void
  /** The prediction object as the API shows it. */
  view(): object
}

/** How much of the job is done, as a fraction. */
interface Progress {
  readonly done: number
  readonly of: number
}

const failure = 'Prediction failed: the simulated job was told to fail. (E005)'

export function createPrediction(context: Context, request: PredictionRequest): Prediction {
  const { fault, entry } = request
  const createdAtMs = context.nowMs()
  const pollsMax = pollsBeforeEnd(fault)
  const durationMs = pollsMax === undefined ? workMs(context, request) : 0
  const predictMicros = 500_001 + createDraw(request.question.key)(9_000_000)
  const { promise: ended, resolve } = withResolver()
  let status: PredictionStatus = 'starting'
  let polls = 0
  let startedAtMs: number | undefined
  let completedAtMs = createdAtMs
  let metrics: object | undefined
  let areMetricsLate = fault?.kind === 'output-before-metrics'
  let isDue = false
  const timer = durationMs > 0 ? setTimeout(onTimer, durationMs) : undefined
  context.closing.addEventListener('abort', stop)

  function stop(): void {
    clearTimeout(timer)
    context.closing.removeEventListener('abort', stop)
    resolve()
  }

  function onTimer(): void {
    isDue = true
    try {
      complete()
    } catch {
      // The truth file cannot be written. The next poll meets the same error, where it can be answered.
    }
  }

  function isTerminal(): boolean {
    return status !== 'starting' && status !== 'processing'
  }

  function begin(): void {
    if (isTerminal() || startedAtMs !== undefined) return
    status = 'processing'
    startedAtMs = context.nowMs()
  }

  function progress(): Progress {
    if (isTerminal()) return { done: 1, of: 1 }
    if (pollsMax === undefined) {
      return { done: Math.min(context.nowMs() - createdAtMs, durationMs), of: Math.max(1, durationMs) }
    }
    // A job without an end gets no further than nine tenths.
    return Number.isFinite(pollsMax)
      ? { done: polls, of: pollsMax + 1 }
      : { done: Math.min(polls, 9), of: 10 }
  }

  function end(terminal: 'succeeded' | 'failed' | 'canceled', { done, of }: Progress): void {
    if (isTerminal()) return
    begin()
    const micros = Math.floor((predictMicros * done) / of)
    const outputs = terminal === 'failed' ? 0 : Math.floor((request.outputs.length * done) / of)
    const bill = billOf(request, { micros, outputs, isFull: terminal === 'succeeded' })
    metrics = { ...bill.usage, total_time: Number(((micros + 12_345) / 1_000_000).toFixed(6)) }
    entry.settle({ ...bill, outcome: outcomes[terminal] })
    status = terminal
    completedAtMs = context.nowMs()
    stop()
  }

  function complete(): void {
    end(fault?.kind === 'job-failed' ? 'failed' : 'succeeded', { done: 1, of: 1 })
  }

  function view(): object {
    const isLate = areMetricsLate && status === 'succeeded'
    if (isLate) areMetricsLate = false
    const shown = isLate ? 'processing' : status
    return {
      id: request.id,
      model: request.model,
      version: request.version,
      input: request.input,
      logs: '',
      output: status === 'succeeded' ? request.outputs : null,
      data_removed: false,
      error: status === 'failed' ? failure : null,
      source: 'api',
      status: shown,
      created_at: new Date(createdAtMs).toISOString(),
      ...(startedAtMs === undefined ? {} : { started_at: new Date(startedAtMs).toISOString() }),
      ...(isTerminal() && !isLate
        ? { completed_at: new Date(completedAtMs).toISOString(), metrics: shownUsage(metrics ?? {}, fault) }
        : {}),
      urls: urls(context, request.id),
    }
  }

  return {
    request,
    isInstant: pollsMax === undefined && durationMs === 0,
    ended,
    status: () => status,
    begin,
    poll() {
      begin()
      if (isTerminal()) return
      if (pollsMax === undefined ? isDue : polls >= pollsMax) complete()
      else polls += 1
    },
    complete,
    cancel: () => end('canceled', progress()),
    view,
  }
}

export function urls(
  context: Context,
  id: string,
): { get: string; cancel: string; stream: string; web: string } {
  const get = `${context.url()}/replicate/v1/predictions/${id}`
  const stream = `${context.url()}/replicate/stream/${id}`
  return { get, cancel: `${get}/cancel`, stream, web: `https://replicate.com/p/${id}` }
}

const outcomes = { succeeded: 'complete', failed: 'failed', canceled: 'aborted' } as const

/** A failed or canceled job owes its compute time and its output so far; which of them costs money is in its price. */
function billOf(
  request: PredictionRequest,
  { micros, outputs, isFull }: { micros: number; outputs: number; isFull: boolean },
): { usage: Record<string, number>; quantities: readonly Quantity[] } {
  const compute: Quantity = { unit: 'compute_second', amount: BigInt(micros), per: 1_000_000n }
  const time = { predict_time: micros / 1_000_000 }
  if (request.kind === 'image') {
    // An image exists when all of them do.
    const images = isFull ? outputs : 0
    const quantity: Quantity = { unit: 'output_image', amount: BigInt(images), per: 1n }
    return { usage: { ...time, image_count: images }, quantities: [compute, quantity] }
  }
  const input = outputs > 0 ? request.promptTokens : 0
  return {
    usage: { ...time, input_token_count: input, output_token_count: outputs },
    quantities: [compute, ...tokenQuantities({ input, output: outputs })],
  }
}

function workMs(context: Context, { kind, outputs, fault }: PredictionRequest): number {
  const { firstTokenMs = 0, tokenMs = 0 } = paceOf(fault, context.pace)
  return firstTokenMs + (kind === 'language' ? outputs.length * tokenMs : 0)
}

function pollsBeforeEnd(fault: Fault | undefined): number | undefined {
  if (fault?.kind === 'slow-job') return fault.polls ?? 2
  return fault?.kind === 'never-ending' ? Number.POSITIVE_INFINITY : undefined
}

function withResolver(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
