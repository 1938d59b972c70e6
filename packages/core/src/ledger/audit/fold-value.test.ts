import { describe, expect, it } from 'vitest'
import { emptyFold, type Fold, type FoldedSource } from './fold.ts'
import { foldOfValue, isFoldValue, valueOfFold } from './fold-value.ts'

const grant: FoldedSource = {
  source: 'grant:a',
  buckets: { issued: -5n, available: 5n, settled: 0n, expired: 0n, voided: 0n, limit: 0n, used: 0n },
  effectiveAtMs: 1,
  terms: { kind: 'purchased' },
  movedAtMs: 2,
}
const line: FoldedSource = { ...grant, source: 'overage:2026-11', terms: {} }

const fold: Fold = {
  ...emptyFold(),
  sources: new Map([grant, line].map((source) => [source.source, source])),
  entries: { granted: 1, settled: 2 },
  absorbedBy: { overrun: 3n, a: 1n },
  configured: { planId: 'pro' },
  included: { planId: 'free' },
  closed: { periodKey: '2026-10', carryOut: 1n, invoiced: 2n },
}
const value = valueOfFold(fold)

/** The value with another member, there or in one of its sources. */
const withMember = (name: string, member: unknown) => ({ ...value, [name]: member })
const withSource = (change: object) => withMember('sources', [grant, { ...line, ...change }])

describe('a fold as a value', () => {
  it('is read back as it was', () => {
    expect(isFoldValue(value)).toBe(true)
    expect(foldOfValue(value)).toEqual(fold)
    const empty = valueOfFold(emptyFold())
    expect(isFoldValue(empty)).toBe(true)
    expect(foldOfValue(empty)).toEqual(emptyFold())
  })

  it('names counts and sums in one order, however they came about', () => {
    const names = (record: unknown) => Object.keys(record as object)
    const orders = [
      ['a', 'b', 'c'],
      ['c', 'b', 'a'],
      ['b', 'c', 'a'],
    ]
    for (const order of orders) {
      const record = Object.fromEntries(order.map((name) => [name, 1n]))
      const { entries, absorbedBy } = valueOfFold({ ...fold, entries: record as never, absorbedBy: record })
      expect([names(entries), names(absorbedBy)]).toEqual([orders[0], orders[0]])
    }
  })

  it('is folded on without changing what it was read from', () => {
    const read = foldOfValue(value)
    for (const source of read.sources.values()) source.buckets.available += 1n
    read.absorbedBy['overrun'] = 9n
    expect(value).toEqual(valueOfFold(fold))
    expect(fold.sources.get('grant:a')?.buckets.available).toBe(5n)
  })

  it.each([
    'attempts',
    'charged',
    'absorbed',
    'refunded',
    'recordedAtMs',
    'sources',
    'entries',
    'absorbedBy',
  ])('is none without its %s', (name) => {
    expect(isFoldValue(withMember(name, undefined))).toBe(false)
    expect(isFoldValue(withMember(name, 'text'))).toBe(false)
  })

  it.each(['source', 'buckets', 'effectiveAtMs', 'terms', 'movedAtMs'])(
    'is none where one of its sources has no %s',
    (name) => {
      expect(isFoldValue(withSource({ [name]: undefined }))).toBe(false)
      expect(isFoldValue(withSource({ [name]: null }))).toBe(false)
    },
  )

  it.each(Object.keys(grant.buckets))('is none where one of its sources lacks the bucket "%s"', (name) => {
    expect(isFoldValue(withSource({ buckets: { ...line.buckets, [name]: 0 } }))).toBe(false)
  })

  it.each(['configured', 'included'])('may have no terms that are %s, but no others than terms', (name) => {
    expect(isFoldValue(withMember(name, null))).toBe(true)
    expect(isFoldValue(withMember(name, 'pro'))).toBe(false)
    expect(isFoldValue(withMember(name, undefined))).toBe(false)
  })

  it('may have no invoice, but none that can not be read', () => {
    expect(isFoldValue(withMember('closed', null))).toBe(true)
    expect(isFoldValue(withMember('closed', undefined))).toBe(false)
    for (const name of ['periodKey', 'carryOut', 'invoiced'])
      expect(isFoldValue(withMember('closed', { ...fold.closed, [name]: undefined }))).toBe(false)
  })

  it('is none where there is no object', () => {
    for (const other of [null, undefined, 5n, 'text', []]) expect(isFoldValue(other)).toBe(false)
  })
})
