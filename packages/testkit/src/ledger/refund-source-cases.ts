import assert from 'node:assert/strict'
import { nano, usd } from '@farebox/core'
import { caseStartMs, type LedgerCase, ledgerCase } from './ledger-case.ts'
import { parts, refund } from './refund-requests.ts'
import {
  changesNothing,
  counters,
  day,
  deed,
  give,
  granted,
  holdOf,
  hour,
  refunded,
  reserved,
  settleAt,
  spend,
} from './requests.ts'

/** Where a refund goes: back over what paid, to credit that may have gone and bills that may be over. */
export const refundSourceCases: readonly LedgerCase[] = [
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

  ledgerCase('makes credit spendable again, and the limit too', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    await spend(ledger, 'r1', usd('1.00'))
    refunded(await refund(ledger, 'r1', { amount: usd('0.25') }))
    await spend(ledger, 'r2', usd('0.25'))
    assert.equal((await ledger.balance('alice')).spendable, 0n)
  }),
]
