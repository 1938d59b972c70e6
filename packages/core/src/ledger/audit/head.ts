import { formatUsd, zero } from '../../money.ts'
import type { Account } from '../account.ts'
import type { Value } from '../storage.ts'
import type { Fold } from './fold.ts'
import type { Findings } from './report.ts'
import { hasMembers, isListOf } from './shape.ts'
import { compareSources, differs, type Tell } from './sources.ts'

/** Proves that the head says what the journal adds up to. Holds are in neither: they are compared by themselves. */
export function compareHead(
  account: Account,
  fold: Fold,
  defaultPlanId: string | null,
  findings: Findings,
): void {
  const tell: Tell = (message, source) =>
    findings.add({ kind: 'wrong-head', seq: null, ...(source === undefined ? {} : { source }), message })
  compareTotals(account, fold, tell)
  compareTerms(account, fold, defaultPlanId, tell)
  compareSources(account, fold, tell)
  compareIncluded(account, fold, tell)
}

function compareTotals(account: Account, fold: Fold, tell: Tell): void {
  for (const total of ['charged', 'absorbed'] as const) {
    if (account[total] !== fold[total]) tell(differs(`${total} in all`, account[total], fold[total]))
  }
  // Heads that were written before there were refunds have none.
  const { refunded = zero } = account
  if (refunded !== fold.refunded) tell(differs('refunded in all', refunded, fold.refunded))
  // As with what was closed before there were invoices.
  const { carry = zero, closedThrough = null } = account
  const { carryOut = 0n, periodKey = null } = fold.closed ?? {}
  if (carry !== carryOut) tell(differs('carried on by invoices', carry, carryOut))
  if (closedThrough !== periodKey)
    tell(`The head has periods closed through ${closedThrough}; the journal says ${periodKey}.`)
  if (account.asOfMs < fold.recordedAtMs) tell('The head is of an earlier time than its last entry.')
}

/** Without a `configured` entry an account is on the default plan: today's, or the one its first credit was included by. */
function compareTerms(account: Account, fold: Fold, defaultPlanId: string | null, tell: Tell): void {
  const { configured, included } = fold
  const known = configured === undefined ? [included?.['planId'], defaultPlanId] : [configured['planId']]
  const planIds = known.filter((planId) => planId != null)
  if (planIds.length > 0 && !planIds.includes(account.planId)) {
    tell(`The head has the plan "${account.planId}"; the journal says "${planIds[0]}".`)
  }
  const seats = configured?.['seats'] ?? 1
  if (account.seats !== seats) tell(`The head has ${account.seats} seats; the journal says ${String(seats)}.`)
  const anchorDay = configured?.['anchorDay'] ?? null
  if ((account.anchorDay ?? null) !== anchorDay) {
    tell(`The head has the anchor day ${account.anchorDay}; the journal says ${String(anchorDay)}.`)
  }
  const cap = configured?.['memberCap'] ?? null
  if ((account.memberCap ?? null) !== cap)
    tell(`The head has a member cap of ${shown(account.memberCap)}; the journal says ${shown(cap)}.`)
  const limit = configured?.['spendingLimit'] ?? null
  if (account.spendingLimit !== limit) {
    tell(
      `The head has a spending limit of ${shown(account.spendingLimit)}; the journal says ${shown(limit)}.`,
    )
  }
}

/** What was included in a period is a high-water mark: a lower one, or another period, would have credit issued again. */
function compareIncluded(account: Account, fold: Fold, tell: Tell): void {
  const { key, startMs, endMs } = account.period
  let issued = 0n
  let target = 0n
  for (const { buckets, effectiveAtMs, terms } of fold.sources.values()) {
    if (terms['kind'] !== 'included' || effectiveAtMs !== startMs) continue
    issued -= buckets.issued
    if (typeof terms['target'] === 'bigint' && terms['target'] > target) target = terms['target']
    if (terms['expiresAtMs'] !== endMs) tell(`The head has another end of the period ${key} than its credit.`)
  }
  if (issued !== account.includedIssued) {
    tell(differs(`included credit issued in ${key}`, account.includedIssued, issued))
  }
  // Entries and heads that were written before there was a target have none.
  if (target > 0n && account.includedTarget !== target) {
    tell(differs(`included credit aimed at in ${key}`, account.includedTarget ?? 0n, target))
  }
}

function shown(limit: unknown): string {
  return typeof limit === 'bigint' ? `$${formatUsd(limit)}` : 'the plan'
}

/** Whether a value has the shape of a head, as far as an audit reads it: it may have been written by anyone. */
export function isHead(value: Value | null): boolean {
  if (!hasMembers(value, totals)) return false
  const { period, grants, overage } = value as Partial<Record<keyof Account, unknown>>
  return (
    hasMembers(period, { key: 'string', startMs: 'number', endMs: 'number' }) &&
    isListOf(grants, {
      grantId: 'string',
      issued: 'bigint',
      available: 'bigint',
      held: 'bigint',
      settled: 'bigint',
      expired: 'bigint',
      voided: 'bigint',
    }) &&
    isListOf(overage, { periodKey: 'string', held: 'bigint', used: 'bigint' })
  )
}

const totals = {
  seq: 'bigint',
  chain: 'string',
  asOfMs: 'number',
  charged: 'bigint',
  absorbed: 'bigint',
  includedIssued: 'bigint',
} as const
