import { formatUsd } from '../../money.ts'
import type { Account, Grant, Source } from '../account.ts'
import { overageLinesMax } from '../draft.ts'
import type { Fold, FoldedSource } from './fold.ts'

/** Tells what the head has wrong. */
export type Tell = (message: string, source?: Source) => void

/** Compares the counters of every grant and pay-as-you-go line with what the journal adds up to. */
export function compareSources(account: Account, fold: Fold, tell: Tell): void {
  compareGrants(account, fold, tell)
  compareLines(account, fold, tell)
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

export function differs(what: string, inHead: bigint, inJournal: bigint): string {
  return `The head says $${formatUsd(inHead)} ${what}; the journal says $${formatUsd(inJournal)}.`
}
