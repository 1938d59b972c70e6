/** A half-open stretch of time, `startMs` to just before `endMs`, in which included credit is issued once. */
export type Period = {
  /**
   * Such as `2026-11` for a calendar month, and `2026-11-15` for a period that begins on that day. Unique in an account,
   * and in the order of time when sorted as text.
   */
  readonly key: string
  readonly startMs: number
  readonly endMs: number
  /** Only for a period that a change of the anchor day cut short: how long it would have been. */
  readonly wholeMs?: number
}

/**
 * The period that holds this moment: a calendar month in UTC, or with an anchor day the time from that day to the same
 * day of the next month. An anchor that a month does not have falls on the month's last day. Every boundary is computed
 * from the anchor and never from the boundary before it, so that the 31st comes back after February.
 */
export function periodAt(nowMs: number, anchorDay: number | null): Period {
  const day = anchorDay ?? 1
  const date = new Date(nowMs)
  const year = date.getUTCFullYear()
  const month = date.getUTCMonth()
  const boundaryMs = boundary(year, month, day)
  return nowMs >= boundaryMs
    ? period(boundaryMs, boundary(year, month + 1, day))
    : period(boundary(year, month - 1, day), boundaryMs)
}

/**
 * The period of this moment for an account whose last period is over. A new anchor day takes effect here and not before:
 * the first period under it begins where the last one ended, and is shorter than a whole one.
 */
export function periodAfter(last: Period, nowMs: number, anchorDay: number | null): Period {
  const whole = periodAt(nowMs, anchorDay)
  if (whole.startMs >= last.endMs) return whole
  return { ...period(last.endMs, whole.endMs), wholeMs: whole.endMs - whole.startMs }
}

/** Midnight UTC of the anchor day in this month, or of the month's last day. Months count from 0, and on over the year. */
function boundary(year: number, month: number, day: number): number {
  const daysInMonth = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  return Date.UTC(year, month, Math.min(day, daysInMonth))
}

function period(startMs: number, endMs: number): Period {
  const date = new Date(startMs).toISOString().slice(0, 10)
  const isCalendarMonth = date.endsWith('-01') && new Date(endMs).getUTCDate() === 1
  return { key: isCalendarMonth ? date.slice(0, 7) : date, startMs, endMs }
}

/** Whether text is written like a period's key. */
export function isPeriodKey(text: string): boolean {
  return /^\d{4}-\d{2}(-\d{2})?$/.test(text)
}
