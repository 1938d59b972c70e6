import type { Period } from '../ledger/period.ts'
import type { UsageRow } from '../ledger/usage-day.ts'

/** One day's usage of one combination, with what is needed to show it. */
export interface ExportRow {
  readonly accountId: string
  readonly day: string
  /** The period that pays. */
  readonly period: Period
  readonly issuer: string
  readonly row: UsageRow
}
