import { nano, zero } from '../money.ts'
import { type Account, recount } from './account.ts'
import { append, changeGrant, type Draft, forgetClosed, keep, type MutableAccount } from './draft.ts'
import { resolvePart } from './draw.ts'
import { emptyChain, type Posting } from './entry.ts'
import { issueIncluded } from './included.ts'
import { periodAfter, periodAt } from './period.ts'
import type { PlanTable } from './plan.ts'
import { ended, lookAtMs, putReservation, type Reservation } from './reservation.ts'
import type { Cut } from './storage.ts'

/**
 * Opens the account at the store's time: expires credit, starts a new period and issues its included credit, and looks
 * after holds that are due. All of it is a function of time, so that no timer is ever needed to be right.
 */
export function openAccount(cut: Cut, accountId: string, plans: PlanTable): Draft {
  const head = cut.head as Account | null
  if (head === null) {
    const first = firstDraft(cut, accountId, plans)
    issueIncluded(first, first.now)
    return first
  }
  const draft = draftOf(cut, copyOf(head, Math.max(cut.now, head.asOfMs)), plans)
  const { account, now } = draft
  expireGrants(draft)
  const hasBegun = now >= account.period.endMs
  if (hasBegun) {
    account.period = periodAfter(account.period, now, account.anchorDay)
    account.includedIssued = zero
    account.includedTarget = zero
    account.includedRest = 0n
    account.includedPools = null
    forgetClosed(account)
  }
  // Who was there when the period began has it all, however late the first use.
  issueIncluded(draft, hasBegun ? account.period.startMs : now)
  for (const { value } of cut.due) expireReservation(draft, value as Reservation)
  return draft
}

/** A draft of an account that was never written: on the default plan, before any credit is issued. */
export function firstDraft(cut: Cut, accountId: string, plans: PlanTable): Draft {
  return draftOf(cut, newAccount(accountId, plans, cut.now), plans)
}

function draftOf(cut: Cut, account: MutableAccount, plans: PlanTable): Draft {
  return { account, now: account.asOfMs, plans, puts: new Map(), entries: [], moreDue: cut.moreDue }
}

// Member by member: that is several times as fast as spreading, and every operation begins here.
function copyOf(head: Account, now: number): MutableAccount {
  return {
    accountId: head.accountId,
    asOfMs: now,
    seq: head.seq,
    chain: head.chain,
    planId: head.planId,
    seats: head.seats,
    spendingLimit: head.spendingLimit,
    // A head that was written before a member existed has what that member stands for.
    anchorDay: head.anchorDay ?? null,
    period: head.period,
    includedIssued: head.includedIssued,
    includedTarget: head.includedTarget ?? head.includedIssued,
    includedRest: head.includedRest ?? 0n,
    includedPools: head.includedPools ?? null,
    grants: head.grants.slice(),
    overage: head.overage.slice(),
    charged: head.charged,
    absorbed: head.absorbed,
    refunded: head.refunded ?? zero,
    closedThrough: head.closedThrough ?? null,
    carry: head.carry ?? zero,
    alerted: head.alerted ?? null,
  }
}

function newAccount(accountId: string, plans: PlanTable, now: number): MutableAccount {
  return {
    accountId,
    asOfMs: now,
    seq: 0n,
    chain: emptyChain,
    planId: plans.defaultPlanId,
    seats: 1,
    spendingLimit: null,
    anchorDay: null,
    period: periodAt(now, null),
    includedIssued: zero,
    includedTarget: zero,
    includedRest: 0n,
    includedPools: null,
    grants: [],
    overage: [],
    charged: zero,
    absorbed: zero,
    refunded: zero,
    closedThrough: null,
    carry: zero,
    alerted: null,
  }
}

function expireGrants(draft: Draft): void {
  const postings: Posting[] = []
  for (const grant of draft.account.grants) {
    if (grant.expiresAtMs === null || grant.expiresAtMs > draft.now || grant.available === 0n) continue
    const expired = nano(grant.expired + grant.available)
    changeGrant(draft, recount(grant, { available: zero, expired }))
    postings.push({
      source: `grant:${grant.grantId}`,
      from: 'available',
      to: 'expired',
      amount: grant.available,
    })
  }
  if (postings.length === 0) return
  const seq = draft.account.seq + 1n
  append(draft, {
    kind: 'expired',
    opId: `expire:${seq}`,
    recordedAtMs: draft.now,
    effectiveAtMs: draft.now,
    postings,
  })
}

/** Looks after a hold that is due: nobody settled it in time. */
function expireReservation(draft: Draft, reservation: Reservation): void {
  if (draft.now < lookAtMs(reservation)) return
  const canAsk = reservation.state === 'held' && reservation.subject.costProviderIds.length > 0
  if (canAsk) {
    const asked: Reservation = { ...reservation, state: 'unresolved' }
    keep(draft, putReservation(asked, 'replace', draft.now))
    // Nobody looked for so long that the time to ask is over too: the next run releases it.
    if (draft.now >= lookAtMs(asked)) draft.moreDue = true
    return
  }
  release(draft, reservation)
}

/** Gives a hold back although nobody knows what its request cost. The journal says so: unknown is never silently zero. */
function release(draft: Draft, reservation: Reservation): void {
  const { reservationId, amount, subject } = reservation
  const postings: Posting[] = []
  for (const part of reservation.parts) resolvePart(draft, part, zero, postings)
  append(draft, {
    kind: 'released',
    opId: `release:${reservationId}`,
    recordedAtMs: draft.now,
    effectiveAtMs: reservation.createdAtMs,
    requestId: reservationId,
    ...(subject.memberId === undefined ? {} : { memberId: subject.memberId }),
    postings,
    terms: { reason: 'cost_unknown', model: subject.model, amount },
  })
  keep(draft, putReservation(ended(reservation, { state: 'released' }), 'replace', draft.now))
}
