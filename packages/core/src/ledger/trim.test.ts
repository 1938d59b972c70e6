import { describe, expect, it } from 'vitest'
import { emptyFold } from './audit/fold.ts'
import { exportKey } from './export-cursor.ts'
import { usageCursorKey } from './fold-usage.ts'
import { journalBaseKey } from './journal-base.ts'
import { firstDraft } from './open-account.ts'
import { planPreset } from './plan-presets.ts'
import type { Cut, Key, Value } from './storage.ts'
import { trimAfterLeastMs, trimPlace, trimStep } from './trim.ts'

const plans = planPreset('hf-2026-02-04')
const now = Date.UTC(2026, 10, 10)

/** An account with 500 entries that everybody has. */
function cutOf(records: Readonly<Record<Key, Value>> = {}, due: Cut['due'] = []): Cut {
  const empty: Cut = { head: null, records: new Map(), due: [], moreDue: false, version: 0n, now }
  const head = { ...firstDraft(empty, 'alice', plans).account, seq: 500n, chain: 'c' } as Value
  const all = {
    [usageCursorKey]: { seq: 500n, began: null, terms: [], open: [] },
    [exportKey('archive')]: { seq: 500n },
    [exportKey('warehouse')]: { seq: 500n },
    ...records,
  }
  return { ...empty, head, records: new Map(Object.entries(all)), due, version: 1n }
}

const hold = (id: string, settledBy?: bigint) => ({
  key: `hold:${id}`,
  value: { reservationId: id, state: 'provisional', ...(settledBy === undefined ? {} : { settledBy }) },
})

const consumers = ['archive', 'warehouse']
const freeOf = (cut: Cut) => trimPlace(consumers)(cut).result.free

describe('how far a journal may be trimmed', () => {
  it('is up to its last entry when nobody needs one any more', () => {
    expect(trimPlace(consumers)(cutOf()).result).toMatchObject({ free: 500n, summed: 500n, now })
  })

  it('is not beyond what the consumer has that is furthest behind, or was never there', () => {
    expect(freeOf(cutOf({ [exportKey('warehouse')]: { seq: 70n } }))).toBe(70n)
    expect(freeOf(cutOf({ [exportKey('archive')]: { seq: 70n } }))).toBe(70n)
    expect(trimPlace(['archive', 'new'])(cutOf()).result).toMatchObject({
      free: 0n,
      behind: { consumer: 'new', seq: 0n },
    })
  })

  it('is before the entry that an open hold was settled by: its cost is still to come', () => {
    const due = [hold('a'), hold('b', 300n), hold('c', 90n), { key: 'op:d', value: { settledBy: 3n } }]
    expect(freeOf(cutOf({}, due))).toBe(89n)
  })

  it('names the first of the consumers that are equally far behind', () => {
    const seq = 70n
    const cut = cutOf({ [exportKey('archive')]: { seq }, [exportKey('warehouse')]: { seq } })
    expect(trimPlace(consumers)(cut).result.behind).toEqual({ consumer: 'archive', seq })
    expect(trimPlace(['warehouse', 'archive'])(cut).result.behind).toEqual({ consumer: 'warehouse', seq })
  })

  it('is unknown while holds are open that one reading does not show, unless all of these still have time', () => {
    const late = (untilMs: number) => ({ ...hold('a', 300n).value, late: { untilMs } })
    const free = (untilMs: number, moreDue: boolean) =>
      freeOf({ ...cutOf({}, [{ key: 'hold:a', value: late(untilMs) }]), moreDue })
    expect(free(now, true)).toBe(0n)
    expect(free(now + 1, true)).toBe(299n)
    expect(free(now, false)).toBe(299n)
    expect(freeOf({ ...cutOf(), moreDue: true })).toBe(0n)
  })

  it('goes by the time of the account where the clock of the store was set back', () => {
    const cut = cutOf()
    const { now: time } = trimPlace(consumers)({ ...cut, now: now - 1000 }).result
    expect(time).toBe(now)
    expect(trimPlace(consumers)({ ...cut, now: now + 1000 }).result.now).toBe(now + 1000)
  })

  it('is nothing for an account that was never written', () => {
    const cut = { ...cutOf(), head: null }
    expect(trimPlace(consumers)(cut).result).toMatchObject({ free: 0n, now })
  })
})

describe('a step of trimming', () => {
  const step = (change: Partial<Parameters<typeof trimStep>[0]> = {}) =>
    trimStep(
      {
        accountId: 'alice',
        consumers,
        beforeMs: now - trimAfterLeastMs,
        from: 0n,
        seq: 200n,
        chain: 'h',
        fold: { ...emptyFold(), recordedAtMs: now - trimAfterLeastMs - 1 },
        ...change,
      },
      plans,
    )

  it('keeps the base and books the entry that tells of it in one write', () => {
    const { result, write } = step()(cutOf())
    expect(result).toEqual({ outcome: 'trimmed' })
    const put = write?.put?.find(({ key }) => key === journalBaseKey)
    expect(put?.value).toMatchObject({ seq: 200n, chain: 'h', toldBy: write?.append?.at(-1)?.seq })
    expect(put).not.toHaveProperty('keepUntil')
  })

  it.each([
    ['the base is another one meanwhile', { from: 7n }, cutOf()],
    ['a consumer lacks an entry', { seq: 71n }, cutOf({ [exportKey('warehouse')]: { seq: 70n } })],
    ['the sums of usage lack an entry', {}, cutOf({ [usageCursorKey]: { seq: 199n, terms: [], open: [] } })],
    ['an open hold needs an entry', {}, cutOf({}, [hold('a', 200n)])],
    [
      'an entry is as young as what may not go',
      {
        beforeMs: now - trimAfterLeastMs - 1,
        fold: { ...emptyFold(), recordedAtMs: now - trimAfterLeastMs - 1 },
      },
      cutOf(),
    ],
    [
      'an entry is of 400 days ago, and no older',
      { beforeMs: now, fold: { ...emptyFold(), recordedAtMs: now - trimAfterLeastMs } },
      cutOf(),
    ],
  ])('writes nothing when %s', (_, change, cut) => {
    expect(step(change)(cut)).toEqual({ result: { outcome: 'moved' } })
  })
})
