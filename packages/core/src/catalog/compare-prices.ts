import type { Operation } from '../http/routes.ts'
import type { Rate } from '../money.ts'
import { type LongContextTier, type Price, ratesOf } from '../price.ts'
import type { Unit } from '../unit.ts'
import { rowKey } from './price-book.ts'
import type { CatalogRow } from './target.ts'

/** What changed for one model at one provider. */
export interface PriceChange {
  readonly kind: 'added' | 'removed' | 'changed'
  readonly providerId: string
  readonly providerModel: string
  readonly model: string
  readonly operation: Operation
  /** The rates that differ. */
  readonly lines: readonly PriceLineChange[]
}

/** One rate that differs: in the list price, or in the tier that is named. */
export interface PriceLineChange {
  readonly unit: Unit
  readonly serviceTier?: string
  readonly overInputTokens?: number
  /** `undefined` where the one or the other list does not name it. */
  readonly from: Rate | undefined
  readonly to: Rate | undefined
}

/** What differs between two lists of prices, in the order of the first and then of the second. */
export function comparePrices(
  from: readonly CatalogRow[],
  to: readonly CatalogRow[],
): readonly PriceChange[] {
  const before = new Map(from.map((row) => [rowKey(row), row]))
  const after = new Map(to.map((row) => [rowKey(row), row]))
  const changes: PriceChange[] = []
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [old, next] = [before.get(key), after.get(key)]
    const lines = compareLines(old, next)
    const row = next ?? old
    if (row === undefined || (lines.length === 0 && old?.providerModel === next?.providerModel)) continue
    const { providerId, providerModel, model, operation } = row
    const kind = old === undefined ? 'added' : next === undefined ? 'removed' : 'changed'
    changes.push({ kind, providerId, providerModel, model, operation, lines })
  }
  return changes
}

type Line = Omit<PriceLineChange, 'from' | 'to'> & { readonly rate: Rate }

function compareLines(old: CatalogRow | undefined, next: CatalogRow | undefined): readonly PriceLineChange[] {
  const before = linesOf(old)
  const after = linesOf(next)
  const changes: PriceLineChange[] = []
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [one, other] = [before.get(key), after.get(key)]
    const line = other ?? one
    if (line === undefined || isSame(one?.rate, other?.rate)) continue
    const { rate: _rate, ...place } = line
    changes.push({ ...place, from: one?.rate, to: other?.rate })
  }
  return changes
}

function linesOf(row: CatalogRow | undefined): ReadonlyMap<string, Line> {
  const lines = new Map<string, Line>()
  const add = (price: Price, place: Omit<Line, 'unit' | 'rate'>) => {
    for (const [unit, rate] of ratesOf(price)) {
      const key = `${place.serviceTier ?? ''} ${place.overInputTokens ?? ''} ${unit}`
      lines.set(key, { unit, ...place, rate })
    }
  }
  const addLadder = (ladder: readonly LongContextTier[] | undefined, place: Omit<Line, 'unit' | 'rate'>) => {
    for (const { overInputTokens, price } of ladder ?? []) add(price, { ...place, overInputTokens })
  }
  if (row === undefined) return lines
  add(row.price, {})
  addLadder(row.tiers?.longContext, {})
  for (const [serviceTier, service] of Object.entries(row.tiers?.service ?? {})) {
    add(service.price, { serviceTier })
    addLadder(service.longContext, { serviceTier })
  }
  return lines
}

function isSame(one: Rate | undefined, other: Rate | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return one.nano * other.per === other.nano * one.per
}
