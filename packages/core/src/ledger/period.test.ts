import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { periodAt } from './period.ts'

const day = 24 * 3_600_000

describe('periodAt', () => {
  it.each([
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
  ])('gives %s its %i days', (key, days) => {
    const startMs = Date.parse(`${key}-01T00:00:00Z`)
    expect(periodAt(startMs)).toEqual({ key, startMs, endMs: startMs + days * day })
    expect(periodAt(startMs + days * day - 1).key).toBe(key)
    expect(periodAt(startMs + days * day).key).not.toBe(key)
    expect(periodAt(startMs - 1).key).not.toBe(key)
  })

  it('puts every moment into exactly one period, and the next begins where it ends', () => {
    const moment = fc.date({ min: new Date(0), max: new Date('2200-01-01'), noInvalidDate: true })
    fc.assert(
      fc.property(moment, (date) => {
        const period = periodAt(date.getTime())
        expect(period.startMs).toBeLessThanOrEqual(date.getTime())
        expect(period.endMs).toBeGreaterThan(date.getTime())
        expect(periodAt(period.startMs)).toEqual(period)
        expect(periodAt(period.endMs - 1)).toEqual(period)
        expect(periodAt(period.endMs).startMs).toBe(period.endMs)
        expect(periodAt(period.endMs).key > period.key).toBe(true)
      }),
    )
  })
})
