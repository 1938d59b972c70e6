import type { Key, Value } from './storage.ts'
import { addUsage, sumsOf, totalsOf, type UsageSums } from './usage-sums.ts'

/** What usage is kept apart by, within a day. */
export type UsageKey = {
  /** The period that pays. */
  readonly periodKey: string
  readonly model: string
  readonly providerId: string
  readonly memberId?: string
  /** The API key that asked, by its id. */
  readonly keyId?: string
}

/** What one combination of them used on one day. */
export type UsageRow = UsageKey & UsageSums

/**
 * The usage of one UTC day. The rows of a busy day go on in further records, so that none of them grows without end:
 * the first record says how many there are.
 */
export type UsageDay = {
  readonly pages: number
  readonly rows: readonly UsageRow[]
}

export const rowsPerPage = 256

/** From then on new members and keys of a day are counted together: the sums stay exact, only who it was is lost. */
const rowsPerDayMax = 10_240

/** Stands for members and keys that are counted together. */
export const theOthers = '(others)'

export const dayMs = 86_400_000

/** The day that was asked for last: entries that follow each other are mostly of one day, and writing it takes a microsecond. */
let lastDay = { number: 0, text: '1970-01-01' }

/** The UTC day of a moment, such as `2026-11-22`. */
export function dayOf(ms: number): string {
  const number = Math.floor(ms / dayMs)
  if (number !== lastDay.number) lastDay = { number, text: new Date(ms).toISOString().slice(0, 10) }
  return lastDay.text
}

/** The key of a day's page; the first is page 0. */
export function usageDayKey(day: string, page = 0): Key {
  return page === 0 ? `usage:${day}` : `usage:${day}:${page}`
}

/** Names a row within its day. As JSON, because joined names can read the same when they are not. */
export function usageRowName({ periodKey, model, providerId, memberId, keyId }: UsageKey): string {
  return JSON.stringify([periodKey, model, providerId, memberId, keyId])
}

/** The sum of two rows of one name. */
function joined(a: UsageRow, b: UsageRow): UsageRow {
  const totals = totalsOf(a)
  addUsage(totals, b)
  return { ...a, ...sumsOf(totals) }
}

/** A page of a day that has to be written. */
export interface ChangedPage {
  readonly key: Key
  readonly value: Value
}

/** Adds rows to a day, given all of its pages in order. Gives the pages that are different now. */
export function addToDay(
  day: string,
  pages: readonly (readonly UsageRow[])[],
  added: Iterable<UsageRow>,
  rowsMax: number = rowsPerDayMax,
): readonly ChangedPage[] {
  const changed = pages.map((rows) => ({ rows: rows.slice(), isChanged: false }))
  const places = new Map<string, { readonly page: number; readonly index: number }>()
  for (const [page, { rows }] of changed.entries()) {
    for (const [index, row] of rows.entries()) places.set(usageRowName(row), { page, index })
  }

  function add(row: UsageRow): void {
    const place = places.get(usageRowName(row))
    if (place !== undefined) {
      const page = changed[place.page]
      const present = page?.rows[place.index]
      if (page === undefined || present === undefined) return
      page.rows[place.index] = joined(present, row)
      page.isChanged = true
      return
    }
    const isOne = row.memberId !== undefined || row.keyId !== undefined
    if (places.size >= rowsMax && isOne && row.memberId !== theOthers) {
      add({ ...row, memberId: theOthers, keyId: theOthers })
      return
    }
    append(row)
  }

  function append(row: UsageRow): void {
    let last = changed.at(-1)
    if (last === undefined || last.rows.length >= rowsPerPage) {
      last = { rows: [], isChanged: true }
      changed.push(last)
      const first = changed[0]
      if (first !== undefined) first.isChanged = true
    }
    places.set(usageRowName(row), { page: changed.length - 1, index: last.rows.length })
    last.rows.push(row)
    last.isChanged = true
  }

  for (const row of added) add(row)
  return changed.flatMap(({ rows, isChanged }, page) => {
    if (!isChanged) return []
    const value: UsageDay | Omit<UsageDay, 'pages'> = page === 0 ? { pages: changed.length, rows } : { rows }
    return [{ key: usageDayKey(day, page), value: value as Value }]
  })
}
