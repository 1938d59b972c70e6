import assert from 'node:assert/strict'
import { type Ledger, nano, type RefundRequest, type RefundResult, usd } from '@farebox/core'
import { expected, final, settleWith, tell, waitMs } from './late-requests.ts'
import { caseStartMs, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  counters,
  day,
  deed,
  failed,
  give,
  granted,
  holdOf,
  hour,
  readHead,
  refunded,
  reserved,
  served,
  settleAt,
  settled,
  spend,
} from './requests.ts'

/** Refunds the only attempt of a request, or the one that is named. */
function refund(
  ledger: Ledger,
  requestId: string,
  options: Partial<Omit<RefundRequest, 'amount'>> & { readonly amount?: bigint } = {},
): Promise<RefundResult> {
  const { amount, ...rest } = options
  const some = amount === undefined ? {} : { amount: nano(amount) }
  return ledger.refund({ ...deed('o1'), requestId, attemptId: 'attempt', ...some, ...rest })
}

function parts(result: RefundResult): [string, string, bigint][] {
  return refunded(result).parts.map(({ source, to, amount }) => [source, to, amount])
}

/** What an attempt was charged, given back. */
export const refundCases: readonly LedgerCase[] = [
  ledgerCase('leaves balances as if the request had never been', async ({ ledger, store }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    await give(ledger, 'g1', 50n)
    await give(ledger, 'g2', 60n)
    const { grants } = await readHead(store)
    const before = await ledger.balance('alice')
    await spend(ledger, 'r1', 130n)
    refunded(await refund(ledger, 'r1'))

    assert.deepEqual((await readHead(store)).grants, grants)
    assert.deepEqual(await ledger.balance('alice'), { ...before, charged: 130n, refunded: 130n })
  }),

  ledgerCase('gives back what was drawn last first', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    await give(ledger, 'g1', 50n)
    await give(ledger, 'g2', 60n)
    await spend(ledger, 'r1', 130n)

    assert.deepEqual(parts(await refund(ledger, 'r1', { amount: 25n })), [
      ['overage:2026-11', 'limit', 20n],
      ['grant:g2', 'available', 5n],
    ])
    assert.deepEqual(parts(await refund(ledger, 'r1', { opId: 'o2' })), [
      ['grant:g2', 'available', 55n],
      ['grant:g1', 'available', 50n],
    ])
  }),

  ledgerCase('refunds to the last nano and not one more', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    await spend(ledger, 'r1', 40n)
    const above = await changesNothing(store, () => refund(ledger, 'r1', { amount: 41n }))
    assert.deepEqual(above, { outcome: 'above-refundable', refundable: 40n })
    refunded(await refund(ledger, 'r1', { amount: 39n }))
    const still = await changesNothing(store, () => refund(ledger, 'r1', { opId: 'o2', amount: 2n }))
    assert.deepEqual(still, { outcome: 'above-refundable', refundable: 1n })
    refunded(await refund(ledger, 'r1', { opId: 'o2' }))
    const none = await changesNothing(store, () => refund(ledger, 'r1', { opId: 'o3' }))
    assert.deepEqual(none, { outcome: 'above-refundable', refundable: 0n })
    const { spendable, charged, refunded: total } = await ledger.balance('alice')
    assert.deepEqual([spendable, charged, total], [100n, 40n, 40n])
  }),

  ledgerCase('refunds each attempt up to what it was charged', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    const attempts = [failed(7n, 'a'), served(20n, 'b'), served(10n, 'c')]
    settled(await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts }))

    const refusals: [string, bigint, bigint][] = [
      ['a', 1n, 0n],
      ['b', 21n, 20n],
      ['c', 11n, 10n],
    ]
    for (const [attemptId, amount, refundable] of refusals) {
      const result = await changesNothing(store, () => refund(ledger, 'r1', { attemptId, amount }))
      assert.deepEqual(result, { outcome: 'above-refundable', refundable })
    }
    assert.equal(refunded(await refund(ledger, 'r1', { attemptId: 'b' })).amount, 20n)
    assert.equal(refunded(await refund(ledger, 'r1', { attemptId: 'c', opId: 'o2' })).amount, 10n)
    assert.equal((await ledger.balance('alice')).spendable, 100n)
  }),

  ledgerCase(
    'failure 29: refunds once for one id, and tells another content apart',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      await spend(ledger, 'r1', 40n)
      const first = await refund(ledger, 'r1', { amount: 10n })
      assert.deepEqual(await changesNothing(store, () => refund(ledger, 'r1', { amount: 10n })), first)
      for (const other of [{ amount: 11n }, {}, { amount: 10n, attemptId: 'b' }]) {
        const result = await changesNothing(store, () => refund(ledger, 'r1', other))
        assert.equal(result.outcome, 'conflict')
      }
    },
  ),

  ledgerCase('refunds once when the same refund arrives ten times at once', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    await spend(ledger, 'r1', 40n)
    const results = await Promise.all(Array.from({ length: 10 }, () => refund(ledger, 'r1')))
    for (const result of results) assert.deepEqual(result, results[0])
    assert.equal((await ledger.balance('alice')).spendable, 100n)
  }),

  ledgerCase('gives back no more than was charged when ten refunds arrive at once', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    await spend(ledger, 'r1', 40n)
    const all = Array.from({ length: 10 }, (_, index) =>
      refund(ledger, 'r1', { opId: `o${index}`, amount: 9n }),
    )
    const outcomes = (await Promise.all(all)).map(({ outcome }) => outcome)
    assert.equal(outcomes.filter((outcome) => outcome === 'refunded').length, 4)
    assert.equal((await ledger.balance('alice')).refunded, 36n)
  }),

  ledgerCase(
    'leaves expired credit expired, or makes courtesy credit of it',
    async ({ ledger, store, clock }) => {
      const expiresAtMs = caseStartMs + hour
      granted(await ledger.grant({ accountId: 'alice', grantId: 'old', amount: nano(100n), expiresAtMs }))
      await spend(ledger, 'r1', 60n)
      clock.set(expiresAtMs)
      assert.deepEqual(parts(await refund(ledger, 'r1', { amount: 20n })), [['grant:old', 'expired', 20n]])
      assert.equal((await ledger.balance('alice')).spendable, 0n)

      const courtesy = await refund(ledger, 'r1', { opId: 'o2', amount: 30n, expiredCredit: 'courtesy' })
      assert.deepEqual(parts(courtesy), [['grant:old', 'expired', 30n]])
      assert.deepEqual(refunded(courtesy).grantIds, ['op:1:o2'])
      assert.equal((await ledger.balance('alice')).spendable, 30n)
      assert.deepEqual(await counters(store, 'old'), { available: 0n, held: 0n, settled: 10n, expired: 90n })
    },
  ),

  ledgerCase('gives nothing usable back to a grant that was voided', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    await spend(ledger, 'r1', 60n)
    await ledger.voidGrant({ ...deed('void'), grantId: 'g1' })
    const result = await refund(ledger, 'r1', { expiredCredit: 'courtesy' })

    assert.deepEqual([parts(result), refunded(result).grantIds], [[['grant:g1', 'voided', 60n]], []])
    assert.deepEqual(await counters(store, 'g1'), {
      available: 0n,
      held: 0n,
      settled: 0n,
      expired: 0n,
      voided: 100n,
    })
  }),

  ledgerCase(
    'issues the same credit anew when its grant was used up and forgotten',
    async ({ ledger, clock }) => {
      const expiresAtMs = caseStartMs + day
      const terms = { accountId: 'alice', amount: nano(60n), kind: 'promotional' as const, priority: 7 }
      granted(await ledger.grant({ ...terms, grantId: 'first', expiresAtMs }))
      await spend(ledger, 'r0', 60n)
      for (let index = 1; index <= 20; index += 1) {
        clock.advance(1)
        await give(ledger, `g${index}`, 10n)
        await spend(ledger, `r${index}`, 10n)
      }
      const result = refunded(await refund(ledger, 'r0'))
      assert.deepEqual(result.parts, [{ source: 'grant:first', to: 'voided', amount: 60n }])
      assert.deepEqual(result.grantIds, ['op:1:o1'])
      const entries = await ledger.journal('alice', 0n, 100)
      const issued = entries.find(({ opId }) => opId === 'grant:op:1:o1')
      assert.deepEqual({ ...issued?.terms }, { kind: 'promotional', priority: 7, expiresAtMs })
      assert.equal((await ledger.balance('alice')).spendable, 60n)
      clock.set(expiresAtMs)
      assert.equal((await ledger.balance('alice')).spendable, 0n)
    },
  ),

  ledgerCase('lowers the bill of the period the request was in', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    await spend(ledger, 'r1', usd('0.40'))
    clock.set(Date.UTC(2026, 11, 1))
    await spend(ledger, 'r2', usd('0.30'))
    assert.deepEqual(parts(await refund(ledger, 'r1')), [['overage:2026-11', 'limit', usd('0.40')]])
    const { overage, charged } = await ledger.balance('alice')
    assert.deepEqual([overage.used, overage.left, charged], [usd('0.30'), usd('0.70'), usd('0.70')])
  }),

  ledgerCase(
    'failure 6: gives back no more of a bill than is left after it was lowered by hand',
    async ({ ledger, store }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      await give(ledger, 'g1', 10n)
      await spend(ledger, 'r1', 110n)
      await ledger.adjust({ ...deed('lower'), amount: nano(70n) })
      const above = await changesNothing(store, () => refund(ledger, 'r1', { amount: 31n }))
      assert.deepEqual(above, { outcome: 'above-refundable', refundable: 30n })
      assert.deepEqual(parts(await refund(ledger, 'r1')), [['overage:2026-11', 'limit', 30n]])
    },
  ),

  ledgerCase(
    'gives back no more of an attempt than it was charged, whatever others of its request were',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      const attempts = [served(20n, 'b'), served(30n, 'c')]
      settled(await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts }))
      refunded(await refund(ledger, 'r1', { attemptId: 'b', amount: 5n }))
      const above = await changesNothing(store, () =>
        refund(ledger, 'r1', { opId: 'o2', attemptId: 'b', amount: 16n }),
      )
      assert.deepEqual(above, { outcome: 'above-refundable', refundable: 15n })
      assert.equal(refunded(await refund(ledger, 'r1', { opId: 'o3', attemptId: 'b' })).amount, 15n)
      assert.equal(refunded(await refund(ledger, 'r1', { opId: 'o4', attemptId: 'c' })).amount, 30n)
    },
  ),

  ledgerCase(
    'walks back over what paid, not over what expired as the hold ended',
    async ({ ledger, clock }) => {
      const expiresAtMs = caseStartMs + hour
      for (const grantId of ['g1', 'g2']) {
        granted(await ledger.grant({ accountId: 'alice', grantId, amount: nano(40n), expiresAtMs }))
      }
      reserved(await ledger.reserve(holdOf('r1', 80n, { timeToLiveMs: 2 * hour })))
      clock.set(expiresAtMs)
      await settleAt(ledger, 'r1', 50n)
      assert.deepEqual(parts(await refund(ledger, 'r1', { amount: 25n })), [
        ['grant:g2', 'expired', 10n],
        ['grant:g1', 'expired', 15n],
      ])
    },
  ),

  ledgerCase(
    'counts what hold and overrun took from one bill together, when it was lowered by hand',
    async ({ ledger, store }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      await give(ledger, 'g1', 10n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      await settleAt(ledger, 'r1', 100n)
      await ledger.adjust({ ...deed('lower'), amount: nano(30n) })
      // 50 of the hold and 40 beyond it are on the bill, of which 60 are left: 40, and 20 of the 50.
      const above = await changesNothing(store, () => refund(ledger, 'r1', { amount: 61n }))
      assert.deepEqual(above, { outcome: 'above-refundable', refundable: 60n })
      assert.deepEqual(parts(await refund(ledger, 'r1')), [
        ['overage:2026-11', 'limit', 40n],
        ['overage:2026-11', 'limit', 20n],
      ])
    },
  ),

  ledgerCase(
    'keeps refunds of an attempt apart from those of one whose cost came later',
    async ({ ledger }) => {
      await give(ledger, 'g1', 50n)
      await give(ledger, 'g2', 60n)
      reserved(await ledger.reserve(holdOf('r1', 100n)))
      await settleWith(ledger, 'r1', served(40n, 'now'), expected(30n, 'later'))
      assert.deepEqual(final(await tell(ledger, 'r1', 30n, 'later')), [30n, 30n, 0n, undefined])
      assert.deepEqual(parts(await refund(ledger, 'r1', { attemptId: 'later', amount: 25n })), [
        ['grant:g2', 'available', 20n],
        ['grant:g1', 'available', 5n],
      ])
      assert.deepEqual(parts(await refund(ledger, 'r1', { opId: 'o2', attemptId: 'now' })), [
        ['grant:g1', 'available', 40n],
      ])
      assert.equal(refunded(await refund(ledger, 'r1', { opId: 'o3', attemptId: 'later' })).amount, 5n)
    },
  ),

  ledgerCase(
    'gives nothing back when what stands for it would be one grant too many',
    async ({ ledger, store, clock }) => {
      const expiresAtMs = caseStartMs + hour
      granted(await ledger.grant({ accountId: 'alice', grantId: 'old', amount: nano(100n), expiresAtMs }))
      await spend(ledger, 'r1', 60n)
      clock.set(expiresAtMs)
      for (let index = 1; index <= 64; index += 1) await give(ledger, `g${index}`, 10n)
      const full = await changesNothing(store, () => refund(ledger, 'r1', { expiredCredit: 'courtesy' }))
      assert.deepEqual(full, { outcome: 'too-many-grants', max: 64 })
      await spend(ledger, 'r2', 10n)
      assert.deepEqual(refunded(await refund(ledger, 'r1', { expiredCredit: 'courtesy' })).grantIds, [
        'op:1:o1',
      ])
    },
  ),

  ledgerCase(
    'refunds what is final while another cost is to come, and nothing that was waived',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 100n)))
      await settleWith(ledger, 'r1', served(40n, 'now'), expected(30n, 'later'))
      assert.equal((await refund(ledger, 'r1', { attemptId: 'later' })).outcome, 'not-final')
      assert.equal(refunded(await refund(ledger, 'r1', { attemptId: 'now', amount: 10n })).amount, 10n)
      clock.advance(waitMs)
      const waived = await refund(ledger, 'r1', { opId: 'o2', attemptId: 'later' })
      assert.deepEqual(waived, { outcome: 'above-refundable', refundable: 0n })
    },
  ),

  ledgerCase('books a refund under the key that asked', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    const subject = { model: 'large', keyId: 'key', costProviderIds: [], attemptsMax: 1 }
    reserved(await ledger.reserve(holdOf('r1', 60n, { subject })))
    await settleAt(ledger, 'r1', 40n)
    await refund(ledger, 'r1')
    assert.equal((await ledger.journal('alice', 2n, 1))[0]?.terms?.['keyId'], 'key')
  }),

  ledgerCase('makes credit spendable again, and the limit too', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    await spend(ledger, 'r1', usd('1.00'))
    refunded(await refund(ledger, 'r1', { amount: usd('0.25') }))
    await spend(ledger, 'r2', usd('0.25'))
    assert.equal((await ledger.balance('alice')).spendable, 0n)
  }),

  ledgerCase('shows in the receipt what was refunded', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    const receipt = await spend(ledger, 'r1', 40n)
    assert.equal(receipt.refunded, undefined)
    await refund(ledger, 'r1', { amount: 15n })
    await refund(ledger, 'r1', { amount: 5n, opId: 'o2' })
    assert.deepEqual(await ledger.receipt('alice', 'r1'), { ...receipt, refunded: 20n })
    assert.deepEqual(await settleAt(ledger, 'r1', 1n), receipt, 'settling again gives the first receipt')
  }),

  ledgerCase('books a refund with its request, its attempt, who gave it, and why', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    const subject = { model: 'large', memberId: 'bob', costProviderIds: [], attemptsMax: 1 }
    reserved(await ledger.reserve(holdOf('r1', 60n, { subject })))
    await settleAt(ledger, 'r1', 40n)
    await refund(ledger, 'r1')
    const entry = (await ledger.journal('alice', 2n, 1))[0]

    assert.deepEqual([entry?.kind, entry?.requestId, entry?.memberId], ['refunded', 'r1', 'bob'])
    assert.deepEqual(
      { ...entry?.terms },
      {
        attemptId: 'attempt',
        amount: 40n,
        model: 'large',
        periodKey: '2026-11',
        providerId: 'provider',
        actor: 'support',
        reason: 'a test',
      },
    )
  }),

  ledgerCase('refunds an old request by the number of its entry, for 400 days', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100n)
    const { seq } = await spend(ledger, 'r1', 40n)
    assert.ok(seq !== null)
    clock.set(caseStartMs + 400 * day)
    assert.equal(refunded(await refund(ledger, 'r1', { seq, amount: 10n })).amount, 10n)
    clock.advance(1)
    assert.equal((await refund(ledger, 'r1', { seq, opId: 'o2' })).outcome, 'too-old')
  }),

  ledgerCase('knows no attempt of requests that were not charged', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('held', 10n)))
    reserved(await ledger.reserve(holdOf('released', 10n)))
    await ledger.settle({ accountId: 'alice', reservationId: 'released', attempts: [] })
    await spend(ledger, 'r1', 5n)
    const seqs = [undefined, 1n, 99n]
    for (const requestId of ['held', 'released', 'unknown']) {
      for (const seq of seqs) {
        const options = seq === undefined ? {} : { seq }
        const result = await changesNothing(store, () => refund(ledger, requestId, options))
        assert.equal(result.outcome, 'unknown-attempt')
      }
    }
    const other = await changesNothing(store, () => refund(ledger, 'r1', { attemptId: 'other' }))
    assert.equal(other.outcome, 'unknown-attempt')
    const wrong = await changesNothing(store, () => refund(ledger, 'r2', { seq: 2n }))
    assert.equal(wrong.outcome, 'unknown-attempt', 'the entry is of another request')
  }),

  ledgerCase('refuses to refund nothing or less', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    await spend(ledger, 'r1', 40n)
    await changesNothing(store, async () => {
      for (const amount of [0n, -1n]) await assert.rejects(() => refund(ledger, 'r1', { amount }), RangeError)
    })
  }),
]
