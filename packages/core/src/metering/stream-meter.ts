import { GatewayError } from '../errors.ts'
import { ByteStream } from '../http/byte-stream.ts'
import type { CallerSignal } from '../http/exchange.ts'
import { editObject, type JsonObject, scanObject } from '../http/json-object.ts'
import { eventEnd, eventStart, lastEventEnd } from '../http/sse.ts'
import type { Quantities } from '../usage.ts'
import type { Attempt } from './attempt.ts'
import { type ReplyUsage, readUsage as readReplyUsage } from './reply-meter.ts'

export interface StreamMeterOptions {
  /** What the provider sends. */
  readonly upstream: ByteStream
  readonly attempt: Attempt
  /** Whether the caller asked to see usage. */
  readonly wantsUsage: boolean
  /** Reads usage from an event, in Farebox' classes. */
  readonly readUsage: (event: ReplyUsage) => Quantities | undefined
  /** The cost of this usage, for the caller; `undefined` when nothing of it has a price. */
  readonly costOf: (quantities: Quantities) => CostMembers | undefined
  /** Takes the key that is used out of an error in the stream; `undefined` when there is none. */
  readonly hide: ((text: string) => string) | undefined
  /** An error as the last event of a stream, in the caller's dialect. */
  readonly writeError: (error: GatewayError) => Buffer
  /** Aborts when the caller has gone. */
  readonly signal: CallerSignal
  /** Ends the reservation. Called once, on every way out. Never rejects. */
  readonly settle: () => Promise<void>
  readonly monotonicMs: () => number
}

/** What is added to usage: decimal US dollars. */
export type CostMembers = { readonly cost: string; readonly memo_cost?: string }

const usageName = Buffer.from('"usage"')
const errorName = Buffer.from('"error"')
const doneMark = Buffer.from('[DONE]')
const dataField = Buffer.from('data:')
const deltaName = Buffer.from('"delta"')
const outputPiece = /"(?:content|reasoning|reasoning_content|arguments)"\s*:\s*"[^"]/g
const lineFeed = 0x0a
const carriageReturn = 0x0d
const doneEvent = Buffer.from('data: [DONE]\n\n')

/** An event longer than this is not an event. */
const eventBytesMax = 8 * 1024 * 1024

/**
 * A tap on a stream of server-sent events: bytes go through as they came, in whole events, while usage is picked up.
 *
 * Nothing is parsed but the events that carry usage or an error. Usage is hidden from a caller who did not ask and gets
 * the cost added for one who did. The closing `[DONE]` waits for the settlement, so that a caller who has read a whole
 * answer finds it on the balance. A stream that breaks off ends with an error event and without `[DONE]`.
 */
export function meterStream(options: StreamMeterOptions): ByteStream {
  const { upstream, attempt } = options
  let carried: Buffer | undefined
  let isOver = false
  let hasFailed = false

  const response = new ByteStream({
    onResume: () => upstream.resume(),
    onCancel: leave,
  })

  /** The caller has gone: nobody is told anything, and the provider is not to blame. */
  function leave(): void {
    if (isOver) return
    isOver = true
    end('aborted')
    upstream.cancel()
    void options.settle()
  }

  function end(outcome: 'served' | 'aborted'): void {
    attempt.outcome = outcome
    attempt.endedMs = options.monotonicMs()
  }

  /** The answer is whole: it ends for the caller once the money is settled. */
  function complete(): void {
    isOver = true
    end('served')
    void options.settle().then(() => {
      response.write(doneEvent)
      response.end()
    })
  }

  /** The answer broke off: the caller hears of it at once, however long it takes to find out what it cost. */
  function breakOff(error: GatewayError): void {
    if (isOver) return
    isOver = true
    attempt.failure = { reason: 'reset', message: error.message }
    end('aborted')
    if (!hasFailed) response.write(options.writeError(error))
    response.end()
    upstream.cancel()
    void options.settle()
  }

  function forward(received: Buffer): boolean {
    let events = received
    attempt.outputEvents += countOf(events, dataField)
    if (events.includes(errorName)) {
      hasFailed ||= hasErrorEvent(events)
      if (options.hide !== undefined) events = Buffer.from(options.hide(events.toString('latin1')), 'latin1')
    }
    let shown = events
    if (events.includes(usageName)) shown = meterUsage(events, options)
    else if (attempt.reported !== undefined) countUntold(events, attempt)
    const done = doneAt(shown)
    if (done === -1) return shown.length === 0 || response.write(shown)
    if (done > 0) response.write(shown.subarray(0, done))
    // Some servers write [DONE] behind an error too, which would make it look like a whole answer.
    if (hasFailed) breakOff(incomplete())
    // What follows [DONE] is nothing; the upstream is left to end by itself, so that its connection can be used again.
    else complete()
    return true
  }

  upstream.pipe({
    write(chunk) {
      if (isOver) return true
      const bytes = carried === undefined ? asBuffer(chunk) : Buffer.concat([carried, chunk])
      const whole = lastEventEnd(bytes, carried?.length)
      carried = whole === bytes.length ? undefined : bytes.subarray(whole)
      if (carried !== undefined && carried.length > eventBytesMax) {
        breakOff(new GatewayError('provider_failed', 'The provider sent an event that is too large.'))
        return true
      }
      return whole === 0 || forward(bytes.subarray(0, whole))
    },
    end() {
      if (isOver) return
      // Some servers leave out the blank line behind the last event. Half an event is dropped: an SDK would stumble over
      // it and never see the error that follows.
      if (carried !== undefined && isWholeEvent(carried))
        forward(Buffer.concat([carried, Buffer.from('\n\n')]))
      if (isOver) return
      // Final usage comes last: a stream that has told it is whole, also without [DONE].
      if (attempt.isReportFinal && !hasFailed) complete()
      else breakOff(incomplete())
    },
    fail(cause) {
      if (isOver) return
      if (options.signal.aborted) {
        leave()
        // A host that iterates may still wait for a chunk.
        response.fail(cause)
      }
      breakOff(new GatewayError('provider_failed', 'The connection to the provider broke off.', { cause }))
    },
  })
  return response
}

/** Takes usage out of every event that has it, and gives the events as the caller is to see them. */
function meterUsage(events: Buffer, options: StreamMeterOptions): Buffer {
  const { attempt } = options
  const pieces: Buffer[] = []
  let copied = 0
  for (let at = events.indexOf(usageName); at !== -1; ) {
    const end = eventEnd(events, at)
    const start = eventStart(events, at)
    const received = events.subarray(start, end)
    const event = inOneLine(received)
    const edited = meterEvent(event, options)
    if (edited !== received) {
      pieces.push(events.subarray(copied, start), edited)
      copied = end
    }
    at = events.indexOf(usageName, end)
    if (attempt.reported !== undefined)
      countUntold(events.subarray(end, at === -1 ? undefined : eventStart(events, at)), attempt)
  }
  if (pieces.length === 0) return events
  pieces.push(events.subarray(copied))
  return Buffer.concat(pieces)
}

/** Output that comes behind usage is not counted in it: some providers tell the prompt first, and the rest nowhere. */
function countUntold(events: Buffer, attempt: Attempt): void {
  if (events.length === 0 || !events.includes(deltaName)) return
  const pieces = events.toString('latin1').match(outputPiece)
  if (pieces === null) return
  attempt.untoldEvents = (attempt.untoldEvents ?? 0) + pieces.length
  attempt.isReportFinal = false
}

/** An event whose data is on several lines, as one that is on one: JSON has line ends between its parts only. */
function inOneLine(event: Buffer): Buffer {
  if (countOf(event, dataField) === 1) return event
  const lines = event
    .toString('latin1')
    .split(/\r\n|\n|\r/)
    .filter((line) => line.startsWith('data:'))
  if (lines.length < 2) return event
  return Buffer.from(`data: ${lines.map((line) => line.slice('data:'.length)).join(' ')}\n\n`, 'latin1')
}

function meterEvent(event: Buffer, { attempt, wantsUsage, readUsage, costOf }: StreamMeterOptions): Buffer {
  const object = dataObject(event)
  const told = readReplyUsage(event, object)
  // Many providers send `usage: null` until the end. Null is not zero.
  if (object === undefined || typeof told?.usage !== 'object' || told.usage === null) return event
  const quantities = readUsage(told)
  if (quantities !== undefined) {
    attempt.reported = quantities
    attempt.isReportFinal = isLast(event, object)
    delete attempt.untoldEvents
  }
  if (!wantsUsage) {
    return isUsageOnly(event, object) ? Buffer.alloc(0) : editObject(event, object, { usage: undefined })
  }
  const members = attempt.reported === undefined ? undefined : costOf(attempt.reported)
  if (members === undefined) return event
  return editObject(event, object, { usage: JSON.stringify({ ...told.usage, ...members }) })
}

/** Whether usage in this event counts everything: some providers repeat a running count in every event. */
function isLast(event: Buffer, object: JsonObject): boolean {
  return isUsageOnly(event, object) || /"finish_reason"\s*:\s*"/.test(event.toString('latin1'))
}

/** Whether an event holds neither a piece of an answer nor an error. */
function isUsageOnly(event: Buffer, { members }: JsonObject): boolean {
  const choices = members.find((member) => member.name === 'choices')
  if (choices !== undefined && !isEmptyArray(event, choices.valueStart, choices.valueEnd)) return false
  return members.every((member) => member.name !== 'error')
}

/** Whether an event lacks nothing but the blank line that ends it. */
function isWholeEvent(event: Buffer): boolean {
  return doneAt(event) !== -1 || dataObject(event) !== undefined
}

function incomplete(): GatewayError {
  return new GatewayError('provider_failed', 'The provider ended the answer before it was complete.')
}

/** The JSON object of an event's data line. Comments and names may have braces of their own. */
function dataObject(event: Buffer): JsonObject | undefined {
  for (let at = event.indexOf(dataField); at !== -1; at = event.indexOf(dataField, at + 1)) {
    const before = at === 0 ? lineFeed : event[at - 1]
    if (before === lineFeed || before === carriageReturn || isMark(event, at))
      return scanObject(event, at + dataField.length)
  }
  return undefined
}

/** Whether nothing but a byte order mark is in front, with which a stream may begin. */
function isMark(event: Buffer, at: number): boolean {
  return at === 3 && event.toString('hex', 0, 3) === 'efbbbf'
}

function hasErrorEvent(events: Buffer): boolean {
  for (let at = events.indexOf(errorName); at !== -1; ) {
    const end = eventEnd(events, at)
    const event = events.subarray(eventStart(events, at), end)
    const member = dataObject(event)?.members.find((candidate) => candidate.name === 'error')
    if (member !== undefined && event.toString('latin1', member.valueStart, member.valueEnd) !== 'null')
      return true
    at = events.indexOf(errorName, end)
  }
  return false
}

/** Where the closing `[DONE]` event starts; -1 when it is not there. It can only be the last one. */
function doneAt(events: Buffer): number {
  const mark = events.lastIndexOf(doneMark)
  if (mark === -1) return -1
  const start = eventStart(events, mark)
  return /^data: ?\[DONE\]/m.test(events.toString('latin1', start, mark + doneMark.length)) ? start : -1
}

function countOf(bytes: Buffer, part: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(part); at !== -1; at = bytes.indexOf(part, at + part.length)) count += 1
  return count
}

function isEmptyArray(bytes: Buffer, start: number, end: number): boolean {
  return /^\[\s*\]$/.test(bytes.toString('latin1', start, end))
}

function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}
