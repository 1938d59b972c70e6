import type { Unit } from '../unit.ts'
import { type Cell, csvLine } from './csv.ts'
import { type ExactSums, exactSums } from './exact-text.ts'
import type { ExportRow } from './export-row.ts'

/** A row as plain data, amounts in US dollars. */
export interface TableRow extends ExactSums {
  readonly day: string
  readonly period: string
  readonly account: string
  readonly model: string
  readonly provider: string
  readonly member: string | null
  readonly key: string | null
  readonly currency: 'USD'
}

export function tableRow({ accountId, day, row }: ExportRow): TableRow {
  return {
    day,
    period: row.periodKey,
    account: accountId,
    model: row.model,
    provider: row.providerId,
    member: row.memberId ?? null,
    key: row.keyId ?? null,
    currency: 'USD',
    ...exactSums(row),
  }
}

/** Units that have a column of their own. Every other one is in the last column, as JSON. */
const unitColumns: readonly Unit[] = ['input_token', 'cached_input_token', 'output_token', 'compute_second']

const fundingColumns = ['included', 'promotional', 'courtesy', 'purchased', 'overage'] as const

export const tableHeader: string = csvLine([
  'day',
  'period',
  'account',
  'model',
  'provider',
  'member',
  'key',
  'requests',
  'attempts',
  'estimated_attempts',
  'attempts_of_unknown_cost',
  ...unitColumns.map((unit) => `${unit}s`),
  'currency',
  'cost',
  'charged',
  'refunded',
  'absorbed',
  ...fundingColumns.map((funding) => `paid_from_${funding}`),
  'own_key_cost',
  'absorbed_by',
  'other_quantities',
])

export function tableLine(exported: ExportRow): string {
  const shown = tableRow(exported)
  const { quantities, absorbed_by: absorbedBy, paid_from: paidFrom } = shown
  const others = Object.entries(quantities).filter(([unit]) => !unitColumns.includes(unit as Unit))
  const ofUnits = unitColumns.map((unit) => exactOr(quantities[unit], null))
  const ofFunding = fundingColumns.map((funding) => exactOr(paidFrom[funding], '0.00'))
  return csvLine([
    shown.day,
    shown.period,
    shown.account,
    shown.model,
    shown.provider,
    shown.member,
    shown.key,
    shown.requests,
    shown.attempts,
    shown.estimated_attempts,
    shown.attempts_of_unknown_cost,
    ...ofUnits,
    shown.currency,
    { exact: shown.cost },
    { exact: shown.charged },
    { exact: shown.refunded },
    { exact: shown.absorbed },
    ...ofFunding,
    { exact: shown.own_key_cost },
    jsonOf(absorbedBy),
    jsonOf(Object.fromEntries(others)),
  ])
}

function exactOr(text: string | undefined, otherwise: string | null): Cell {
  const exact = text ?? otherwise
  return exact === null ? null : { exact }
}

function jsonOf(values: Readonly<Record<string, string>>): Cell {
  return Object.keys(values).length === 0 ? null : { exact: JSON.stringify(values) }
}
