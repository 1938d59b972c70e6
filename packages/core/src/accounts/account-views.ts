import type { Balance } from '../ledger/balance.ts'
import type { KeyBalance } from '../ledger/key-balance.ts'
import type { MemberBalance } from '../ledger/member-balance.ts'
import type { Receipt, ReceiptAttempt } from '../ledger/receipt.ts'
import { formatUsd, type Nano } from '../money.ts'

/** `GET /v1/credits`: what the account has, and of that the member and the key that ask. Amounts are exact decimal US dollars, as text. */
export function showBalance(balance: Balance, member?: MemberBalance, key?: KeyBalance): string {
  const { overage } = balance
  return JSON.stringify({
    object: 'credits',
    account: balance.accountId,
    plan: balance.planId,
    seats: balance.seats,
    currency: 'USD',
    period: balance.periodKey,
    period_starts_at: new Date(balance.periodStartMs).toISOString(),
    resets_at: new Date(balance.resetsAtMs).toISOString(),
    included: formatUsd(balance.included),
    included_issued: formatUsd(balance.includedIssued),
    purchased: formatUsd(balance.purchased),
    held: formatUsd(balance.held),
    provisional: formatUsd(balance.provisional),
    overage: {
      policy: overage.policy,
      limit: formatUsd(overage.limit),
      used: formatUsd(overage.used),
      held: formatUsd(overage.held),
      left: formatUsd(overage.left),
    },
    spendable: formatUsd(least(balance.spendable, member?.spendable, key?.spendable)),
    ...(member === undefined ? {} : { member: showMember(member) }),
    ...(key === undefined ? {} : { key: showKey(key) }),
    charged_total: formatUsd(balance.charged),
    refunded_total: formatUsd(balance.refunded),
  })
}

function showMember({ memberId, cap, used, held, left }: MemberBalance) {
  return {
    id: memberId,
    cap: cap === null ? null : formatUsd(cap),
    used: formatUsd(used),
    held: formatUsd(held),
    left: left === null ? null : formatUsd(left),
  }
}

function showKey({ keyId, cap, used, held, left, resetsAtMs }: KeyBalance) {
  return {
    id: keyId,
    cap: formatUsd(cap.amount),
    per: cap.per,
    used: formatUsd(used),
    held: formatUsd(held),
    left: formatUsd(left),
    resets_at: resetsAtMs === null ? null : new Date(resetsAtMs).toISOString(),
  }
}

/** Each of them is read by itself: what is spendable of one may be less by now than the others tell. */
function least(amount: Nano, ...others: readonly (Nano | undefined)[]): Nano {
  return others.reduce<Nano>((less, other) => (other !== undefined && other < less ? other : less), amount)
}

/** `GET /v1/receipts/{id}`: what one request used and cost, attempt by attempt, and what it was paid from. */
export function showReceipt(receipt: Receipt): string {
  return JSON.stringify({
    object: 'receipt',
    id: receipt.requestId,
    account: receipt.accountId,
    ...(receipt.memberId === undefined ? {} : { member: receipt.memberId }),
    model: receipt.model,
    period: receipt.periodKey,
    state: receipt.state ?? 'final',
    settled_at: new Date(receipt.recordedAtMs).toISOString(),
    currency: 'USD',
    cost: formatUsd(receipt.cost),
    charged: formatUsd(receipt.charged),
    absorbed: formatUsd(receipt.absorbed),
    ...(receipt.refunded === undefined ? {} : { refunded: formatUsd(receipt.refunded) }),
    paid_from: receipt.paidFrom.map(({ source, amount }) => ({ source, amount: formatUsd(amount) })),
    spendable_after: formatUsd(receipt.spendableAfter),
    journal_seq: receipt.seq === null ? null : Number(receipt.seq),
    attempts: receipt.attempts.map(showAttempt),
  })
}

function showAttempt(attempt: ReceiptAttempt) {
  const quantities = Object.entries(attempt.usage?.quantities ?? {}).map(([unit, quantity]) => [
    unit,
    String(quantity),
  ])
  return {
    id: attempt.attemptId,
    provider: attempt.providerId,
    provider_model: attempt.providerModel,
    outcome: attempt.outcome,
    usage: Object.fromEntries(quantities),
    usage_certainty: attempt.usage?.certainty ?? null,
    cost_source: attempt.costSource,
    price_version: attempt.priceVersion ?? null,
    ...(attempt.serviceTier === undefined ? {} : { service_tier: attempt.serviceTier }),
    cost: attempt.cost === null ? null : formatUsd(attempt.cost),
    ...(attempt.state === undefined ? {} : { state: attempt.state }),
    ...(attempt.estimate === undefined ? {} : { estimate: formatUsd(attempt.estimate) }),
    charged: formatUsd(attempt.charged),
    absorbed: formatUsd(attempt.absorbed),
    ...(attempt.absorbedReason === undefined ? {} : { absorbed_reason: attempt.absorbedReason }),
    ...(attempt.payer === undefined ? {} : { payer: attempt.payer }),
    ...(attempt.memoCost === undefined ? {} : { memo_cost: formatUsd(attempt.memoCost) }),
  }
}
