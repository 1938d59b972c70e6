import assert from 'node:assert/strict'
import type { Account, Grant, Reservation } from '@farebox/core'
import type { Fold, FoldedGrant } from './fold.ts'

export function checkHead(account: Account, fold: Fold): void {
  const { planId, seats, spendingLimit, memberCap, anchorDay } = account
  assert.deepEqual(
    { planId, seats, spendingLimit, memberCap, anchorDay },
    { ...fold.terms },
    'the head has other terms',
  )
  assert.equal(account.charged, fold.charged, 'the head and the journal differ in what was charged')
  assert.equal(account.absorbed, fold.absorbed, 'the head and the journal differ in what was absorbed')
  assert.equal(account.refunded, fold.refunded, 'the head and the journal differ in what was refunded')
  let paid = 0n
  for (const grant of fold.grants.values()) paid += grant.settled
  for (const used of fold.used.values()) paid += used
  assert.equal(
    paid,
    fold.charged - fold.refunded + fold.adjusted,
    'what the sources paid is not what was charged',
  )
  assert.ok(account.asOfMs >= fold.recordedAtMs, 'the head is older than its journal')
  const inHead = new Set<string>()
  for (const grant of account.grants) {
    const source = `grant:${grant.grantId}`
    assert.ok(!inHead.has(source), `${source} is in the head twice`)
    inHead.add(source)
    checkGrant(grant, fold.grants.get(source))
  }
  for (const [source, grant] of fold.grants) {
    if (!inHead.has(source)) assert.equal(grant.available, 0n, `${source} left the head with credit in it`)
  }
}

function checkGrant(grant: Grant, folded: FoldedGrant | undefined): void {
  const { grantId, issued, available, held, settled, expired, voided } = grant
  assert.ok(folded !== undefined, `${grantId} is not in the journal`)
  for (const amount of [available, held, settled, expired, voided]) {
    assert.ok(amount >= 0n, `${grantId} has a negative counter`)
  }
  assert.equal(available + held + settled + expired + voided, issued, `${grantId} does not add up`)
  assert.deepEqual(
    { issued, available: available + held, settled, expired, voided, effectiveAtMs: grant.effectiveAtMs },
    {
      issued: folded.issued,
      available: folded.available,
      settled: folded.settled,
      expired: folded.expired,
      voided: folded.voided,
      effectiveAtMs: folded.effectiveAtMs,
    },
    `${grantId} is not what the journal says`,
  )
  assert.equal(grant.isVoid === true, folded.isVoid, `${grantId} is void in the head or in the journal only`)
  if (folded.isVoid) assert.equal(available, 0n, `${grantId} is void and can be spent`)
  assert.equal(folded.terms['kind'], grant.kind)
  assert.equal(folded.terms['expiresAtMs'], grant.expiresAtMs)
}

/** What holds set aside is what the sources hold. */
export function checkHolds(account: Account, holds: readonly Reservation[]): void {
  const held = new Map<string, bigint>()
  let provisional = 0n
  for (const { reservationId, state, amount, parts, late, untold } of holds) {
    if (state === 'settled' || state === 'released') {
      const awaited = late?.attempts.length ?? untold?.attemptIds.length ?? 0
      assert.ok(awaited > 0, `${reservationId} is due and ${state}`)
      assert.deepEqual(parts, [], `${reservationId} is ${state} and holds something`)
      continue
    }
    let sum = 0n
    for (const part of parts) {
      assert.ok(part.amount > 0n, `${reservationId} holds ${part.amount} of ${part.source}`)
      held.set(part.source, (held.get(part.source) ?? 0n) + part.amount)
      sum += part.amount
    }
    assert.equal(sum, amount, `${reservationId} holds ${sum} of ${amount}`)
    if (state !== 'provisional') continue
    provisional += sum
    const expected = late?.attempts.reduce((total, attempt) => total + attempt.held, 0n)
    assert.equal(sum, expected, `${reservationId} holds ${sum} for costs of ${expected}`)
  }
  assert.equal(account.provisional, provisional, 'the head and the holds differ in what is provisional')
  const sources = [
    ...account.grants.map((grant) => ({ source: `grant:${grant.grantId}`, held: grant.held })),
    ...account.overage.map((line) => ({ source: `overage:${line.periodKey}`, held: line.held })),
  ]
  for (const source of sources) {
    assert.equal(source.held, held.get(source.source) ?? 0n, `${source.source} does not match its holds`)
    held.delete(source.source)
  }
  assert.deepEqual([...held.keys()], [], 'holds have sources that the head does not have')
  const leases = holds.filter(({ lease, state }) => lease !== undefined && state === 'held')
  assert.deepEqual(
    account.leases?.map(({ leaseId }) => leaseId).toSorted() ?? [],
    leases.map(({ reservationId }) => reservationId).toSorted(),
    'the head lists other leases than there are',
  )
  assert.notEqual(account.leases?.length, 0, 'the head has an empty list of leases')
}

export function checkOverage(account: Account, fold: Fold): void {
  for (const { periodKey, held, used } of account.overage) {
    assert.ok(held >= 0n && used >= 0n, `pay-as-you-go of ${periodKey} is negative`)
    assert.equal(used, fold.used.get(periodKey) ?? 0n, `pay-as-you-go of ${periodKey} is not the journal's`)
    assert.ok(held + used <= fold.limitMax, `pay-as-you-go of ${periodKey} is beyond every limit there was`)
  }
}
