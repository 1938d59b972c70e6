import { describe, expect, it } from 'vitest'
import type { Nano } from '../money.ts'
import { addToDay, dayOf, rowsPerPage, theOthers, type UsageDay, type UsageRow } from './usage-day.ts'
import { nothingUsed } from './usage-sums.ts'

function row(memberId: string | undefined, charged = 1n): UsageRow {
  return {
    periodKey: '2026-11',
    model: 'm',
    providerId: 'p',
    ...(memberId === undefined ? {} : { memberId }),
    ...nothingUsed,
    requests: 1,
    charged: charged as Nano,
  }
}

/** A day after these rows were added to it, one by one. */
function dayOfRows(rows: readonly UsageRow[], rowsMax?: number): (readonly UsageRow[])[] {
  const pages: (readonly UsageRow[])[] = []
  for (const each of rows) {
    for (const { key, value } of addToDay('2026-11-22', pages, [each], rowsMax)) {
      const page = key.split(':')[2] ?? '0'
      pages[Number(page)] = (value as unknown as UsageDay).rows
    }
  }
  return pages
}

describe('the usage of a day', () => {
  it('is of the UTC day', () => {
    expect(dayOf(Date.UTC(2026, 10, 22))).toBe('2026-11-22')
    expect(dayOf(Date.UTC(2026, 10, 22) - 1)).toBe('2026-11-21')
  })

  it('adds to the row there is', () => {
    const [rows] = dayOfRows([row('ada', 3n), row('bob', 5n), row('ada', 4n)])
    expect(rows?.map(({ memberId, requests, charged }) => [memberId, requests, charged])).toEqual([
      ['ada', 2, 7n],
      ['bob', 1, 5n],
    ])
  })

  it('writes only pages that change, and the number of pages with the first', () => {
    const rows = Array.from({ length: rowsPerPage + 1 }, (_, index) => row(`m${index}`))
    const written = addToDay('2026-11-22', [], rows)
    expect(written.map(({ key }) => key)).toEqual(['usage:2026-11-22', 'usage:2026-11-22:1'])
    expect(written[0]?.value).toMatchObject({ pages: 2 })

    const pages = written.map(({ value }) => (value as unknown as UsageDay).rows)
    expect(addToDay('2026-11-22', pages, [row('m300')]).map(({ key }) => key)).toEqual(['usage:2026-11-22:1'])
    expect(addToDay('2026-11-22', pages, [row('m0')]).map(({ key }) => key)).toEqual(['usage:2026-11-22'])
    expect(addToDay('2026-11-22', pages, [])).toEqual([])
  })

  it('adds rows of one name that come together, on a new page too', () => {
    const rows = Array.from({ length: rowsPerPage }, (_, index) => row(`m${index}`))
    const [first, second] = addToDay('2026-11-22', [rows], [row('ada', 3n), row('ada', 4n), row('m0', 8n)])
    // The first page says how many there are now.
    expect(first).toMatchObject({ key: 'usage:2026-11-22', value: { pages: 2 } })
    const { rows: changed } = (first as unknown as { value: UsageDay }).value
    expect(changed[0]).toMatchObject({ requests: 2, charged: 9n })
    expect(second).toEqual({
      key: 'usage:2026-11-22:1',
      value: { rows: [{ ...row('ada', 7n), requests: 2 }] },
    })

    const [alone] = addToDay('2026-11-22', [rows], [row('ada')])
    expect(alone).toMatchObject({ key: 'usage:2026-11-22', value: { pages: 2 } })
  })

  it('counts new members together beyond its bound, and loses no sum', () => {
    const pages = dayOfRows([row('a', 1n), row('b', 2n), row('c', 4n), row('d', 8n), row('a', 16n)], 2)
    expect(pages.flat().map(({ memberId, keyId, charged }) => [memberId, keyId, charged])).toEqual([
      ['a', undefined, 17n],
      ['b', undefined, 2n],
      [theOthers, theOthers, 12n],
    ])
  })

  it('has room for what has neither member nor key', () => {
    const pages = dayOfRows([row('a'), row('b'), row(undefined), { ...row(undefined), keyId: 'key' }], 2)
    expect(pages.flat().map(({ memberId, keyId }) => [memberId, keyId])).toEqual([
      ['a', undefined],
      ['b', undefined],
      [undefined, undefined],
      [theOthers, theOthers],
    ])
  })

  it('leaves the rows it was given as they are', () => {
    const pages = [Object.freeze([Object.freeze(row('ada', 1n))])]
    addToDay('2026-11-22', pages, [row('ada', 1n)])
    expect(pages[0]?.[0]?.charged).toBe(1n)
  })
})
