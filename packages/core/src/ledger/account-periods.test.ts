import { describe, expect, it } from 'vitest'
import { firstPeriod, nextPeriod, periodOf } from './account-periods.ts'
import type { Period } from './period.ts'
import type { TermsHistory } from './terms-history.ts'

const at = (year: number, month: number, day: number): number => Date.UTC(year, month - 1, day)
const anchored = (atMs: number, anchorDay: number | null): TermsHistory[number] => ({
  atMs,
  planId: 'pro',
  seats: 1,
  anchorDay,
})

/** So many periods from the first on, by key. */
function keysOf(history: TermsHistory, first: Period, count: number): readonly string[] {
  const keys: string[] = []
  let period = first
  for (let index = 0; index < count; index += 1) {
    keys.push(period.key)
    // What is made of the key alone is the same period.
    expect(periodOf(period.key, history)).toMatchObject({ startMs: period.startMs, endMs: period.endMs })
    const next = nextPeriod(period, history)
    expect(next.startMs).toBe(period.endMs)
    period = next
  }
  return keys
}

describe('the periods of an account', () => {
  it('are calendar months without an anchor day', () => {
    const first = firstPeriod({ atMs: at(2026, 11, 22), anchorDay: null })
    expect(keysOf([], first, 3)).toEqual(['2026-11', '2026-12', '2027-01'])
    expect(keysOf([anchored(at(2026, 11, 22), null)], first, 2)).toEqual(['2026-11', '2026-12'])
  })

  it('begin on the anchor day that an account signed up with', () => {
    const history = [anchored(at(2026, 11, 22), 31)]
    const first = firstPeriod({ atMs: at(2026, 11, 22), anchorDay: 31 })
    expect(keysOf(history, first, 5)).toEqual([
      '2026-10-31',
      '2026-11-30',
      '2026-12-31',
      '2027-01-31',
      '2027-02-28',
    ])
  })

  it('are cut short by a new anchor day, once the period it was set in is over', () => {
    const history = [anchored(at(2026, 11, 2), null), anchored(at(2026, 11, 22), 15)]
    const first = firstPeriod({ atMs: at(2026, 11, 2), anchorDay: null })
    expect(keysOf(history, first, 3)).toEqual(['2026-11', '2026-12-01', '2026-12-15'])
  })

  it('go back to calendar months', () => {
    const history = [anchored(at(2026, 11, 2), 15), anchored(at(2026, 11, 22), null)]
    const first = firstPeriod({ atMs: at(2026, 11, 2), anchorDay: 15 })
    expect(keysOf(history, first, 4)).toEqual(['2026-10-15', '2026-11-15', '2026-12-15', '2027-01'])
  })

  it('do not change when the anchor day is set in the first moment of a period', () => {
    const history = [anchored(at(2026, 11, 2), null), anchored(at(2026, 12, 1), 15)]
    const first = firstPeriod({ atMs: at(2026, 11, 2), anchorDay: null })
    expect(keysOf(history, first, 4)).toEqual(['2026-11', '2026-12', '2027-01-01', '2027-01-15'])
  })
})
