import { formatUsd } from '../money.ts'
import type { Account, Grant, Source } from './account.ts'
import type { Fold, FoldedSource } from './audit-fold.ts'
import type { Findings } from './audit-report.ts'
import { hasMembers, isListOf } from './audit-shape.ts'
import { overageLinesMax } from './draft.ts'
import type { Value } from './storage.ts'

type Tell = (message: string, source?: Source) => void

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
  compareGrants(account, fold, tell)
  compareLines(account, fold, tell)
  compareIncluded(account, fold, tell)
}

function compareTotals(account: Account, fold: Fold, tell: Tell): void {
  for (const total of ['charged', 'absorbed'] as const) {
    if (account[total] !== fold[total]) tell(differs(`${total} in all`, account[total], fold[total]))
  }
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
  const limit = configured?.['spendingLimit'] ?? null
  if (account.spendingLimit !== limit) {
    tell(
      `The head has a spending limit of ${shown(account.spendingLimit)}; the journal says ${shown(limit)}.`,
    )
  }
}

function compareGrants(account: Account, fold: Fold, tell: Tell): void {
  const inHead = new Set<Source>()
  for (const grant of account.grants) {
    const source: Source = `grant:${grant.grantId}`
    const folded = fold.sources.get(source)
    if (inHead.has(source)) tell(`The head has ${source} twice.`, source)
    else if (folded === undefined) tell(`The head has ${source}, which the journal never issued.`, source)
    else compareGrant(source, grant, folded, tell)
    inHead.add(source)
  }
  for (const [source, { buckets }] of fold.sources) {
    if (!source.startsWith('grant:') || inHead.has(source) || buckets.available === 0n) continue
    tell(
      `The head lost ${source}, of which $${formatUsd(buckets.available)} is available or held by the journal.`,
      source,
    )
  }
}

function compareGrant(
  source: Source,
  grant: Grant,
  { buckets, effectiveAtMs, terms }: FoldedSource,
  tell: Tell,
) {
  const { issued, available, held, settled, expired, voided } = grant
  const counters = { available, held, settled, expired, voided }
  for (const [name, amount] of Object.entries(counters)) {
    if (amount < 0n) tell(`The head has $${formatUsd(amount)} ${name} of ${source}.`, source)
  }
  if (available + held + settled + expired + voided !== issued) {
    tell(
      `Of ${source} the head has issued $${formatUsd(issued)}, and counts another sum of its parts.`,
      source,
    )
  }
  const compared: readonly (readonly [string, bigint, bigint])[] = [
    ['issued', issued, -buckets.issued],
    ['available or held', available + held, buckets.available],
    ['settled', settled, buckets.settled],
    ['expired', expired, buckets.expired],
    ['voided', voided, buckets.voided],
  ]
  for (const [name, inHead, inJournal] of compared) {
    if (inHead !== inJournal) tell(differs(`${name} of ${source}`, inHead, inJournal), source)
  }
  const { kind, expiresAtMs, priority = grant.priority } = terms
  const isIssued =
    grant.kind === kind &&
    grant.expiresAtMs === expiresAtMs &&
    grant.priority === priority &&
    grant.effectiveAtMs === effectiveAtMs
  if (!isIssued)
    tell(`The head has another kind, priority, start or expiry of ${source} than it was issued with.`, source)
}

function compareLines(account: Account, fold: Fold, tell: Tell): void {
  const inHead = new Set<Source>()
  for (const { periodKey, used, held } of account.overage) {
    const source: Source = `overage:${periodKey}`
    const inJournal = fold.sources.get(source)?.buckets.used ?? 0n
    if (inHead.has(source)) tell(`The head has ${source} twice.`, source)
    inHead.add(source)
    if (used !== inJournal) tell(differs(`used of ${source}`, used, inJournal), source)
    if (held < 0n) tell(`The head has $${formatUsd(held)} held of ${source}.`, source)
  }
  for (const [source, { buckets }] of fold.sources) {
    if (!source.startsWith('overage:') || inHead.has(source) || buckets.used === 0n) continue
    // The head forgets a line once it has so many newer ones.
    const newer = [...inHead].filter((other) => other > source)
    if (newer.length >= overageLinesMax) continue
    tell(`The head lost ${source}, of which $${formatUsd(buckets.used)} is used.`, source)
  }
}

/** What was included in a period is a high-water mark: a lower one would have the difference issued again. */
function compareIncluded(account: Account, fold: Fold, tell: Tell): void {
  let issued = 0n
  for (const { buckets, effectiveAtMs, terms } of fold.sources.values()) {
    if (terms['kind'] === 'included' && effectiveAtMs === account.period.startMs) issued -= buckets.issued
  }
  if (issued !== account.includedIssued) {
    tell(differs(`included credit issued in ${account.period.key}`, account.includedIssued, issued))
  }
}

function differs(what: string, inHead: bigint, inJournal: bigint): string {
  return `The head says $${formatUsd(inHead)} ${what}; the journal says $${formatUsd(inJournal)}.`
}

function shown(limit: unknown): string {
  return typeof limit === 'bigint' ? `$${formatUsd(limit)}` : 'the plan'
}

/** Whether a value has the shape of a head, as far as an audit reads it: it may have been written by anyone. */
export function isHead(value: Value): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const head = value as Partial<Record<keyof Account, unknown>>
  return (
    typeof head.seq === 'bigint' &&
    typeof head.chain === 'string' &&
    typeof head.asOfMs === 'number' &&
    typeof head.charged === 'bigint' &&
    typeof head.absorbed === 'bigint' &&
    typeof head.includedIssued === 'bigint' &&
    hasMembers(head.period, { key: 'string', startMs: 'number' }) &&
    isListOf(head.grants, {
      grantId: 'string',
      issued: 'bigint',
      available: 'bigint',
      held: 'bigint',
      settled: 'bigint',
      expired: 'bigint',
      voided: 'bigint',
    }) &&
    isListOf(head.overage, { periodKey: 'string', held: 'bigint', used: 'bigint' })
  )
}
