import type { OnEvent } from '../events.ts'
import type { ClosePeriodResult } from '../ledger/close-period.ts'
import type { Invoice } from '../ledger/invoice.ts'
import type { Statements } from '../ledger/statements.ts'
import { exportUsage, type UsageExport } from '../statements/export-usage.ts'
import { queryUsage, type UsageQuery, type UsageReport } from '../statements/usage-query.ts'

/** What accounts used, and what they owe. */
export interface AccountStatements {
  readonly usage: {
    /** What an account used and paid, by day, model, provider, member or key. Reads sums, never the whole journal. */
    query(request: UsageQuery): Promise<UsageReport>
    /** All of it as text, piece by piece: CSV, JSON Lines, or a FOCUS data set. */
    export(request: UsageExport): AsyncIterable<string>
  }
  readonly invoices: {
    /** Closes a period that is over and writes its invoice. The same period gives the same invoice. */
    close(request: {
      readonly accountId: string
      /** @default the oldest period without an invoice */
      readonly period?: string
    }): Promise<ClosePeriodResult>
    get(request: { readonly accountId: string; readonly period: string }): Promise<Invoice | undefined>
    /**
     * Newest first.
     *
     * @throws RangeError when `limit` is no whole number from 1 to 1,000.
     */
    list(request: {
      readonly accountId: string
      /** Only periods before this one. */
      readonly before?: string
      /** @default 12 */
      readonly limit?: number
    }): Promise<readonly Invoice[]>
  }
}

export function createAccountStatements(statements: Statements, onEvent: OnEvent): AccountStatements {
  return {
    usage: {
      query: (request) => queryUsage(statements, request),
      export: (request) => exportUsage(statements, request),
    },
    invoices: {
      async close({ accountId, period }) {
        const result = await statements.closePeriod({ accountId, periodKey: period })
        if (result.outcome === 'closed') onEvent({ kind: 'invoice.closed', invoice: result.invoice })
        return result
      },
      get: ({ accountId, period }) => statements.invoice(accountId, period),
      list: ({ accountId, before, limit = 12 }) =>
        statements.invoices({ accountId, limit, ...(before === undefined ? {} : { before }) }),
    },
  }
}
