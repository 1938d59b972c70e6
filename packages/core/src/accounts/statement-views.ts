import { type Invoice, type InvoiceLine, nanoPerCent } from '../ledger/invoice.ts'
import { formatUsd } from '../money.ts'
import { exactSums } from '../statements/exact-text.ts'
import type { UsageGroup } from '../statements/usage-group.ts'
import type { UsageReport } from '../statements/usage-query.ts'

/** `GET /v1/usage`: amounts are exact decimal US dollars, quantities exact decimals, both as text. */
export function showUsage(report: UsageReport): string {
  return JSON.stringify({
    object: 'usage',
    account: report.accountId,
    currency: 'USD',
    from: report.from,
    to: report.to,
    group_by: report.groupBy,
    data: report.groups.map(showGroup),
    total: exactSums(report.total),
    has_more: report.nextCursor !== null,
    next_cursor: report.nextCursor,
    complete: report.isComplete,
    journal_seq: Number(report.seq),
  })
}

function showGroup({ day, period, model, provider, member, key, ...sums }: UsageGroup) {
  return { day, period, model, provider, member, key, ...exactSums(sums) }
}

/** `GET /v1/invoices`: newest first. */
export function showInvoices(invoices: readonly Invoice[], hasMore: boolean): string {
  const last = invoices.at(-1)
  return JSON.stringify({
    object: 'list',
    data: invoices.map(invoiceMembers),
    has_more: hasMore,
    next_before: hasMore && last !== undefined ? last.periodKey : null,
  })
}

/** `GET /v1/invoices/{period}`. */
export function showInvoice(invoice: Invoice): string {
  return JSON.stringify(invoiceMembers(invoice))
}

function invoiceMembers(invoice: Invoice) {
  return {
    object: 'invoice',
    id: invoice.invoiceId,
    account: invoice.accountId,
    period: invoice.periodKey,
    starts_at: new Date(invoice.startMs).toISOString(),
    ends_at: new Date(invoice.endMs).toISOString(),
    closed_at: new Date(invoice.closedAtMs).toISOString(),
    currency: invoice.currency,
    lines: invoice.lines.map(showLine),
    overage: formatUsd(invoice.overage),
    adjustments: formatUsd(invoice.adjustments),
    carry_in: formatUsd(invoice.carryIn),
    carry_out: formatUsd(invoice.carryOut),
    due: formatUsd(invoice.dueCents * nanoPerCent),
    journal_seq: Number(invoice.seq),
  }
}

function showLine({
  kind,
  description,
  providerId,
  model,
  credit,
  periodKey,
  quantity,
  amount,
}: InvoiceLine) {
  return {
    kind,
    description,
    provider: providerId,
    model,
    credit,
    period: periodKey,
    quantity: quantity === undefined ? undefined : Number(quantity),
    amount: formatUsd(amount),
  }
}
