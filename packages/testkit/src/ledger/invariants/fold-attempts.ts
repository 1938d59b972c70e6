import assert from 'node:assert/strict'
import type { Entry, ReceiptAttempt } from '@farebox/core'
import type { Fold } from './fold.ts'

/** What an attempt was charged over all entries about it, and what of it was given back. */
export interface BookedAttempt {
  charged: bigint
  refunded: bigint
  /** Whether a cost is told by an entry. */
  isFinal: boolean
}

/** Per attempt the cost is what the customer and the operator paid; per entry it is what the sources paid. */
export function foldAttempts(fold: Fold, seq: bigint, entry: Entry): void {
  let charged = 0n
  for (const attempt of entry.attempts ?? []) {
    checkAttempt(attempt)
    charged += attempt.charged
    fold.absorbed += attempt.absorbed
    foldAttempt(fold, entry, attempt)
  }
  const drawn = entry.postings
    .filter(({ to }) => to === 'settled' || to === 'used')
    .reduce((sum, { amount }) => sum + amount, 0n)
  assert.equal(drawn, charged, `entry ${seq} charges ${charged} and draws ${drawn}`)
  fold.charged += charged
}

/**
 * A cost is told once. It may come after an entry that does not know it, and be followed by what is absorbed beyond an
 * estimate that was charged.
 */
function foldAttempt(fold: Fold, { kind, requestId }: Entry, attempt: ReceiptAttempt): void {
  const key = `${requestId} ${attempt.attemptId}`
  const booked = fold.attempts.get(key)
  const isBeyond =
    kind === 'reconciled' && attempt.charged === 0n && attempt.absorbedReason === 'waived_late_cost'
  if (booked === undefined) {
    fold.attempts.set(key, { charged: attempt.charged, refunded: 0n, isFinal: attempt.cost !== null })
    return
  }
  assert.equal(kind, 'reconciled', `${key} was settled twice`)
  assert.ok(!booked.isFinal || isBeyond, `${key} has a second cost`)
  booked.charged += attempt.charged
  booked.isFinal = true
}

function checkAttempt(attempt: ReceiptAttempt): void {
  const { attemptId, cost, charged, absorbed, absorbedReason } = attempt
  if (attempt.state !== undefined) assert.equal(cost, null, `${attemptId} is provisional and has a cost`)
  if (attempt.payer === 'own-key') assert.equal(cost, null, `${attemptId} ran on the customer's own key`)
  else assert.equal(attempt.memoCost, undefined, `${attemptId} has a memo cost`)
  assert.ok(charged >= 0n && absorbed >= 0n, `${attemptId} has a negative share`)
  assert.equal(charged + absorbed, cost ?? 0n, `the cost of ${attemptId} is not paid`)
  assert.equal(absorbed > 0n, absorbedReason !== undefined, `${attemptId} has no reason`)
}

/** A refund gives back what the sources gave, and never more than the attempt was charged. */
export function foldRefund(fold: Fold, seq: bigint, entry: Entry): void {
  const amount = entry.terms?.['amount'] as bigint
  const key = `${entry.requestId} ${entry.terms?.['attemptId']}`
  const booked = fold.attempts.get(key)
  assert.ok(booked !== undefined, `entry ${seq} refunds ${key}, which was never booked`)
  booked.refunded += amount
  assert.ok(booked.refunded <= booked.charged, `entry ${seq} refunds more of ${key} than it was charged`)
  const returned = entry.postings.reduce((sum, posting) => sum + posting.amount, 0n)
  assert.equal(returned, amount, `entry ${seq} refunds ${amount} and gives back ${returned}`)
  fold.refunded += amount
}
