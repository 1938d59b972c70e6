import { GatewayError } from '../errors.ts'
import { dayMs, dayOf } from '../ledger/usage-day.ts'

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
  return Array.from({ length: count }, (_, index) => dayOf(startMs + index * dayMs))
}

function startOf(day: string, param: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN
  // 30 February is a date to some parsers and the 2nd of March to others.
  if (Number.isNaN(ms) || dayOf(ms) !== day) {
    throw new GatewayError('invalid_request', `${param} must be a day such as 2026-11-01, not "${day}".`, {
      param,
    })
  }
  return ms
}
