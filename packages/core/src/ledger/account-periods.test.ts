import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Account } from './account.ts'
import { firstPeriod, nextPeriod, periodOf } from './account-periods.ts'
import { configure } from './configure.ts'
import { readEntry } from './entry.ts'
import type { Period } from './period.ts'
import { planPreset } from './plan-presets.ts'
import type { Value } from './storage.ts'
import { addTerms, type TermsHistory } from './terms-history.ts'

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

  it('are calendar months under a key of a month, whatever the anchor day is since', () => {
    const history = [anchored(at(2026, 9, 1), 15)]
    expect(periodOf('2026-11', history)).toMatchObject({ startMs: at(2026, 11, 1), endMs: at(2026, 12, 1) })
    expect(periodOf('2026-11-15', history)).toMatchObject({
      startMs: at(2026, 11, 15),
      endMs: at(2026, 12, 15),
    })
  })

  it('are those that the account itself went through, whatever became of its anchor day and when', () => {
    const plans = planPreset('hf-latest')
    const anchorDay = fc.oneof(fc.constantFrom(null, 1, 28, 29, 30, 31), fc.integer({ min: 1, max: 31 }))
    // In the first and the last moment of a period, and anywhere in it.
    const change = fc.record({
      anchorDay,
      within: fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })),
    })
    const start = fc.date({ min: new Date('2026-01-01'), max: new Date('2033-01-01'), noInvalidDate: true })
    fc.assert(
      fc.property(start, anchorDay, fc.array(change, { maxLength: 12 }), (date, signedUpWith, changes) => {
        let head: Account | null = null
        let history: TermsHistory = []
        const apply = (nowMs: number, day: number | null): Account => {
          const cut = {
            head: head as Value,
            records: new Map(),
            due: [],
            moreDue: false,
            version: 1n,
            now: nowMs,
          }
          const { result, write } = configure(
            { accountId: 'alice', planId: 'pro', anchorDay: day },
            plans,
          )(cut)
          history = (write?.append ?? []).map(readEntry).reduce(addTerms, history)
          head = result
          return result
        }
        let last = apply(+date, signedUpWith).period
        const gone: Period[] = [last]
        for (const each of changes) {
          const span = last.endMs - 1 - Math.max(last.startMs, +date)
          apply(last.endMs - 1 - Math.round(span * each.within), each.anchorDay)
          last = apply(last.endMs, each.anchorDay).period
          gone.push(last)
        }
        let told = firstPeriod({ atMs: +date, anchorDay: signedUpWith })
        for (const period of gone) {
          expect(told).toEqual(period)
          expect(periodOf(period.key, history)).toMatchObject({
            startMs: period.startMs,
            endMs: period.endMs,
          })
          told = nextPeriod(told, history)
        }
      }),
      { numRuns: 300 },
    )
  })
})
