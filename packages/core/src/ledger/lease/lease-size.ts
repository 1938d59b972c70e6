import { type Nano, nano, zero } from '../../money.ts'
import { isActive, overageLine } from '../account.ts'
import { type Draft, limitOf, spendable } from '../draft.ts'
import { drawHold } from '../draw.ts'
import { mergeParts, sumOfParts } from '../parts.ts'
import type { Part } from '../reservation.ts'
import { leaseMarks } from './lease-marks.ts'
import type { FullLeaseTerms } from './lease-terms.ts'

/** What a process would like to lease, by what it has seen of the account's traffic. */
export interface LeaseWish {
  readonly wanted: Nano
  /** With less a lease is not worth its while. */
  readonly least: Nano
}

/**
 * The parts of a lease that has these, made as large as it may be; `undefined` when it should not be there at all.
 *
 * Every process gets at most its share of half of what is spendable, so that those who ask the store still find some. A
 * balance of which that is too little is not scattered: then every request asks.
 */
export function leaseParts(
  draft: Draft,
  terms: FullLeaseTerms,
  { wanted, least }: LeaseWish,
  lease: { readonly leaseId: string; readonly parts: readonly Part[]; readonly untilMs: number },
): readonly Part[] | undefined {
  const has = sumOfParts(lease.parts)
  const others = leaseMarks(draft).filter(({ leaseId }) => leaseId !== lease.leaseId).length
  const share = (spendable(draft) + has) / BigInt(2 * (others + 1))
  const size = smallest(terms.most, wanted, share)
  if ((has > size ? has : size) < least) return undefined
  const more = nano(size > has ? size - has : zero)
  const backAtMs = lease.untilMs + terms.graceMs
  if (hasWithdrawn(draft, lease.parts, backAtMs) || isDrawnFromExpiring(draft, more, backAtMs))
    return undefined
  return more === 0n ? lease.parts : mergeParts(lease.parts, drawHold(draft, more, draft.account.period.key))
}

/**
 * Whether a lease has what it should not go on with: credit that would come back only after it has expired, that was voided, or
 * pay-as-you-go beyond a limit that is lower since. Whoever withdraws credit finds it used until the next checkpoint only.
 */
function hasWithdrawn(draft: Draft, parts: readonly Part[], backAtMs: number): boolean {
  const { account } = draft
  return parts.some(({ source }) => {
    if (source.startsWith('overage:')) {
      const { held, used } = overageLine(account, account.period.key)
      return held + used > limitOf(draft)
    }
    const grant = account.grants.find(({ grantId }) => source === `grant:${grantId}`)
    const expiresAtMs = grant?.expiresAtMs ?? null
    return grant?.isVoid === true || (expiresAtMs !== null && expiresAtMs <= backAtMs)
  })
}

/** Leaving such credit out would change the order it is drawn in, which a bill must not depend on. */
function isDrawnFromExpiring({ account, now }: Draft, amount: Nano, backAtMs: number): boolean {
  let missing: bigint = amount
  for (const grant of account.grants) {
    if (missing <= 0n) return false
    if (grant.available === 0n || !isActive(grant, now)) continue
    if (grant.expiresAtMs !== null && grant.expiresAtMs <= backAtMs) return true
    missing -= grant.available
  }
  return false
}

function smallest(...amounts: readonly bigint[]): bigint {
  return amounts.reduce((least, amount) => (amount < least ? amount : least))
}
