import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import { type Nano, nano } from '../money.ts'
import type { Account } from './account.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { memoryStorage } from './memory-storage.ts'
import type { PlanTable } from './plan.ts'
import type { Receipt } from './receipt.ts'
import type { SettledAttempt } from './share.ts'
import type { LedgerStore } from './storage.ts'

const hour = 3_600_000
const day = 24 * hour
const startMs = Date.UTC(2026, 10, 10)

/** Small amounts, so that sums meet, and amounts beyond what a double and a 64-bit integer hold exactly. */
const amount = fc.oneof(
  fc.bigInt(0n, 9n),
  fc.bigInt(0n, 1000n),
  fc.bigInt(2n ** 53n - 2n, 2n ** 53n + 2n),
  fc.bigInt(2n ** 63n - 2n, 2n ** 63n + 2n),
)

const credit = fc.record({
  amount: amount.map((each) => each + 1n),
  kind: fc.constantFrom('promotional', 'courtesy', 'purchased'),
  priority: fc.constantFrom(undefined, 10, 50),
  lastsMs: fc.constantFrom(null, null, day, 2 * day),
})

const purse = fc.record({ included: amount, credits: fc.array(credit, { maxLength: 4 }), limit: amount })

type Purse = typeof purse extends fc.Arbitrary<infer Each> ? Each : never

function spendableOf({ included, credits, limit }: Purse): bigint {
  return credits.reduce((sum, each) => sum + each.amount, included + limit)
}

/** A part of an amount: all of it, nothing, or anything between. */
const share = fc.oneof(fc.constantFrom(0n, 1000n), fc.bigInt(0n, 1000n))

interface Opened {
  readonly ledger: Ledger
  readonly store: LedgerStore
  readonly advance: (ms: number) => void
}

/** Accounts that all have what the purse says, in a store of their own. */
async function open({ included, credits, limit }: Purse, ...accountIds: string[]): Promise<Opened> {
  const clock = fakeClock(startMs)
  const { ledger: store } = memoryStorage({ clock })
  const ledger = createLedger({ store, clock, plans: plansOf(included, limit) })
  for (const accountId of accountIds) {
    await ledger.configure({ accountId, planId: 'plan' })
    for (const [index, { amount: issued, kind, priority, lastsMs }] of credits.entries()) {
      const expiresAtMs = lastsMs === null ? null : startMs + lastsMs
      const terms = { kind, expiresAtMs, ...(priority === undefined ? {} : { priority }) }
      await ledger.grant({ accountId, grantId: `g${index}`, amount: nano(issued), ...terms })
    }
  }
  return { ledger, store, advance: clock.advance }
}

function plansOf(included: bigint, limit: bigint): PlanTable {
  return {
    defaultPlanId: 'plan',
    spendingLimit: nano(limit),
    plans: [
      {
        planId: 'plan',
        subscriptionPrice: undefined,
        includedCredit: { amount: nano(included), per: 'account' },
        overage: 'pay-as-you-go',
      },
    ],
  }
}

const subject = { model: 'model', costProviderIds: [], attemptsMax: 9 }

async function reserve(ledger: Ledger, accountId: string, held: bigint): Promise<void> {
  const hold = { accountId, reservationId: 'r1', amount: nano(held), timeToLiveMs: hour, subject }
  expect(await ledger.reserve(hold)).toMatchObject({ outcome: 'reserved' })
}

function served(cost: bigint, attemptId = 'r1.1'): SettledAttempt {
  return {
    attemptId,
    providerId: 'provider',
    providerModel: 'model',
    outcome: 'served',
    costSource: 'provider',
    cost: nano(cost),
    payer: 'customer',
  }
}

async function settle(ledger: Ledger, accountId: string, ...attempts: SettledAttempt[]): Promise<Receipt> {
  const result = await ledger.settle({ accountId, reservationId: 'r1', attempts })
  if (result.outcome !== 'settled') throw new Error(result.outcome)
  return result.receipt
}

/** Everything about money that an account has, apart from how its journal tells it. */
async function moneyOf({ ledger, store }: Opened, accountId: string) {
  await ledger.configure({ accountId, planId: 'plan' })
  const head = await store.transact(accountId, [], (cut) => ({ result: cut.head as Account }))
  const lines = head.overage.filter(({ held, used }) => held > 0n || used > 0n)
  return { grants: head.grants, lines: lines.map(({ periodKey, held, used }) => ({ periodKey, held, used })) }
}

function bySource(receipt: Receipt | undefined): ReadonlyMap<string, bigint> {
  const paid = new Map<string, bigint>()
  for (const { source, amount: part } of receipt?.paidFrom ?? []) {
    paid.set(source, (paid.get(source) ?? 0n) + part)
  }
  return paid
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

/** Ways of holding and settling one cost, some of it or all of it set aside before. */
const ways = {
  'in one hold': async (ledger: Ledger, held: bigint, cost: bigint) => {
    await reserve(ledger, 'alice', held)
    await settle(ledger, 'alice', served(cost))
  },
  'in a hold that was extended': async (ledger: Ledger, held: bigint, cost: bigint) => {
    await reserve(ledger, 'alice', held / 3n)
    const more = { accountId: 'alice', reservationId: 'r1', ordinal: 1, timeToLiveMs: 0 }
    expect(await ledger.extend({ ...more, amount: nano(held - held / 3n) })).toMatchObject({
      outcome: 'extended',
    })
    await settle(ledger, 'alice', served(cost))
  },
  'in a hold that shrank to an estimate first': async (ledger: Ledger, held: bigint, cost: bigint) => {
    await reserve(ledger, 'alice', held)
    await settle(ledger, 'alice', { ...served(held / 2n), state: 'provisional' })
    const told = { accountId: 'alice', reservationId: 'r1', attemptId: 'r1.1', cost: nano(cost) }
    expect(await ledger.reconcile(told)).toMatchObject({ outcome: 'reconciled' })
  },
  'over two attempts': async (ledger: Ledger, held: bigint, cost: bigint) => {
    await reserve(ledger, 'alice', held)
    await settle(ledger, 'alice', served(cost / 4n, 'r1.1'), served(cost - cost / 4n, 'r1.2'))
  },
}

describe('what a request costs', () => {
  it.each(Object.entries(ways))(
    'is paid as if exactly that had been held, when more or less was set aside %s',
    async (_way, spend) => {
      await fc.assert(
        fc.asyncProperty(purse, share, share, async (each, heldShare, costShare) => {
          const spendable = spendableOf(each)
          const held = (spendable * heldShare) / 1000n
          // Up to a little more than anyone could pay.
          const cost = ((spendable + 7n) * costShare) / 1000n
          const opened = await open(each, 'alice', 'bob')
          await spend(opened.ledger, held, cost)
          await reserve(opened.ledger, 'bob', least(cost, spendable))
          const known = await settle(opened.ledger, 'bob', served(cost))

          const receipt = await opened.ledger.receipt('alice', 'r1')
          expect(bySource(receipt)).toEqual(bySource(known))
          expect([receipt?.cost, receipt?.charged, receipt?.absorbed]).toEqual([
            cost,
            least(cost, spendable),
            cost - least(cost, spendable),
          ])
          expect(await moneyOf(opened, 'alice')).toEqual(await moneyOf(opened, 'bob'))
        }),
        { numRuns: 150 },
      )
    },
  )
})

const someRefunds = fc.record({
  costs: fc.array(share, { minLength: 1, maxLength: 3 }),
  /** Which attempt is refunded next, and how much of what is left of it. */
  steps: fc.array(fc.tuple(fc.nat({ max: 2 }), fc.bigInt(1n, 1000n)), { maxLength: 6 }),
  held: share,
  waitMs: fc.constantFrom(0, hour, day, 2 * day, 30 * day),
  voids: fc.option(fc.nat({ max: 3 }), { nil: undefined }),
})

describe('a request of which everything was refunded', () => {
  it('leaves every counter as if it had never been, in whichever parts and order it went back', async () => {
    await fc.assert(
      fc.asyncProperty(purse, someRefunds, async (each, { costs, steps, held, waitMs, voids }) => {
        const spendable = spendableOf(each)
        const opened = await open(each, 'alice', 'bob')
        const { ledger } = opened
        await reserve(ledger, 'alice', (spendable * held) / 1000n)
        const attempts = costs.map((part, index) => served((spendable * part) / 2000n, `r1.${index + 1}`))
        const receipt = await settle(ledger, 'alice', ...attempts)
        const deed = { actor: 'support', reason: 'test' }
        if (voids !== undefined && voids < each.credits.length) {
          for (const accountId of ['alice', 'bob']) {
            await ledger.voidGrant({ ...deed, accountId, opId: 'void', grantId: `g${voids}` })
          }
        }
        opened.advance(waitMs)
        const left = new Map(receipt.attempts.map(({ attemptId, charged }) => [attemptId, charged as bigint]))
        let ordinal = 0
        const refund = async (attemptId: string, part: bigint): Promise<void> => {
          if (part === 0n) return
          ordinal += 1
          const request = { ...deed, accountId: 'alice', opId: `o${ordinal}`, requestId: 'r1', attemptId }
          const result = await ledger.refund({ ...request, amount: nano(part) as Nano })
          expect(result).toMatchObject({ outcome: 'refunded', amount: part, grantIds: [] })
          left.set(attemptId, (left.get(attemptId) ?? 0n) - part)
        }
        for (const [index, part] of steps) {
          const attemptId = `r1.${index + 1}`
          await refund(attemptId, ((left.get(attemptId) ?? 0n) * part) / 1000n)
        }
        for (const [attemptId, rest] of left) await refund(attemptId, rest)

        expect(await moneyOf(opened, 'alice')).toEqual(await moneyOf(opened, 'bob'))
        const { charged, refunded, absorbed, ...balance } = await ledger.balance('alice')
        expect([refunded, charged]).toEqual([receipt.charged, receipt.charged])
        expect(absorbed).toBe(receipt.absorbed)
        expect({ ...balance, accountId: 'bob', charged: 0n, refunded: 0n, absorbed: 0n }).toEqual(
          await ledger.balance('bob'),
        )
      }),
      { numRuns: 300 },
    )
  })
})
