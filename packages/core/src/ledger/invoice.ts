import { type Nano, zero } from '../money.ts'
import type { Account, GrantKind } from './account.ts'
import type { Period } from './period.ts'
import { type LateSums, owed, type PeriodSums } from './period-sums.ts'
import type { Key } from './storage.ts'
import type { Subscription } from './terms-history.ts'

/** Nano-USD in a cent. */
export const nanoPerCent = 10_000_000n

/**
 * One line of an invoice. Usage, credit, late, refund and adjustment lines add up to `overage + adjustments`. The
 * subscription is for the host to collect and in no sum; the overage line repeats what usage, credit and refunds of the
 * period leave over.
 */
export type InvoiceLine = {
  readonly kind: 'subscription' | 'usage' | 'credit' | 'overage' | 'late' | 'refund' | 'adjustment'
  /** For people. */
  readonly description: string
  readonly providerId?: string
  readonly model?: string
  /** For `credit`: which credit paid, or got something back. */
  readonly credit?: GrantKind
  /** For what belongs to an earlier period: which one. */
  readonly periodKey?: string
  /** Requests for usage, seats for a subscription. */
  readonly quantity?: bigint
  /** Negative for what lowers the bill. */
  readonly amount: Nano
}

/** What an account owes for one period. Written once and never changed. */
export type Invoice = {
  /** Unique over all accounts: `<account>:<period>`. */
  readonly invoiceId: string
  readonly accountId: string
  readonly periodKey: string
  readonly startMs: number
  readonly endMs: number
  readonly closedAtMs: number
  /** The journal entry that closed the period. Everything before it is in this invoice or an earlier one. */
  readonly seq: bigint
  readonly currency: 'USD'
  readonly lines: readonly InvoiceLine[]
  /** Pay-as-you-go of the period itself. */
  readonly overage: Nano
  /** What earlier periods still owe or get back, and corrections. */
  readonly adjustments: Nano
  /** Left over from the invoice before, and for the next: `carryIn + overage + adjustments = dueCents × 10⁷ + carryOut`. */
  readonly carryIn: Nano
  readonly carryOut: Nano
  /** Whole cents to pay. Never negative: what an account is owed is carried to the next invoice. */
  readonly dueCents: bigint
}

export function invoiceKey(periodKey: string): Key {
  return `invoice:${periodKey}`
}

/** The periods that have an invoice, oldest first. */
export const invoiceListKey: Key = 'invoices'

export interface InvoiceContent {
  readonly account: Pick<Account, 'accountId' | 'carry'>
  readonly period: Period
  readonly sums: PeriodSums
  readonly late: LateSums
  readonly subscription: Subscription | undefined
  readonly closedAtMs: number
  readonly seq: bigint
}

/** Writes the invoice of a period from what its entries add up to. */
export function invoiceOf({
  account,
  period,
  sums,
  late,
  subscription,
  ...content
}: InvoiceContent): Invoice {
  const overage = owed(sums)
  const earlier = Object.entries(late.periods).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const own = ownLines(sums)
  const adjusting = [...earlier.flatMap(([key, each]) => lateLines(key, each)), ...adjustmentLines(sums)]
  const adjustments = sumOf(adjusting)
  const total = account.carry + overage + adjustments
  const dueCents = total > 0n ? total / nanoPerCent : 0n
  return {
    invoiceId: `${account.accountId}:${period.key}`,
    accountId: account.accountId,
    periodKey: period.key,
    startMs: period.startMs,
    endMs: period.endMs,
    ...content,
    currency: 'USD',
    lines: [...subscriptionLines(subscription), ...own, overageLine(period.key, overage), ...adjusting],
    overage,
    adjustments,
    carryIn: account.carry,
    carryOut: (total - dueCents * nanoPerCent) as Nano,
    dueCents,
  }
}

function subscriptionLines(subscription: Subscription | undefined): InvoiceLine[] {
  if (subscription === undefined) return []
  const { plan, seats, amount } = subscription
  const isPerSeat = plan.subscriptionPrice?.per === 'seat'
  const description = isPerSeat ? `Plan ${plan.planId}, ${count(seats, 'seat')}` : `Plan ${plan.planId}`
  return [{ kind: 'subscription', description, quantity: BigInt(isPerSeat ? seats : 1), amount }]
}

function ownLines(sums: PeriodSums): InvoiceLine[] {
  const lines = sums.usage.map(
    ({ providerId, model, requests, charged }): InvoiceLine => ({
      kind: 'usage',
      description: `${model} at ${providerId}, ${count(requests, 'request')}`,
      providerId,
      model,
      quantity: BigInt(requests),
      amount: charged,
    }),
  )
  return [...lines, ...refundLines(sums), ...creditLines(sums)]
}

/** What was given back, to credit or off what is owed. */
function refundLines({ refunded }: PeriodSums, periodKey?: string): InvoiceLine[] {
  if (refunded === 0n) return []
  return [{ kind: 'refund', description: 'Refunds', ...ofPeriod(periodKey), amount: -refunded as Nano }]
}

/** What credit paid, less what refunds returned to it: more went back than was used when the amount is positive. */
function creditLines({ paidFrom }: PeriodSums, periodKey?: string): InvoiceLine[] {
  return creditKinds.flatMap((credit) => {
    const amount = paidFrom[credit] ?? zero
    if (amount === 0n) return []
    const description = amount > 0n ? `Paid from ${credit} credit` : `Returned to ${credit} credit`
    return [{ kind: 'credit', description, credit, ...ofPeriod(periodKey), amount: -amount as Nano }]
  })
}

/** What the invoice of an earlier period did not have. */
function lateLines(periodKey: string, sums: PeriodSums): InvoiceLine[] {
  const charged = sums.usage.reduce((sum, line) => sum + line.charged, 0n) as Nano
  const description = `Costs of ${periodKey} that became known later`
  return [
    ...(charged === 0n ? [] : [{ kind: 'late', description, periodKey, amount: charged } as const]),
    ...refundLines(sums, periodKey),
    ...creditLines(sums, periodKey),
    ...adjustmentLines(sums, periodKey),
  ]
}

function overageLine(periodKey: string, amount: Nano): InvoiceLine {
  return { kind: 'overage', description: `Pay-as-you-go of ${periodKey}`, amount }
}

function adjustmentLines({ adjusted }: PeriodSums, periodKey?: string): InvoiceLine[] {
  if (adjusted === 0n) return []
  return [
    { kind: 'adjustment', description: 'Corrections by hand', ...ofPeriod(periodKey), amount: adjusted },
  ]
}

const creditKinds: readonly GrantKind[] = ['included', 'promotional', 'courtesy', 'purchased']

function ofPeriod(periodKey: string | undefined): { readonly periodKey?: string } {
  return periodKey === undefined ? {} : { periodKey }
}

function sumOf(lines: readonly InvoiceLine[]): Nano {
  return lines.reduce((sum, { amount }) => sum + amount, 0n) as Nano
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
