import { type Amounts, totalOf, type UsageSums } from '../ledger/usage-sums.ts'
import { formatUsd } from '../money.ts'
import type { Unit } from '../unit.ts'
import type { Quantities } from '../usage.ts'

/** Quantities as exact decimal text, by unit. */
export function exactQuantities(quantities: Quantities): Readonly<Record<string, string>> {
  const shown: Record<string, string> = {}
  for (const unit in quantities) shown[unit] = String(quantities[unit as Unit])
  return shown
}

/** Amounts as exact decimal US dollars, by name. */
function exactAmounts<Name extends string>(amounts: Amounts<Name>): Readonly<Record<string, string>> {
  const shown: Record<string, string> = {}
  for (const name in amounts) shown[name] = formatUsd(amounts[name] ?? 0n)
  return shown
}

/** Sums as plain data, the same in every answer and export: counts as numbers, the rest as exact decimal text. */
export interface ExactSums {
  readonly requests: number
  readonly attempts: number
  readonly estimated_attempts: number
  readonly attempts_of_unknown_cost: number
  readonly quantities: Readonly<Record<string, string>>
  readonly cost: string
  readonly charged: string
  readonly refunded: string
  readonly absorbed: string
  readonly absorbed_by: Readonly<Record<string, string>>
  readonly paid_from: Readonly<Record<string, string>>
  readonly own_key_cost: string
}

export function exactSums(sums: UsageSums): ExactSums {
  return {
    requests: sums.requests,
    attempts: sums.attempts,
    estimated_attempts: sums.estimates,
    attempts_of_unknown_cost: sums.unknownCosts,
    quantities: exactQuantities(sums.quantities),
    cost: formatUsd(sums.cost),
    charged: formatUsd(sums.charged),
    refunded: formatUsd(sums.refunded),
    absorbed: formatUsd(totalOf(sums.absorbed)),
    absorbed_by: exactAmounts(sums.absorbed),
    paid_from: exactAmounts(sums.paidFrom),
    own_key_cost: formatUsd(sums.memoCost),
  }
}
