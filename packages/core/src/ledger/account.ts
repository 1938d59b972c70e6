import { type Nano, zero } from '../money.ts'
import type { Period } from './period.ts'

export type GrantKind = 'included' | 'promotional' | 'courtesy' | 'purchased'

/**
 * An amount of credit. At any moment `issued = available + held + settled + expired + voided`, all of them ≥ 0.
 * Only the five counters change.
 */
export type Grant = {
  readonly grantId: string
  readonly kind: GrantKind
  /** Lower is drawn first. */
  readonly priority: number
  readonly effectiveAtMs: number
  readonly expiresAtMs: number | null
  readonly issued: Nano
  readonly available: Nano
  readonly held: Nano
  readonly settled: Nano
  readonly expired: Nano
  readonly voided: Nano
  /** It was voided as a whole: what a hold gives back of it is voided as well. */
  readonly isVoid?: true
}

/** What changes of a grant. */
export type GrantCounters = Pick<Grant, 'available' | 'held' | 'settled' | 'expired' | 'voided'>

/** A grant with some of its counters changed. Member by member: spreading a grant takes ten times as long. */
export function recount(grant: Grant, counters: Partial<GrantCounters>): Grant {
  const counted: Grant = {
    grantId: grant.grantId,
    kind: grant.kind,
    priority: grant.priority,
    effectiveAtMs: grant.effectiveAtMs,
    expiresAtMs: grant.expiresAtMs,
    issued: grant.issued,
    available: counters.available ?? grant.available,
    held: counters.held ?? grant.held,
    settled: counters.settled ?? grant.settled,
    expired: counters.expired ?? grant.expired,
    voided: counters.voided ?? grant.voided,
  }
  return grant.isVoid === true ? { ...counted, isVoid: true } : counted
}

/** The pay-as-you-go line of one period: the last source in draw-down. `held + used` stays within the limit. */
export type OverageLine = {
  readonly periodKey: string
  readonly held: Nano
  readonly used: Nano
  /** Of a period that is over: the limit it had as it ended, for costs that come late. */
  readonly limit?: Nano
}

/** The alerts that were raised in a period, and what was paid from credit in it. */
export type AlertMarks = {
  readonly periodKey: string
  readonly creditPaid: Nano
  /** The highest percentage of credit, and of the spending limit, that an alert was raised for. */
  readonly credit: 0 | 50 | 80 | 100
  readonly limit: 0 | 50 | 80 | 100
}

/** A lease that a process has of an account: the hold of the same id has the money. */
export type LeaseMark = {
  readonly leaseId: string
  /** When the store gives back what its process has not accounted for. */
  readonly expiresAtMs: number
  /** Since when somebody else asks for the credit: its process gives it back with its next checkpoint. */
  readonly recalledAtMs?: number
}

/** The head of an account: everything a decision needs, small and rewritten by each write. */
export type Account = {
  readonly accountId: string
  /** The latest store time this account has seen. Time never goes backwards for an account. */
  readonly asOfMs: number
  /** Journal entries so far, and the hash of the last. */
  readonly seq: bigint
  readonly chain: string
  readonly planId: string
  readonly seats: number
  /** The account's own limit; `null` for the plan's. */
  readonly spendingLimit: Nano | null
  /** The most a member without a cap of their own may use of a period; `null` for no bound. */
  readonly memberCap: Nano | null
  /** The day of the month periods begin on, 1 to 31; `null` for calendar months. Takes effect as a period ends. */
  readonly anchorDay: number | null
  readonly period: Period
  /** Included credit issued in this period. */
  readonly includedIssued: Nano
  /** The most the plan and the seats of this period included: a high-water mark, so that cycling seats gains nothing. */
  readonly includedTarget: Nano
  /** What rounding down has left of prorated credit, in nano × milliseconds: less than one nano over the period. */
  readonly includedRest: bigint
  /** The high-water mark of each additive plan in this period; `null` when there was none. */
  readonly includedPools: Readonly<Record<string, Nano>> | null
  /** In draw-down order. */
  readonly grants: readonly Grant[]
  /** The current period's line last; earlier ones are kept for late costs. */
  readonly overage: readonly OverageLine[]
  /** Over the account's life: what it paid, and what the operator paid for it. */
  readonly charged: Nano
  readonly absorbed: Nano
  /** What of `charged` was given back. */
  readonly refunded: Nano
  /** What of the holds waits for costs that their providers tell later. */
  readonly provisional: Nano
  /** The key of the last period that was closed with an invoice; `null` when none was. */
  readonly closedThrough: string | null
  /** What invoices have not billed yet because it is less than a cent, or is owed to the customer. */
  readonly carry: Nano
  /** `null` before the first payment. */
  readonly alerted: AlertMarks | null
  /** Absent when there are none, so that an account without leases is what it would be if there were no such thing. */
  readonly leases?: readonly LeaseMark[]
}

export const defaultPriority: Readonly<Record<GrantKind, number>> = {
  included: 10,
  promotional: 20,
  courtesy: 20,
  purchased: 50,
}

/** A source of money inside an account, as text: `grant:<id>` or `overage:<period>`. */
export type Source = `grant:${string}` | `overage:${string}`

/**
 * The order credit is drawn in: priority, then soonest expiry, credit that was given before credit that was bought,
 * smaller before larger, older before newer. It uses immutable fields only, so a bill never depends on timing.
 */
export function drawOrder(a: Grant, b: Grant): number {
  return (
    a.priority - b.priority ||
    (a.expiresAtMs ?? Number.MAX_SAFE_INTEGER) - (b.expiresAtMs ?? Number.MAX_SAFE_INTEGER) ||
    Number(a.kind === 'purchased') - Number(b.kind === 'purchased') ||
    compare(a.issued, b.issued) ||
    a.effectiveAtMs - b.effectiveAtMs ||
    compare(a.grantId, b.grantId)
  )
}

function compare<T extends bigint | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}

export function isOpen(grant: Grant): boolean {
  return grant.available > 0n || grant.held > 0n
}

export function isActive(grant: Grant, atMs: number): boolean {
  return grant.effectiveAtMs <= atMs && (grant.expiresAtMs === null || grant.expiresAtMs > atMs)
}

/** What active grants still offer. */
export function availableCredit(account: Account): Nano {
  let sum = 0n
  for (const grant of account.grants) if (isActive(grant, account.asOfMs)) sum += grant.available
  return sum as Nano
}

/** Whether the invoice of this period is written. Keys sort by time. */
export function isClosed({ closedThrough }: Account, periodKey: string): boolean {
  return closedThrough !== null && periodKey <= closedThrough
}

/** The overage line of a period, empty when nothing was ever drawn from it. */
export function overageLine(account: Account, periodKey: string): OverageLine {
  return account.overage.find((line) => line.periodKey === periodKey) ?? { periodKey, held: zero, used: zero }
}
