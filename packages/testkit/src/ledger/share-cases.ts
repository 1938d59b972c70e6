import assert from 'node:assert/strict'
import { type Ledger, usd } from '@farebox/core'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'
import { day, give, sources, spend } from './requests.ts'

const november = Date.UTC(2026, 10, 1)

async function issued(ledger: Ledger, accountId = 'alice'): Promise<bigint> {
  return (await ledger.balance(accountId)).includedIssued
}

/** Plans that give a share of their credit in mid-period, and plans whose credit comes on top. */
export const shareCases: readonly LedgerCase[] = [
  ledgerCase(
    'gives whoever signs up in mid-period the share that is left of it',
    async ({ ledger, clock }) => {
      clock.set(november + 20 * day)
      await ledger.configure({ accountId: 'alice', planId: 'prorated' })
      assert.equal(await issued(ledger), usd('1.00'), 'ten of thirty days')

      clock.set(november + 30 * day)
      assert.equal(await issued(ledger), usd('3.00'))
    },
  ),

  ledgerCase('rounds a share down to the nano', async ({ ledger, clock }) => {
    clock.set(november + 1)
    await ledger.configure({ accountId: 'alice', planId: 'prorated' })
    // 3,000,000,000 × 2,591,999,999 / 2,592,000,000 is 2,999,999,998.84….
    assert.equal(await issued(ledger), 2_999_999_998n)
  }),

  ledgerCase(
    'gives all of it to whoever is there as a period begins, however late the first use',
    async ({ ledger, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'prorated' })
      clock.set(november + 59 * day)
      assert.equal(await issued(ledger), usd('3.00'))
    },
  ),

  ledgerCase('gives a seat that is added in mid-period its share', async ({ ledger, clock }) => {
    clock.set(november)
    await ledger.configure({ accountId: 'alice', planId: 'prorated', seats: 2 })
    clock.set(november + 15 * day)
    await ledger.configure({ accountId: 'alice', planId: 'prorated', seats: 3 })
    assert.equal(await issued(ledger), usd('7.50'))
    await ledger.configure({ accountId: 'alice', planId: 'prorated', seats: 1 })
    clock.set(november + 20 * day)
    await ledger.configure({ accountId: 'alice', planId: 'prorated', seats: 3 })
    assert.equal(await issued(ledger), usd('7.50'), 'cycling seats gains nothing')
  }),

  ledgerCase('gives the same for seats added one by one or all at once', async ({ ledger, clock }) => {
    clock.set(november + 12_345_678)
    const grow = async (accountId: string, steps: readonly number[]): Promise<bigint> => {
      for (const seats of steps) await ledger.configure({ accountId, planId: 'prorated', seats })
      return issued(ledger, accountId)
    }
    const atOnce = await grow('at-once', [8])

    assert.equal(await grow('one-by-one', [1, 2, 3, 4, 5, 6, 7, 8]), atOnce)
    assert.equal(await grow('to-and-fro', [5, 2, 7, 1, 8, 3]), atOnce)
  }),

  ledgerCase(
    'gives nothing that would be less than a nano, and all of it next period',
    async ({ ledger, clock }) => {
      clock.set(november + 30 * day - 1)
      await ledger.configure({ accountId: 'alice', planId: 'prorated', seats: 1 })
      assert.equal(await issued(ledger), 1n)
      clock.advance(1)
      assert.equal(await issued(ledger), usd('3.00'))
    },
  ),

  ledgerCase('adds the whole credit of an additive plan to what was there', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'free' })
    await spend(ledger, 'r1', usd('0.07'))
    await ledger.configure({ accountId: 'alice', planId: 'additive' })

    const { included, includedIssued } = await ledger.balance('alice')
    assert.deepEqual([included, includedIssued], [usd('1.03'), usd('1.10')])
  }),

  ledgerCase('gives who signs up on an additive plan its credit only', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'additive' })
    assert.equal(await issued(ledger), usd('1.00'))
  }),

  ledgerCase(
    'gives an additive plan once a period, however often it is left and taken again',
    async ({ ledger, clock }) => {
      for (const [planId, seats] of [
        ['free', 1],
        ['additive', 1],
        ['free', 1],
        ['additive', 1],
        ['additive', 2],
        ['free', 1],
        ['additive', 3],
      ] as const) {
        await ledger.configure({ accountId: 'alice', planId, seats })
      }
      assert.equal(await issued(ledger), usd('3.10'))

      clock.set(november + 30 * day)
      assert.equal(await issued(ledger), usd('3.00'))
    },
  ),

  ledgerCase('gives nothing for a change to an additive plan that includes less', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'pro' })
    await ledger.configure({ accountId: 'alice', planId: 'additive' })
    assert.equal(await issued(ledger), usd('2.00'))
  }),

  ledgerCase('draws included credit before any other, share by share', async ({ ledger, clock }) => {
    clock.set(november + 20 * day)
    await give(ledger, 'g1', usd('1.00'))
    await ledger.configure({ accountId: 'alice', planId: 'prorated' })
    await ledger.configure({ accountId: 'alice', planId: 'prorated', seats: 2 })
    const { paidFrom } = await spend(ledger, 'r1', usd('2.50'))

    assert.deepEqual(sources(paidFrom), [
      ['grant:incl:2026-11:3000000000', usd('1.00')],
      ['grant:incl:2026-11:6000000000', usd('1.00')],
      ['grant:g1', usd('0.50')],
    ])
  }),
]
