import { describe, expect, it } from 'vitest'
import type { Source } from './account.ts'
import { emptyFold, type Fold, type FoldedSource } from './audit/fold.ts'
import { foldOfValue } from './audit/fold-value.ts'
import { baseFold, hashOfBase, isJournalBase, type JournalBase, tellsOf } from './journal-base.ts'
import type { Value } from './storage.ts'
import { decodeValue, encodeValue } from './value-text.ts'

const dayMs = 24 * 3_600_000
const nowMs = 1000 * dayMs

function source(name: Source, movedDaysAgo: number, available = 0n, effectiveAtMs = 0): FoldedSource {
  return {
    source: name,
    buckets: {
      issued: -5n,
      available,
      settled: 5n - available,
      expired: 0n,
      voided: 0n,
      limit: 0n,
      used: 0n,
    },
    effectiveAtMs,
    terms: { kind: 'purchased' },
    movedAtMs: nowMs - movedDaysAgo * dayMs,
  }
}

function foldOf(...sources: readonly FoldedSource[]): Fold {
  return { ...emptyFold(), recordedAtMs: nowMs, sources: new Map(sources.map((each) => [each.source, each])) }
}

const period = { key: '2026-11', startMs: nowMs - 10 * dayMs, endMs: nowMs + 20 * dayMs }

function kept(fold: Fold, grantIds: readonly string[] = []): readonly unknown[] {
  const grants = grantIds.map((grantId) => ({ grantId })) as never
  return baseFold(fold, { grants, period }).sources.map((each) => (each as { source: string }).source)
}

describe('the base of a journal', () => {
  it('leaves out a grant that is used up and was not moved for longer than a refund is possible', () => {
    expect(kept(foldOf(source('grant:old', 431), source('grant:young', 430)))).toEqual(['grant:young'])
  })

  it('keeps a grant with credit, one the head still has, and one of this period, however long ago it was moved', () => {
    const fold = foldOf(
      source('grant:left', 900, 1n),
      source('grant:head', 900),
      source('grant:period', 900, 0n, period.startMs),
    )
    expect(kept(fold, ['head'])).toEqual(['grant:left', 'grant:head', 'grant:period'])
  })

  it('keeps every pay-as-you-go line: invoices are compared with all of them', () => {
    expect(kept(foldOf(source('overage:2020-01', 900)))).toEqual(['overage:2020-01'])
  })

  it('is read back as it was written, by a store as by this process', () => {
    const fold = { ...foldOf(source('grant:a', 1, 2n)), charged: 3n, absorbedBy: { overrun: 2n, a: 1n } }
    const value = baseFold(fold, { grants: [], period })
    const base: JournalBase = { seq: 7n, chain: 'c', toldBy: 9n, fold: value }
    const stored = decodeValue(encodeValue(base as Value))
    expect(isJournalBase(stored)).toBe(true)
    expect(foldOfValue((stored as JournalBase).fold)).toEqual(fold)
    expect(hashOfBase(stored as JournalBase)).toBe(hashOfBase(base))
    expect(tellsOf(base, { kind: 'trimmed', terms: { base: hashOfBase(base) } })).toBe(true)
    expect(tellsOf({ ...base, seq: 8n }, { kind: 'trimmed', terms: { base: hashOfBase(base) } })).toBe(false)
    expect(tellsOf(base, { kind: 'settled', terms: { base: hashOfBase(base) } })).toBe(false)
  })

  it('is not taken from what is none', () => {
    const place = { seq: 1n, chain: 'c', toldBy: 2n }
    for (const value of [null, 5n, {}, place, { ...place, fold: { sources: [] } }])
      expect(isJournalBase(value)).toBe(false)
  })
})
