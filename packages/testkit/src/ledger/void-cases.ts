import assert from 'node:assert/strict'
import { nano, usd, type VoidGrantRequest } from '@farebox/core'
import { caseStartMs, type LedgerCase, type LedgerContext, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  counters,
  deed,
  give,
  granted,
  holdOf,
  hour,
  refunded,
  refused,
  reserved,
  settleAt,
  spend,
} from './requests.ts'

/** Uses up so many grants that one from before leaves the head. */
async function forgetOlder({ ledger, clock }: LedgerContext): Promise<void> {
  for (let index = 1; index <= 20; index += 1) {
    clock.advance(1)
    await give(ledger, `more${index}`, 10n)
    await spend(ledger, `more${index}`, 10n)
  }
}

/** Credit that is taken back. */
export const voidCases: readonly LedgerCase[] = [
  ledgerCase(
    'remembers that a grant was voided after it left the head, and if only a part was',
    async (context) => {
      const { ledger } = context
      for (const [round, amount] of [undefined, nano(5n)].entries()) {
        await give(ledger, `g${round}`, 60n)
        await spend(ledger, `r${round}`, 55n)
        const some = amount === undefined ? {} : { amount }
        await ledger.voidGrant({ ...deed(`void${round}`), grantId: `g${round}`, ...some })
      }
      await forgetOlder(context)
      const refunds = []
      for (const requestId of ['r0', 'r1']) {
        refunds.push(
          refunded(await ledger.refund({ ...deed(`o-${requestId}`), requestId, attemptId: 'attempt' })),
        )
      }
      assert.deepEqual(
        refunds.map(({ grantIds }) => grantIds),
        [[], ['op:1:o-r1']],
      )
      assert.equal((await ledger.balance('alice')).spendable, 55n)
    },
  ),

  ledgerCase('takes back what is left of a grant and leaves what was spent', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    await spend(ledger, 'r1', 30n)
    const result = await ledger.voidGrant({ ...deed('o1'), grantId: 'g1' })

    assert.deepEqual(result, { outcome: 'voided', voided: 70n, held: 0n })
    assert.deepEqual(await counters(store, 'g1'), {
      available: 0n,
      held: 0n,
      settled: 30n,
      expired: 0n,
      voided: 70n,
    })
    refused(await ledger.reserve(holdOf('r2', 1n)))
  }),

  ledgerCase(
    'lets a request under way keep what it holds of a voided grant, and voids what comes back',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      const result = await ledger.voidGrant({ ...deed('o1'), grantId: 'g1' })
      assert.deepEqual(result, { outcome: 'voided', voided: 40n, held: 60n })
      assert.equal((await settleAt(ledger, 'r1', 25n)).charged, 25n)

      assert.deepEqual(await counters(store, 'g1'), {
        available: 0n,
        held: 0n,
        settled: 25n,
        expired: 0n,
        voided: 75n,
      })
    },
  ),

  ledgerCase('voids what comes back of a grant that was held as a whole', async ({ ledger }) => {
    await give(ledger, 'g1', 60n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    assert.deepEqual(await ledger.voidGrant({ ...deed('o1'), grantId: 'g1' }), {
      outcome: 'voided',
      voided: 0n,
      held: 60n,
    })
    await settleAt(ledger, 'r1', 0n)
    assert.equal((await ledger.balance('alice')).spendable, 0n)
  }),

  ledgerCase(
    'pays no overrun from a voided grant, nor from one that expired and was voided',
    async ({ ledger, clock }) => {
      const expiresAtMs = caseStartMs + hour
      granted(await ledger.grant({ accountId: 'alice', grantId: 'old', amount: nano(50n), expiresAtMs }))
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 30n, { timeToLiveMs: 2 * hour })))
      clock.set(expiresAtMs)
      await give(ledger, 'g2', 1n)
      for (const grantId of ['old', 'g1']) await ledger.voidGrant({ ...deed(grantId), grantId })

      // The twenty of it that were not held had expired, and would have paid if it had not been voided.
      const { charged, absorbed } = await settleAt(ledger, 'r1', 60n)
      assert.deepEqual([charged, absorbed], [31n, 29n])
    },
  ),

  ledgerCase('takes back a part and leaves the rest usable', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 20n)))
    const some = { grantId: 'g1', amount: nano(30n) }
    assert.deepEqual(await ledger.voidGrant({ ...deed('o1'), ...some }), {
      outcome: 'voided',
      voided: 30n,
      held: 20n,
    })
    await settleAt(ledger, 'r1', 0n)
    assert.equal((await ledger.balance('alice')).spendable, 70n, 'what was held came back')
    const more = await ledger.voidGrant({ ...deed('o2'), grantId: 'g1', amount: nano(71n) })
    assert.deepEqual(more, { outcome: 'voided', voided: 70n, held: 0n })
    assert.equal((await counters(store, 'g1'))['voided'], 100n)
  }),

  ledgerCase('voids included credit for the rest of its period', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'free' })
    await ledger.voidGrant({ ...deed('o1'), grantId: 'incl:2026-11:100000000' })
    assert.equal((await ledger.balance('alice')).spendable, 0n)
    clock.set(Date.UTC(2026, 11, 1))
    assert.equal((await ledger.balance('alice')).spendable, usd('0.10'))
  }),

  ledgerCase('failure 29: voids once for one id, however often it is sent', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    const request = { ...deed('o1'), grantId: 'g1', amount: nano(30n) }
    const first = await ledger.voidGrant(request)
    await spend(ledger, 'r1', 10n)
    assert.deepEqual(await changesNothing(store, () => ledger.voidGrant(request)), first)
  }),

  ledgerCase(
    'reports a conflict when an operation’s id comes back with other content',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      await give(ledger, 'g2', 100n)
      const request = { ...deed('o1'), grantId: 'g1' }
      await ledger.voidGrant(request)
      const others: VoidGrantRequest[] = [
        { ...request, grantId: 'g2' },
        { ...request, amount: nano(100n) },
        { ...request, actor: 'another' },
        { ...request, reason: 'another' },
      ]
      for (const other of others) {
        const result = await changesNothing(store, () => ledger.voidGrant(other))
        assert.equal(result.outcome, 'conflict')
      }
      const adjusted = await changesNothing(store, () => ledger.adjust({ ...deed('o1'), amount: nano(1n) }))
      assert.equal(adjusted.outcome, 'conflict')
    },
  ),

  ledgerCase('books who voided a grant, and why', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    await ledger.voidGrant({ ...deed('o1'), grantId: 'g1' })
    const [entry] = await ledger.journal('alice', 1n, 1)

    assert.deepEqual([entry?.kind, entry?.opId], ['voided', 'op:o1'])
    assert.deepEqual(
      { ...entry?.terms },
      {
        grantId: 'g1',
        isWhole: true,
        actor: 'support',
        reason: 'a test',
      },
    )
  }),

  ledgerCase('says so when a grant is unknown, and books nothing', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    for (const grantId of ['g2', '', 'incl:2026-11:1']) {
      const result = await changesNothing(store, () => ledger.voidGrant({ ...deed('o1'), grantId }))
      assert.equal(result.outcome, 'unknown-grant')
    }
  }),

  ledgerCase('voids a grant that was used up and forgotten: nothing is left of it', async ({ ledger }) => {
    await give(ledger, 'first', 1n)
    await spend(ledger, 'r0', 1n)
    for (let index = 1; index <= 20; index += 1) {
      await give(ledger, `g${index}`, 10n)
      await spend(ledger, `r${index}`, 10n)
    }
    const result = await ledger.voidGrant({ ...deed('o1'), grantId: 'first' })
    assert.deepEqual(result, { outcome: 'voided', voided: 0n, held: 0n })
  }),

  ledgerCase(
    'refuses operations without id, actor or reason, and amounts of nothing',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      const wrong = [
        { opId: '' },
        { opId: 'o'.repeat(401) },
        { actor: '' },
        { actor: 'a'.repeat(201) },
        { reason: '' },
        { reason: 'r'.repeat(1001) },
      ]
      await changesNothing(store, async () => {
        for (const each of wrong) {
          const request = { ...deed('o1'), ...each }
          await assert.rejects(() => ledger.voidGrant({ ...request, grantId: 'g1' }), RangeError)
          await assert.rejects(() => ledger.adjust({ ...request, amount: nano(1n) }), RangeError)
          const refund = { ...request, requestId: 'r1', attemptId: 'a1' }
          await assert.rejects(() => ledger.refund(refund), RangeError)
        }
        for (const amount of [nano(0n), nano(-1n)]) {
          await assert.rejects(() => ledger.voidGrant({ ...deed('o1'), grantId: 'g1', amount }), RangeError)
        }
      })
    },
  ),
]
