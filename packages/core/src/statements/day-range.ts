import { GatewayError } from '../errors.ts'

const dayMs = 86_400_000

/** Days that one query covers at most. */
const daysMax = 366

/** A half-open stretch of UTC days. */
export interface DayRange {
  readonly startMs: number
  readonly endMs: number
}

/**
 * Reads a range of days, from the first to the one after the last.
 *
 * @throws GatewayError `invalid_request` when a day is none, the range is empty, or longer than 366 days.
 */
export function rangeOf({ from, to }: { readonly from: string; readonly to: string }): DayRange {
  const startMs = startOf(from, 'from')
  const endMs = startOf(to, 'to')
  const days = (endMs - startMs) / dayMs
  if (days < 1) {
    throw new GatewayError('invalid_request', 'to must be after from: it is the day after the last one.', {
      param: 'to',
    })
  }
  if (days > daysMax) {
    throw new GatewayError('invalid_request', `At most ${daysMax} days at once, not ${days}.`, {
      param: 'from',
    })
  }
  return { startMs, endMs }
}

export function daysIn({ startMs, endMs }: DayRange): readonly string[] {
  const count = (endMs - startMs) / dayMs
  return Array.from({ length: count }, (_, index) =>
    new Date(startMs + index * dayMs).toISOString().slice(0, 10),
  )
}

function startOf(day: string, param: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN
  // 30 February is a date to some parsers and the 2nd of March to others.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== day) {
    throw new GatewayError('invalid_request', `${param} must be a day such as 2026-11-01, not "${day}".`, {
      param,
    })
  }
  return ms
}
