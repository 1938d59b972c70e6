import { describe, expect, it } from 'vitest'
import { daysIn, rangeOf } from './day-range.ts'

describe('a range of days', () => {
  it('has its first day and not its last', () => {
    expect(daysIn(rangeOf({ from: '2024-02-28', to: '2024-03-01' }))).toEqual(['2024-02-28', '2024-02-29'])
  })

  it('is at most a leap year', () => {
    expect(daysIn(rangeOf({ from: '2024-01-01', to: '2025-01-01' }))).toHaveLength(366)
    expect(() => rangeOf({ from: '2024-01-01', to: '2025-01-02' })).toThrow(
      'At most 366 days at once, not 367.',
    )
  })

  it.each([
    [{ from: '2026-11-01', to: '2026-11-01' }, 'to must be after from'],
    [{ from: '2026-11-02', to: '2026-11-01' }, 'to must be after from'],
    [{ from: '2026-02-30', to: '2026-11-01' }, 'from must be a day such as 2026-11-01, not "2026-02-30".'],
    [{ from: '2026-11-01', to: '2026-13-01' }, 'to must be a day such as 2026-11-01, not "2026-13-01".'],
    [{ from: '1 May 2026', to: '2026-11-01' }, 'from must be a day'],
    [{ from: '2026-11-01T00:00', to: '2026-11-02' }, 'from must be a day'],
    [{ from: '', to: '2026-11-02' }, 'from must be a day'],
  ])('refuses %j', (range, message) => {
    expect(() => rangeOf(range)).toThrow(message)
  })
})
