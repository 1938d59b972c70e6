import { type Period, periodAfter, periodAt } from './period.ts'
import { anchorBefore, type TermsHistory } from './terms-history.ts'

/** How an account began. */
export type Beginning = {
  readonly atMs: number
  /** Who signs up with an anchor day has it at once. */
  readonly anchorDay: number | null
}

/** The first period of an account. */
export function firstPeriod({ atMs, anchorDay }: Beginning): Period {
  return periodAt(atMs, anchorDay)
}

/** The period after another. The anchor day that was set before its first moment decides, as everywhere. */
export function nextPeriod(period: Period, history: TermsHistory): Period {
  return periodAfter(period, period.endMs, anchorBefore(history, period.endMs) ?? null)
}

/** The period of a key, given the terms of its time. A key tells the first day; where the period ends, the anchor day tells. */
export function periodOf(key: string, history: TermsHistory): Period {
  const startMs = Date.parse(key.length === 7 ? `${key}-01` : key)
  if (key.length === 7) return periodAt(startMs, null)
  // The first period of an account that signed up with an anchor day begins before anything else is known of it.
  const before = anchorBefore(history, startMs)
  const anchorDay = before === undefined ? (history[0]?.anchorDay ?? null) : before
  return { key, startMs, endMs: periodAt(startMs, anchorDay).endMs }
}
