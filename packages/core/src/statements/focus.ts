import { dayMs, type UsageRow } from '../ledger/usage-day.ts'
import { formatUsd, zero } from '../money.ts'
import { type Cell, csvLine } from './csv.ts'
import { exactQuantities } from './exact-text.ts'
import type { ExportRow } from './export-row.ts'

/**
 * The columns of a FOCUS 1.2 data set that every one must have, those for usage, and our own, which come last with `x_`
 * (focus.finops.org, specification 1.2, read 2026-11-22).
 */
const columns = [
  'BilledCost',
  'BillingAccountId',
  'BillingAccountName',
  'BillingCurrency',
  'BillingPeriodEnd',
  'BillingPeriodStart',
  'ChargeCategory',
  'ChargeClass',
  'ChargeDescription',
  'ChargeFrequency',
  'ChargePeriodEnd',
  'ChargePeriodStart',
  'ConsumedQuantity',
  'ConsumedUnit',
  'ContractedCost',
  'EffectiveCost',
  'InvoiceIssuerName',
  'ListCost',
  'PricingQuantity',
  'PricingUnit',
  'ProviderName',
  'PublisherName',
  'ServiceCategory',
  'ServiceName',
  'ServiceSubcategory',
  'x_Key',
  'x_Member',
  'x_Model',
  'x_Quantities',
] as const

type Column = (typeof columns)[number]

export const focusHeader: string = csvLine(columns)

/**
 * A row of usage as FOCUS charges: what was used, less refunds, and as a credit of its own what included, promotional and
 * courtesy credit paid of it. So billed costs add up to pay-as-you-go. Credit that was bought counts as prepaid: it is in the
 * effective cost of usage and in no billed one.
 */
export function focusLines(exported: ExportRow): string {
  const { row } = exported
  const { paidFrom, charged, refunded, requests } = row
  const common = commonCells(exported)
  const used = charged - refunded
  const usage = used !== 0n || requests > 0 ? usageLine(row, common, used) : ''
  const given = (paidFrom.included ?? zero) + (paidFrom.promotional ?? zero) + (paidFrom.courtesy ?? zero)
  return given === 0n ? usage : `${usage}${creditLine(row, common, -given)}`
}

type Cells = Readonly<Partial<Record<Column, Cell>>>

function usageLine(row: UsageRow, common: Cells, used: bigint): string {
  const cost = { exact: formatUsd(used) }
  return line({
    ...common,
    ChargeCategory: 'Usage',
    ChargeDescription: `${row.model} at ${row.providerId}`,
    BilledCost: { exact: formatUsd(used - (row.paidFrom.purchased ?? zero)) },
    EffectiveCost: cost,
    ListCost: cost,
    ContractedCost: cost,
    ConsumedQuantity: row.attempts,
    ConsumedUnit: 'Requests',
    PricingQuantity: row.attempts,
    PricingUnit: 'Requests',
    x_Quantities: { exact: JSON.stringify(exactQuantities(row.quantities)) },
  })
}

function creditLine(row: UsageRow, common: Cells, amount: bigint): string {
  const cost = { exact: formatUsd(amount) }
  return line({
    ...common,
    ChargeCategory: 'Credit',
    ChargeDescription: `Credit for ${row.model} at ${row.providerId}`,
    BilledCost: cost,
    EffectiveCost: cost,
    ListCost: cost,
    ContractedCost: cost,
  })
}

function commonCells({ accountId, day, period, issuer, row }: ExportRow): Cells {
  const startMs = Date.parse(`${day}T00:00:00Z`)
  return {
    BillingAccountId: accountId,
    BillingAccountName: accountId,
    BillingCurrency: 'USD',
    // What happens after the period was invoiced can only correct it.
    ChargeClass: startMs >= period.endMs ? 'Correction' : null,
    BillingPeriodStart: time(period.startMs),
    BillingPeriodEnd: time(period.endMs),
    ChargeFrequency: 'Usage-Based',
    ChargePeriodStart: time(startMs),
    ChargePeriodEnd: time(startMs + dayMs),
    InvoiceIssuerName: issuer,
    ProviderName: issuer,
    PublisherName: row.providerId,
    ServiceCategory: 'AI and Machine Learning',
    ServiceName: 'Inference',
    ServiceSubcategory: 'Generative AI',
    x_Key: row.keyId ?? null,
    x_Member: row.memberId ?? null,
    x_Model: row.model,
  }
}

function line(cells: Cells): string {
  return csvLine(columns.map((column) => cells[column] ?? null))
}

/** FOCUS writes times without fractions of a second. */
function time(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
