import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { periodAfter, periodAt } from './period.ts'

const day = 24 * 3_600_000

/** The days of every month, in common years, leap years, and years that only look like leap years. */
const months: readonly [string, number][] = [
  ['2026-01', 31],
  ['2026-02', 28],
  ['2026-03', 31],
  ['2026-04', 30],
  ['2026-05', 31],
  ['2026-06', 30],
  ['2026-07', 31],
  ['2026-08', 31],
  ['2026-09', 30],
  ['2026-10', 31],
  ['2026-11', 30],
  ['2026-12', 31],
  ['2028-02', 29],
  ['2100-02', 28],
  ['2000-02', 29],
]

const moment = fc.date({ min: new Date(0), max: new Date('2200-01-01'), noInvalidDate: true })
const anchor = fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 31 }), fc.constantFrom(28, 29, 30, 31))

describe('periodAt without an anchor day', () => {
  it.each(months)('gives %s its %i days', (key, days) => {
    const startMs = Date.parse(`${key}-01T00:00:00Z`)
    expect(periodAt(startMs, null)).toEqual({ key, startMs, endMs: startMs + days * day })
    expect(periodAt(startMs + days * day - 1, null).key).toBe(key)
    expect(periodAt(startMs + days * day, null).key).not.toBe(key)
    expect(periodAt(startMs - 1, null).key).not.toBe(key)
  })

  it('is the same as with an anchor on the first', () => {
    fc.assert(
      fc.property(moment, (date) => {
        expect(periodAt(+date, 1)).toEqual(periodAt(+date, null))
      }),
    )
  })
})

describe('periodAt with an anchor day', () => {
  it.each([
    [15, '2026-11-14T23:59:59.999Z', '2026-10-15', '2026-11-15'],
    [15, '2026-11-15T00:00:00.000Z', '2026-11-15', '2026-12-15'],
    [31, '2026-11-29T23:59:59.999Z', '2026-10-31', '2026-11-30'],
    [31, '2026-11-30T00:00:00.000Z', '2026-11-30', '2026-12-31'],
    [31, '2026-12-31T00:00:00.000Z', '2026-12-31', '2027-01-31'],
    [31, '2027-02-27T00:00:00.000Z', '2027-01-31', '2027-02-28'],
    [31, '2027-02-28T00:00:00.000Z', '2027-02-28', '2027-03-31'],
    [31, '2028-02-29T00:00:00.000Z', '2028-02-29', '2028-03-31'],
    [30, '2027-03-29T00:00:00.000Z', '2027-02-28', '2027-03-30'],
    [29, '2027-02-28T00:00:00.000Z', '2027-02-28', '2027-03-29'],
    [29, '2028-02-28T00:00:00.000Z', '2028-01-29', '2028-02-29'],
    [2, '2027-01-01T00:00:00.000Z', '2026-12-02', '2027-01-02'],
  ])('on the %i puts %s between %s and %s', (anchorDay, at, start, end) => {
    const { key, startMs, endMs } = periodAt(Date.parse(at), anchorDay)
    expect([startMs, endMs]).toEqual([Date.parse(start), Date.parse(end)])
    expect(key).toBe(start)
  })

  it.each([28, 29, 30, 31])('comes back to the %i after every shorter month', (anchorDay) => {
    let at = Date.UTC(2027, 0, anchorDay)
    for (let month = 1; month <= 48; month += 1) {
      at = periodAt(at, anchorDay).endMs
      const days = new Date(Date.UTC(2027, month + 1, 0)).getUTCDate()
      expect(new Date(at).toISOString().slice(0, 10)).toBe(
        new Date(Date.UTC(2027, month, Math.min(anchorDay, days))).toISOString().slice(0, 10),
      )
    }
  })

  it('puts every moment into exactly one period, and the next begins where it ends', () => {
    fc.assert(
      fc.property(moment, anchor, (date, anchorDay) => {
        const period = periodAt(+date, anchorDay)
        expect(period.startMs).toBeLessThanOrEqual(+date)
        expect(period.endMs).toBeGreaterThan(+date)
        expect(period.endMs - period.startMs).toBeLessThanOrEqual(31 * day)
        expect(period.endMs - period.startMs).toBeGreaterThanOrEqual(28 * day)
        expect(periodAt(period.startMs, anchorDay)).toEqual(period)
        expect(periodAt(period.endMs - 1, anchorDay)).toEqual(period)
        expect(periodAt(period.endMs, anchorDay).startMs).toBe(period.endMs)
        expect(periodAt(period.endMs, anchorDay).key > period.key).toBe(true)
      }),
    )
  })
})

describe('periodAfter', () => {
  it('is the next period while the anchor day stays, however long nobody looked', () => {
    fc.assert(
      fc.property(moment, anchor, fc.integer({ min: 0, max: 400 * day }), (date, anchorDay, laterMs) => {
        const last = periodAt(+date, anchorDay)
        const at = last.endMs + laterMs
        expect(periodAfter(last, at, anchorDay)).toEqual(periodAt(at, anchorDay))
      }),
    )
  })

  it.each([
    [null, 15, '2026-12-01', '2026-12-15', '2026-12-01', 30],
    [15, null, '2026-11-15', '2026-12-01', '2026-11-15', 30],
    [null, 31, '2026-12-01', '2026-12-31', '2026-12-01', 31],
    [20, 10, '2026-11-20', '2026-12-10', '2026-11-20', 30],
    [10, 20, '2026-12-10', '2026-12-20', '2026-12-10', 30],
  ])('from anchor %s to %s is a part of a whole one: %s to %s', (from, to, start, end, key, wholeDays) => {
    const last = periodAt(Date.UTC(2026, 10, 10) - (from === 20 || from === 15 ? 1 : 0), from)
    const expected = { key, startMs: Date.parse(start), endMs: Date.parse(end), wholeMs: wholeDays * day }
    expect(periodAfter(last, last.endMs, to)).toEqual(expected)
    expect(periodAfter(last, expected.endMs - 1, to)).toEqual(expected)
    expect(periodAfter(last, expected.endMs, to)).toEqual(periodAt(expected.endMs, to))
  })

  it('leaves no time out, counts none twice, and sorts by key, however often the anchor day changes', () => {
    fc.assert(
      fc.property(moment, fc.array(anchor, { minLength: 1, maxLength: 20 }), (date, anchors) => {
        let last = periodAt(+date, null)
        for (const anchorDay of anchors) {
          const next = periodAfter(last, last.endMs, anchorDay)
          expect(next.startMs).toBe(last.endMs)
          expect(next.endMs).toBeGreaterThan(next.startMs)
          expect(next.wholeMs ?? Number.POSITIVE_INFINITY).toBeGreaterThan(next.endMs - next.startMs)
          expect(next.key > last.key).toBe(true)
          last = next
        }
      }),
    )
  })
})
