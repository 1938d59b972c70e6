import assert from 'node:assert/strict'
import { createLedger, nano, usd } from '@farebox/core'
import { casePlans, caseStartMs, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  day,
  give,
  graceMs,
  granted,
  holdOf,
  hour,
  minute,
  refused,
  reserved,
  spend,
  traceable,
} from './requests.ts'

/** Time is what the store’s clock says, and stands still when that goes backwards. */
export const storeClockCases: readonly LedgerCase[] = [
  ledgerCase(
    'finds the holds to look after by the store’s clock, however wrong the process’ own is',
    async ({ ledger, store, clock }) => {
      await give(ledger, 'g1', 10n)
      reserved(await ledger.reserve(holdOf('r1', 1n, { subject: traceable })))
      clock.advance(minute + graceMs)
      for (const skewMs of [-40 * day, 40 * day]) {
        const skewed = { ...clock, now: () => clock.now() + skewMs }
        const other = createLedger({ store, plans: casePlans, clock: skewed })
        assert.deepEqual((await other.accountsDue(null)).accountIds, ['alice'])
        const { reservations } = await other.unresolved('alice')
        assert.deepEqual(
          reservations.map(({ reservationId }) => reservationId),
          ['r1'],
        )
      }
    },
  ),

  ledgerCase('lets time stand still when the store’s clock goes backwards', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'free' })
    const december = Date.UTC(2026, 11, 1)
    clock.set(december + day)
    await spend(ledger, 'r1', usd('0.03'))
    clock.set(december - day)
    const balance = await ledger.balance('alice')
    assert.deepEqual([balance.periodKey, balance.included], ['2026-12', usd('0.07')])
    const hold = reserved(await ledger.reserve(holdOf('r2', usd('0.07'))))
    assert.equal(hold.createdAtMs, december + day)

    clock.set(december + day + minute + graceMs - 1)
    refused(await ledger.reserve(holdOf('r3', 1n)))
    clock.advance(1)
    reserved(await ledger.reserve(holdOf('r3', 1n)))
  }),

  ledgerCase(
    'does not revive expired credit when the store’s clock goes backwards',
    async ({ ledger, clock }) => {
      const expiresAtMs = caseStartMs + hour
      granted(await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: nano(10n), expiresAtMs }))
      clock.advance(hour)
      await give(ledger, 'g2', 1n)
      clock.set(caseStartMs)

      assert.equal((await ledger.balance('alice')).spendable, 1n)
    },
  ),
]
