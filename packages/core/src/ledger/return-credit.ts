import { assert } from '../assert.ts'
import { type Nano, nano } from '../money.ts'
import { defaultPriority, type Grant, recount, type Source } from './account.ts'
import { changeGrant, type Draft } from './draft.ts'
import { bucketOf } from './draw.ts'
import type { Posting } from './entry.ts'
import { type GrantRecord, type GrantRequest, grantKey } from './grant.ts'
import { includedPrefix } from './included.ts'
import type { Cut } from './storage.ts'

/** Credit that is issued because what it stands for can not come back. */
export type Reissue = Pick<GrantRequest, 'amount' | 'kind' | 'priority' | 'expiresAtMs'>

const courtesyTerms = { kind: 'courtesy', priority: defaultPriority.courtesy, expiresAtMs: null } as const

export interface Returned {
  readonly source: Source
  readonly amount: Nano
  /** @default 'expired' */
  readonly expiredCredit: 'expired' | 'courtesy' | undefined
}

/**
 * Gives settled credit back to its grant: usable again, or expired or void if the grant is. `records` has the grant's own
 * record. A grant that has left the head can not take anything back, so the same credit is issued anew.
 */
export function giveBack(
  draft: Draft,
  records: Cut['records'],
  { source, amount, expiredCredit }: Returned,
  reissues: Reissue[],
): Posting {
  const courtesy = expiredCredit === 'courtesy' ? courtesyTerms : undefined
  const grantId = source.slice('grant:'.length)
  const grant = draft.account.grants.find((candidate) => candidate.grantId === grantId)
  if (grant === undefined) {
    const record = records.get(grantKey(grantId)) as GrantRecord | undefined
    const terms = record?.isVoid === true ? undefined : (termsOf(draft, grantId, record) ?? courtesy)
    if (terms !== undefined) add(reissues, { ...terms, amount })
    return { source, from: 'settled', to: 'voided', amount }
  }
  const to = bucketOf(grant, draft.now)
  assert(grant.settled >= amount, () => `${grantId} has settled less than ${amount}`)
  const settled = nano(grant.settled - amount)
  changeGrant(draft, recount(grant, { settled, [to]: nano(grant[to] + amount) }))
  if (to === 'expired' && courtesy !== undefined) add(reissues, { ...courtesy, amount })
  return { source, from: 'settled', to, amount }
}

/** On which terms credit of a grant that was forgotten could still be used; `undefined` when it could not. */
function termsOf(
  draft: Draft,
  grantId: string,
  record: GrantRecord | undefined,
): Omit<Reissue, 'amount'> | undefined {
  const { key, endMs } = draft.account.period
  if (grantId.startsWith(`${includedPrefix}${key}:`)) {
    return { kind: 'courtesy', priority: defaultPriority.included, expiresAtMs: endMs }
  }
  const grant: Grant | undefined = record?.grant
  if (grant === undefined || grant.kind === 'included') return undefined
  if (grant.expiresAtMs !== null && grant.expiresAtMs <= draft.now) return undefined
  return { kind: grant.kind, priority: grant.priority, expiresAtMs: grant.expiresAtMs }
}

/** Credit on the same terms is issued as one grant. */
function add(reissues: Reissue[], credit: Reissue): void {
  const same = ({ kind, priority, expiresAtMs }: Reissue): boolean =>
    kind === credit.kind && priority === credit.priority && expiresAtMs === credit.expiresAtMs
  const index = reissues.findIndex(same)
  const before = reissues[index]
  if (before === undefined) reissues.push(credit)
  else reissues[index] = { ...before, amount: nano(before.amount + credit.amount) }
}
