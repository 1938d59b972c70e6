import { type Nano, zero } from '../money.ts'
import type { Unit } from '../unit.ts'
import { addQuantities, type Quantities, type Quantity } from '../usage.ts'
import type { GrantKind } from './account.ts'
import type { AbsorbedReason } from './receipt.ts'

/** What pays for a request: a kind of credit, or pay-as-you-go. */
export type Funding = GrantKind | 'overage'

/** An amount for each name; a name that is missing had none. */
export type Amounts<Name extends string> = Readonly<Partial<Record<Name, Nano>>>

/**
 * What requests used and cost, added up exactly. At any moment `cost = charged + absorbed` over all reasons, and
 * `charged − refunded` is what `paidFrom` adds up to.
 */
export type UsageSums = {
  /** Requests that ended at an attempt counted here. */
  readonly requests: number
  /** Calls to providers, failed ones too. */
  readonly attempts: number
  /** Attempts whose usage had to be estimated. */
  readonly estimates: number
  /** Attempts whose cost nobody knows, or not yet: they are in no amount. */
  readonly unknownCosts: number
  readonly quantities: Quantities
  /** What the providers charge. */
  readonly cost: Nano
  /** What customers pay of it. */
  readonly charged: Nano
  /** What was given back of `charged`, on the day it was. */
  readonly refunded: Nano
  /** What the operator pays of it, by reason. */
  readonly absorbed: Amounts<AbsorbedReason>
  /** What providers bill customers for directly, who brought their own key. It is in no other amount. */
  readonly memoCost: Nano
  /** What paid, less what went back there. */
  readonly paidFrom: Amounts<Funding>
}

export const nothingUsed: UsageSums = {
  requests: 0,
  attempts: 0,
  estimates: 0,
  unknownCosts: 0,
  quantities: {},
  cost: zero,
  charged: zero,
  refunded: zero,
  absorbed: {},
  memoCost: zero,
  paidFrom: {},
}

/**
 * Sums that something is still added to, in place: millions of entries are added up this way, and a copy for each of them
 * takes several times as long. It lives inside one call and nowhere else.
 */
export interface UsageTotals {
  requests: number
  attempts: number
  estimates: number
  unknownCosts: number
  readonly quantities: Partial<Record<Unit, Quantity>>
  cost: bigint
  charged: bigint
  refunded: bigint
  readonly absorbed: Partial<Record<AbsorbedReason, Nano>>
  memoCost: bigint
  readonly paidFrom: Partial<Record<Funding, Nano>>
}

/** Totals that begin with these sums, of their own. */
export function totalsOf(sums: UsageSums): UsageTotals {
  const { quantities, absorbed, paidFrom } = sums
  return { ...sums, quantities: { ...quantities }, absorbed: { ...absorbed }, paidFrom: { ...paidFrom } }
}

export function addUsage(totals: UsageTotals, sums: UsageSums): void {
  totals.requests += sums.requests
  totals.attempts += sums.attempts
  totals.estimates += sums.estimates
  totals.unknownCosts += sums.unknownCosts
  totals.cost += sums.cost
  totals.charged += sums.charged
  totals.refunded += sums.refunded
  totals.memoCost += sums.memoCost
  addQuantitiesTo(totals.quantities, sums.quantities)
  addAmounts(totals.absorbed, sums.absorbed)
  addAmounts(totals.paidFrom, sums.paidFrom)
}

/** What the totals have come to. Nothing is added to them any more. */
export function sumsOf(totals: UsageTotals): UsageSums {
  return totals as UsageSums
}

export function addQuantitiesTo(totals: Partial<Record<Unit, Quantity>>, quantities: Quantities): void {
  for (const name in quantities) {
    const unit = name as Unit
    const quantity = quantities[unit]
    if (quantity !== undefined) totals[unit] = addQuantities(totals[unit] ?? 0n, quantity)
  }
}

export function addAmounts<Name extends string>(
  totals: Partial<Record<Name, Nano>>,
  amounts: Amounts<Name>,
): void {
  for (const name in amounts) addAmount(totals, name, amounts[name] ?? zero)
}

/** A total of nothing is left out, so that equal sums are written alike. */
export function addAmount<Name extends string>(
  totals: Partial<Record<Name, Nano>>,
  name: Name,
  amount: bigint,
): void {
  const total = (totals[name] ?? zero) + amount
  if (total === 0n) delete totals[name]
  else totals[name] = total as Nano
}

export function totalOf<Name extends string>(amounts: Amounts<Name>): Nano {
  let total: bigint = zero
  for (const name in amounts) total += amounts[name] ?? zero
  return total as Nano
}
