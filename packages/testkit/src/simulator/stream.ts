import { type Exchange, flush, type Headers, pause, untilGone, writeApart } from './exchange.ts'
import type { Fault } from './faults.ts'
import type { Outcome } from './truth.ts'

/** How fast the simulator generates, in milliseconds; nothing means as fast as it can. */
export interface Pace {
  readonly firstTokenMs?: number
  readonly tokenMs?: number
}

/** An event is its lines without the blank line that ends it. */
export interface EventStream {
  readonly headers: Headers
  readonly opening: readonly string[]
  /** One event per token. */
  readonly tokens: Iterable<string>
  /** What ends the stream; asked for once all tokens are written and counted. */
  closing(): readonly string[]
  readonly errorEvents: readonly string[]
  /** Called once, before anything that tells the client the stream is over. */
  onEnd(tokens: number, outcome: Outcome): void
}

/** Writes an event stream at its pace, with its fault, until its end or until the client leaves. */
export async function playStream(
  exchange: Exchange,
  stream: EventStream,
  { fault, pace }: { fault: Fault | undefined; pace: Pace },
): Promise<void> {
  const { response, gone } = exchange
  const { firstTokenMs = 0, tokenMs = 0 } = paceOf(fault, pace)
  const cutAfter = chunksBeforeFault(fault)
  let tokens = 0

  const emit = (event: string): Promise<void> => writeApart(exchange, encode(event, fault))

  await pause(firstTokenMs, gone)
  if (!gone.aborted) response.writeHead(200, { ...streamHeaders, ...stream.headers })
  for (const event of stream.opening) await emit(event)
  for (const event of stream.tokens) {
    if (tokens === cutAfter && (await playCut(exchange, stream, { fault, tokens, emit }))) return
    if (tokens > 0) await pause(tokenMs, gone)
    if (gone.aborted) break
    await emit(event)
    tokens += 1
  }
  if (tokens <= cutAfter && (await playCut(exchange, stream, { fault, tokens, emit }))) return

  stream.onEnd(tokens, gone.aborted ? 'aborted' : 'complete')
  for (const event of stream.closing()) await emit(event)
  response.end()
}

/** Plays what happens after the fault's number of chunks. Gives whether that ended the stream. */
async function playCut(
  exchange: Exchange,
  stream: EventStream,
  {
    fault,
    tokens,
    emit,
  }: { fault: Fault | undefined; tokens: number; emit: (event: string) => Promise<void> },
): Promise<boolean> {
  const { response, gone } = exchange
  if (gone.aborted) return false
  switch (fault?.kind) {
    case 'truncate':
      await flush(exchange)
      stream.onEnd(tokens, gone.aborted ? 'aborted' : 'failed')
      response.destroy()
      return true
    case 'end-early':
      stream.onEnd(tokens, 'failed')
      response.end()
      return true
    case 'error-event':
      stream.onEnd(tokens, 'failed')
      for (const event of stream.errorEvents) await emit(event)
      response.end()
      return true
    case 'stall':
      await untilGone(exchange)
      stream.onEnd(tokens, 'aborted')
      return true
    case 'malformed':
      await emit('data: {"choices":[{"delta":{"content":<<<')
      return false
    default:
      return false
  }
}

/** Waits as long as generating takes and gives how many tokens there are: fewer than asked when the client left. */
export async function generate(
  { gone }: Exchange,
  { tokens, pace, now }: { tokens: number; pace: Pace; now: () => number },
): Promise<number> {
  const { firstTokenMs = 0, tokenMs = 0 } = pace
  const durationMs = firstTokenMs + tokens * tokenMs
  if (durationMs === 0) return tokens
  const startedAtMs = now()
  await pause(Math.min(durationMs, timerMsMax), gone)
  if (!gone.aborted) return tokens
  const generatedMs = Math.max(0, now() - startedAtMs - firstTokenMs)
  return Math.min(tokens, tokenMs === 0 ? 0 : Math.floor(generatedMs / tokenMs))
}

export function paceOf(fault: Fault | undefined, pace: Pace): Pace {
  if (fault?.kind === 'slow')
    return { firstTokenMs: fault.firstTokenMs ?? 1000, tokenMs: fault.tokenMs ?? 10 }
  // An endless answer leaves the machine to others between two tokens.
  if (fault?.kind === 'never-ending') return { ...pace, tokenMs: Math.max(1, pace.tokenMs ?? 0) }
  return pace
}

/** Parts whose borders lie inside a line, inside every multi-byte character, and between the two ends of an event. */
export function splitOddly(bytes: Buffer): readonly Buffer[] {
  const borders = [0, 3]
  for (let at = 0; at < bytes.length; at += 1) {
    if ((bytes[at] ?? 0) >= 0xc0) borders.push(at + 1)
  }
  borders.push(bytes.length - 1, bytes.length)
  return borders
    .toSorted((a, b) => a - b)
    .map((border, index, sorted) => bytes.subarray(border, sorted[index + 1]))
    .filter((part) => part.length > 0)
}

/** The longest wait a timer can hold, about 24 days. */
const timerMsMax: number = 2 ** 31 - 1

const streamHeaders: Headers = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
}

function encode(event: string, fault: Fault | undefined): readonly (string | Buffer)[] {
  switch (fault?.kind) {
    case 'crlf':
      return [`${event.replaceAll('\n', '\r\n')}\r\n\r\n`]
    case 'comments':
      return [`: keep-alive\n\n${event}\n\n`]
    case 'split':
      return splitOddly(Buffer.from(`${event}\n\n`))
    default:
      return [`${event}\n\n`]
  }
}

function chunksBeforeFault(fault: Fault | undefined): number {
  switch (fault?.kind) {
    case 'truncate':
    case 'end-early':
    case 'error-event':
    case 'malformed':
    case 'stall':
      return fault.afterChunks ?? 3
    default:
      return -1
  }
}
