import assert from 'node:assert/strict'
import { nano } from '@farebox/core'
import { charging, expected, tell, waitMs } from './late-requests.ts'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  give,
  graceMs,
  holdOf,
  minute,
  reserved,
  resolveWithinMs,
  served,
  settled,
  traceable,
} from './requests.ts'
import { ask, today, usageOf } from './usage-requests.ts'

/** Usage whose cost comes later: counted once, on the day of its request. */
export const usageLateCases: readonly LedgerCase[] = [
  ledgerCase('counts a cost that comes later once, on the day of its request', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100n)
    await ask(ledger, 'r1', [
      { ...expected(40n), usage: { quantities: { input_token: 9n }, certainty: 'exact' } },
    ])
    const [awaited] = await usageOf(ledger, today)
    assert.deepEqual(
      [awaited?.requests, awaited?.attempts, awaited?.unknownCosts, awaited?.cost, awaited?.charged],
      [1, 1, 1, 0n, 0n],
    )

    clock.advance(waitMs - 1)
    await tell(ledger, 'r1', 33n)
    const [row, ...others] = await usageOf(ledger, today)
    assert.deepEqual(others, [])
    assert.deepEqual(
      [row?.requests, row?.attempts, row?.unknownCosts, row?.cost, row?.charged],
      [1, 1, 0, 33n, 33n],
    )
    assert.deepEqual(
      [{ ...row?.quantities }, { ...row?.paidFrom }],
      [{ input_token: 9n }, { purchased: 33n }],
    )
  }),

  ledgerCase(
    'leaves a cost unknown that never came, and absorbs one that comes too late',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      await ask(ledger, 'r1', [expected(40n)])
      await ask(ledger, 'r2', [expected(40n)])
      clock.advance(waitMs)
      await tell(ledger, 'r2', 12n)
      const [row] = await usageOf(ledger, today)

      assert.deepEqual([row?.attempts, row?.unknownCosts, row?.cost, row?.charged], [2, 1, 12n, 0n])
      assert.deepEqual({ ...row?.absorbed }, { waived_late_cost: 12n })
    },
  ),

  ledgerCase('counts what was charged by an estimate and cost more as one attempt', async (context) => {
    const { clock, ledger } = context
    await give(ledger, 'g1', 100n)
    const estimating = charging(context)
    await ask(estimating, 'r1', [expected(40n)])
    clock.advance(waitMs)
    await give(estimating, 'g2', 1n)
    await tell(estimating, 'r1', 50n)
    const [row] = await usageOf(ledger, today)

    assert.deepEqual([row?.attempts, row?.unknownCosts, row?.cost, row?.charged], [1, 0, 50n, 40n])
  }),

  ledgerCase(
    'counts the attempt of a request that was left behind, once its cost is told',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 50n, { subject: traceable })))
      clock.advance(minute + graceMs + resolveWithinMs)
      await ledger.unresolved('alice')
      await ledger.reconcile({
        ...toldBy('provider'),
        reservationId: 'r1',
        attemptId: 'r1.1',
        cost: nano(9n),
      })
      const [row] = await usageOf(ledger, today)

      assert.deepEqual([row?.providerId, row?.requests, row?.attempts, row?.cost], ['provider', 0, 1, 9n])
      assert.deepEqual({ ...row?.absorbed }, { crash_unknown: 9n })
    },
  ),

  ledgerCase(
    'counts an attempt that was told after its request was settled without it',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 50n, { subject: { ...traceable, attemptsMax: 2 } })))
      clock.advance(minute + graceMs)
      await ledger.unresolved('alice')
      const request = { accountId: 'alice', reservationId: 'r1' }
      settled(await ledger.settle({ ...request, attempts: [served(40n, 'r1.2')], untold: ['r1.1'] }))
      await ledger.reconcile({ ...request, attemptId: 'r1.1', cost: nano(9n) })
      const [row] = await usageOf(ledger, today)

      assert.deepEqual([row?.requests, row?.attempts, row?.unknownCosts], [1, 2, 0])
      assert.deepEqual([row?.cost, row?.charged], [49n, 40n])
    },
  ),
]

/** Attempts of alice's at one provider, as a late cost names them. */
function toldBy(providerId: string): { readonly accountId: string; readonly providerId: string } {
  return { accountId: 'alice', providerId }
}
