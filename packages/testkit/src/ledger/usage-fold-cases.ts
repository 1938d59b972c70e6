import assert from 'node:assert/strict'
import { createLedger, type LedgerStore, usd } from '@farebox/core'
import { casePlans, type LedgerCase, ledgerCase } from './ledger-case.ts'
import { changesNothing, day, give, served, spend } from './requests.ts'
import { ask, today, usageOf } from './usage-requests.ts'

/** How the journal is added up: each entry once, whoever asks and however often. */
export const usageFoldCases: readonly LedgerCase[] = [
  ledgerCase(
    'counts every entry once when ten processes add up at once',
    async ({ ledger, store, clock }) => {
      await give(ledger, 'g1', 10_000n)
      const ledgers = Array.from({ length: 10 }, () => createLedger({ store, plans: casePlans, clock }))
      for (let round = 0; round < 3; round += 1) {
        const asked = Array.from({ length: 30 }, (_, index) => spend(ledger, `r${round}.${index}`, 10n))
        await Promise.all([...asked, ...ledgers.map(({ statements }) => statements.fold('alice', 1000))])
        await Promise.all(ledgers.map(({ statements }) => statements.fold('alice', 1000)))
      }
      const [row, ...others] = await usageOf(ledger, today)

      assert.deepEqual([row?.requests, row?.charged, others.length], [90, 900n, 0])
      assert.deepEqual(await ledger.statements.fold('alice', 1), { seq: 91n, isComplete: true })
    },
  ),

  ledgerCase(
    'failure 17: charges nothing for being asked, however often',
    async ({ ledger, store, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      await spend(ledger, 'r1', usd('0.10'))
      clock.set(Date.UTC(2026, 11, 1))
      await ledger.statements.closePeriod({ accountId: 'alice' })
      await changesNothing(store, async () => {
        for (let times = 0; times < 50; times += 1) {
          await usageOf(ledger, today)
          await ledger.statements.closePeriod({ accountId: 'alice', periodKey: '2026-11' })
          await ledger.statements.invoice('alice', '2026-11')
          await ledger.receipt('alice', 'r1')
        }
      })
    },
  ),

  ledgerCase('writes nothing when nothing was booked since the last time', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    await spend(ledger, 'r1', 10n)
    await ledger.statements.fold('alice', 1000)
    await changesNothing(store, () => usageOf(ledger, today))
    assert.deepEqual(await ledger.statements.fold('nobody', 1000), { seq: 0n, isComplete: true })
  }),

  ledgerCase('adds up no more entries at once than it is asked to', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    for (let index = 0; index < 9; index += 1) await spend(ledger, `r${index}`, 1n)

    assert.deepEqual(await ledger.statements.fold('alice', 4), { seq: 4n, isComplete: false })
    assert.equal((await ledger.statements.usage('alice', [{ day: today, page: 0 }])).seq, 4n)
    assert.deepEqual(await ledger.statements.fold('alice', 6), { seq: 10n, isComplete: true })
  }),

  ledgerCase(
    'failure 22: reads each entry of the journal once, however often usage is asked for',
    async ({ store, clock }) => {
      let entries = 0
      const counting: LedgerStore = {
        ...store,
        async journal(...request) {
          const page = await store.journal(...request)
          entries += page.length
          return page
        },
      }
      const ledger = createLedger({ store: counting, plans: casePlans, clock })
      await give(ledger, 'g1', 100_000n)
      for (let index = 0; index < 400; index += 1) await spend(ledger, `r${index}`, 10n)
      await usageOf(ledger, today)
      assert.equal(entries, 401)

      for (let times = 0; times < 20; times += 1) {
        await spend(ledger, `s${times}`, 1n)
        const [row] = await usageOf(ledger, today)
        assert.equal(row?.charged, 4000n + BigInt(times + 1))
      }
      assert.equal(entries, 421)
    },
  ),

  ledgerCase('keeps the rows of a day with 300 members on further pages', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100_000n)
    for (const round of [0, 1]) {
      for (let index = 0; index < 300; index += 1) {
        const subject = { model: 'model', memberId: `m${index}`, costProviderIds: [], attemptsMax: 1 }
        await ask(ledger, `r${round}.${index}`, [served(BigInt(index))], { subject })
      }
      await ledger.statements.fold('alice', 1000)
    }
    clock.advance(day)
    const { pages, further } = await ledger.statements.usage('alice', [{ day: today, page: 0 }])
    assert.deepEqual([pages[0]?.rows.length, further], [256, [{ day: today, page: 1 }]])
    const rows = await usageOf(ledger, today)

    assert.equal(rows.length, 300)
    for (const { memberId, requests, charged } of rows) {
      assert.deepEqual([requests, charged], [2, 2n * BigInt(String(memberId).slice(1))])
    }
  }),
]
