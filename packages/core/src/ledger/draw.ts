import { assert } from '../assert.ts'
import type { Nano } from '../money.ts'
import { type Grant, isActive, overageLine, recount, type Source } from './account.ts'
import { changeGrant, changeLine, type Draft, overageLeft } from './draft.ts'
import type { Posting } from './entry.ts'
import { type Part, type Reservation, spenderShare } from './reservation.ts'
import { spenderLeft } from './spender.ts'

/** Sets `amount` aside for a request of a period, in draw order. The caller has checked that it is spendable. */
export function drawHold(draft: Draft, amount: Nano, periodKey: string): readonly Part[] {
  const parts: Part[] = []
  let missing: bigint = amount
  for (const grant of draft.account.grants) {
    if (missing === 0n) break
    if (grant.available === 0n || !isActive(grant, draft.now)) continue
    const take = min(missing, grant.available)
    const available = minus(grant.available, take)
    changeGrant(draft, recount(grant, { available, held: plus(grant.held, take) }))
    parts.push({ source: `grant:${grant.grantId}`, amount: take })
    missing -= take
  }
  if (missing > 0n) {
    assert(missing <= overageLeft(draft, periodKey), 'a hold was drawn beyond what is spendable')
    const line = overageLine(draft.account, periodKey)
    changeLine(draft, { ...line, held: plus(line.held, missing as Nano) })
    parts.push({ source: `overage:${line.periodKey}`, amount: missing as Nano })
  }
  return parts
}

/**
 * Resolves one part of a hold: `used` of it is settled, the rest goes back to where it came from. Credit that has
 * expired or was voided meanwhile was pinned by the hold: what comes back of it expires, or is voided.
 */
export function resolvePart(draft: Draft, part: Part, used: Nano, postings: Posting[]): void {
  const rest = minus(part.amount, used)
  const grant = findGrant(draft, part.source)
  if (grant === undefined) {
    const line = overageLine(draft.account, part.source.slice('overage:'.length))
    changeLine(draft, { ...line, held: minus(line.held, part.amount), used: plus(line.used, used) })
    post(postings, { source: part.source, from: 'limit', to: 'used', amount: used })
    return
  }
  const bucket = bucketOf(grant, draft.now)
  changeGrant(
    draft,
    recount(grant, {
      held: minus(grant.held, part.amount),
      settled: plus(grant.settled, used),
      available: bucket === 'available' ? plus(grant.available, rest) : grant.available,
      expired: bucket === 'expired' ? plus(grant.expired, rest) : grant.expired,
      voided: bucket === 'voided' ? plus(grant.voided, rest) : grant.voided,
    }),
  )
  post(postings, { source: part.source, from: 'available', to: 'settled', amount: used })
  if (bucket !== 'available') {
    post(postings, { source: part.source, from: 'available', to: bucket, amount: rest })
  }
}

/** Where credit goes that comes back to a grant. */
export function bucketOf(grant: Grant, nowMs: number): 'available' | 'expired' | 'voided' {
  if (grant.isVoid === true) return 'voided'
  return grant.expiresAtMs !== null && grant.expiresAtMs <= nowMs ? 'expired' : 'available'
}

/**
 * Pays for what a request cost beyond its hold: from credit that was active when the hold was made, also if it has
 * expired since, then from credit active now, then from the overage line of the request's period, until its invoice is
 * written. Gives what is left unpaid. The account never goes below zero, and neither a member nor a key above its cap.
 */
export function drawExcess(draft: Draft, reservation: Reservation, excess: Nano, postings: Posting[]): Nano {
  const left = spenderLeft(draft, spenderShare(reservation))
  const beyondCap = left !== null && left < excess ? excess - left : 0n
  let unpaid: bigint = excess - beyondCap
  const { periodKey } = reservation
  for (const wasActive of [true, false]) {
    for (const grant of draft.account.grants) {
      if (unpaid === 0n) break
      if (isActive(grant, reservation.createdAtMs) !== wasActive || grant.isVoid === true) continue
      const bucket = isActive(grant, draft.now) ? 'available' : wasActive ? 'expired' : undefined
      if (bucket === undefined || grant[bucket] === 0n) continue
      const take = min(unpaid, grant[bucket])
      const settled = plus(grant.settled, take)
      changeGrant(draft, recount(grant, { [bucket]: minus(grant[bucket], take), settled }))
      post(postings, { source: `grant:${grant.grantId}`, from: bucket, to: 'settled', amount: take })
      unpaid -= take
    }
  }
  const take = min(unpaid, overageLeft(draft, periodKey))
  if (take > 0n) {
    const line = overageLine(draft.account, periodKey)
    changeLine(draft, { ...line, used: plus(line.used, take) })
    post(postings, { source: `overage:${periodKey}`, from: 'limit', to: 'used', amount: take })
  }
  return (unpaid - take + beyondCap) as Nano
}

function findGrant(draft: Draft, source: Source): Grant | undefined {
  if (!source.startsWith('grant:')) return undefined
  const grantId = source.slice('grant:'.length)
  const grant = draft.account.grants.find((candidate) => candidate.grantId === grantId)
  assert(grant !== undefined, `the hold's grant ${grantId} left the account`)
  return grant
}

function post(postings: Posting[], posting: Posting): void {
  if (posting.amount > 0n) postings.push(posting)
}

function min(a: bigint, b: bigint): Nano {
  return (a < b ? a : b) as Nano
}

function plus(a: Nano, b: Nano): Nano {
  return (a + b) as Nano
}

function minus(a: Nano, b: Nano): Nano {
  assert(a >= b, () => `an amount would become negative: ${a} - ${b}`)
  return (a - b) as Nano
}
