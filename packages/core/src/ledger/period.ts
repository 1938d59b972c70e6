/** A half-open stretch of time, `startMs` to just before `endMs`, in which included credit is issued once. */
export type Period = {
  /** Such as `2026-11`. */
  readonly key: string
  readonly startMs: number
  readonly endMs: number
}

/** The calendar month, in UTC, that holds this moment. */
export function periodAt(nowMs: number): Period {
  const date = new Date(nowMs)
  const year = date.getUTCFullYear()
  const month = date.getUTCMonth()
  return {
    key: `${String(year).padStart(4, '0')}-${String(month + 1).padStart(2, '0')}`,
    startMs: Date.UTC(year, month),
    endMs: Date.UTC(year, month + 1),
  }
}
