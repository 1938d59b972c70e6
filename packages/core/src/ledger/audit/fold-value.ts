import type { Source } from '../account.ts'
import type { Value } from '../storage.ts'
import type { Fold, FoldedSource } from './fold.ts'
import { hasMembers, isListOf } from './shape.ts'

/** A fold as plain data, so that it can be kept. Lists and names in a fixed order: equal folds give equal text. */
export type FoldValue = {
  readonly sources: readonly Value[]
  readonly [name: string]: Value
}

/** Writes a fold down, with the sources that `isKept` says yes to. */
export function valueOfFold(fold: Fold, isKept: (source: FoldedSource) => boolean = () => true): FoldValue {
  const { entries, absorbedBy, attempts, charged, absorbed, refunded, recordedAtMs } = fold
  const { configured, included, closed } = fold
  const value: { readonly [name: string]: unknown } = {
    sources: [...fold.sources.values()].filter(isKept),
    entries: sorted(entries),
    absorbedBy: sorted(absorbedBy),
    attempts,
    charged,
    absorbed,
    refunded,
    recordedAtMs,
    configured: configured ?? null,
    included: included ?? null,
    closed: closed ?? null,
  }
  return value as FoldValue
}

/** Reads it back, as a fold of its own that can be folded on. */
export function foldOfValue(value: FoldValue): Fold {
  const { sources, configured, included, closed, ...rest } = structuredClone(value) as unknown as Kept
  return {
    ...rest,
    sources: new Map(sources.map((source) => [source.source, source])),
    configured: configured ?? undefined,
    included: included ?? undefined,
    closed: closed ?? undefined,
  }
}

interface Kept
  extends Pick<
    Fold,
    'entries' | 'absorbedBy' | 'attempts' | 'charged' | 'absorbed' | 'refunded' | 'recordedAtMs'
  > {
  readonly sources: readonly (FoldedSource & { readonly source: Source })[]
  readonly configured: Readonly<Record<string, unknown>> | null
  readonly included: Readonly<Record<string, unknown>> | null
  readonly closed: Fold['closed'] | null
}

/** Whether a value has the shape of a fold: it may have been written by anyone. */
export function isFoldValue(value: unknown): value is FoldValue {
  const sums = { attempts: 'number', charged: 'bigint', absorbed: 'bigint', refunded: 'bigint' } as const
  if (!hasMembers(value, { ...sums, recordedAtMs: 'number' })) return false
  const { sources, entries, absorbedBy, configured, included, closed } = value as Readonly<
    Record<string, unknown>
  >
  const buckets = {
    issued: 'bigint',
    available: 'bigint',
    settled: 'bigint',
    expired: 'bigint',
    voided: 'bigint',
    limit: 'bigint',
    used: 'bigint',
  } as const
  return (
    isListOf(sources, { source: 'string', effectiveAtMs: 'number', movedAtMs: 'number' }) &&
    (sources as readonly { buckets?: unknown; terms?: unknown }[]).every(
      (source) => hasMembers(source.buckets, buckets) && hasMembers(source.terms, {}),
    ) &&
    hasMembers(entries, {}) &&
    hasMembers(absorbedBy, {}) &&
    [configured, included].every((terms) => terms === null || hasMembers(terms, {})) &&
    (closed === null || hasMembers(closed, { periodKey: 'string', carryOut: 'bigint', invoiced: 'bigint' }))
  )
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
