import assert from 'node:assert/strict'
import {
  type Clock,
  createLedger,
  fakeClock,
  isGatewayError,
  type Ledger,
  type LedgerStore,
  memoryStorage,
  nano,
  OutcomeUnknown,
  type Receipt,
} from '@farebox/core'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { checkInvariants } from './check-invariants.ts'
import { casePlans, caseStartMs } from './ledger-case.ts'
import { holdOf, served, settled } from './requests.ts'

/** How many interleavings to try; `FAREBOX_RUNS=100000` for a long search. */
const numRuns = Number(process.env['FAREBOX_RUNS'] ?? 150)

/** What happens to one call of the store: nothing, or its reply is lost before or after it was applied. */
type Loss = 'none' | 'before' | 'after'

interface Flow {
  readonly amount: bigint
  readonly cost: bigint
  /** Who reserves, and everyone who settles. */
  readonly by: 0 | 1
  readonly settledBy: readonly (0 | 1)[]
}

const anyFlow: fc.Arbitrary<Flow> = fc.record({
  amount: fc.bigInt(1n, 40n),
  cost: fc.bigInt(0n, 60n),
  by: fc.constantFrom(0, 1),
  settledBy: fc.array(fc.constantFrom(0, 1), { minLength: 1, maxLength: 3 }),
})

/** A store whose calls begin and answer in the scheduler's order, and whose replies get lost. */
function disturbed(store: LedgerStore, scheduler: fc.Scheduler, losses: Loss[]): LedgerStore {
  return {
    ...store,
    async transact(accountId, keys, reduce, options) {
      const loss = losses.pop() ?? 'none'
      await scheduler.schedule(Promise.resolve(), 'call')
      if (loss === 'before') throw new OutcomeUnknown('The connection broke.')
      const result = await store.transact(accountId, keys, reduce, options)
      await scheduler.schedule(Promise.resolve(), 'reply')
      if (loss === 'after') throw new OutcomeUnknown('The connection broke.')
      return result
    },
  }
}

/** A clock whose pauses are over at once. */
function hasty(clock: Clock): Clock {
  return {
    ...clock,
    after: (_delayMs, task) => {
      queueMicrotask(task)
      return () => {}
    },
  }
}

/** Asks again by the same id for as long as the ledger is out of reach, as a patient caller does. */
async function insist<R>(operation: () => Promise<R>): Promise<R> {
  for (;;) {
    try {
      return await operation()
    } catch (error) {
      if (!isGatewayError(error)) throw error
    }
  }
}

async function play(
  id: string,
  flow: Flow,
  ledgers: readonly [Ledger, Ledger],
): Promise<Receipt | undefined> {
  const request = holdOf(id, flow.amount)
  const result = await insist(() => ledgers[flow.by].reserve(request))
  if (result.outcome !== 'reserved') return undefined
  const attempts = [served(flow.cost)]
  const settlement = { accountId: 'alice', reservationId: id, attempts }
  const results = await Promise.all(flow.settledBy.map((by) => insist(() => ledgers[by].settle(settlement))))
  const receipts = results.map(settled)
  for (const receipt of receipts) assert.deepEqual(receipt, receipts[0])
  return receipts[0]
}

describe('two ledgers over one store', () => {
  it('charge every request once, whatever the order of their calls and whichever replies are lost (failures 1, 5, 16)', async () => {
    const losses = fc.array(fc.constantFrom<Loss>('none', 'none', 'before', 'after'), { maxLength: 40 })
    const flows = fc.array(anyFlow, { minLength: 2, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), flows, losses, async (scheduler, requests, lost) => {
        const clock = fakeClock(caseStartMs)
        const storage = memoryStorage({ clock })
        const store = disturbed(storage.ledger, scheduler, [...lost])
        const options = { store, plans: casePlans, clock: hasty(clock) }
        const ledgers = [createLedger(options), createLedger(options)] as const
        const credit = { accountId: 'alice', grantId: 'g1', amount: nano(100n) }
        const receipts = await scheduler.waitFor(
          Promise.all([
            ...requests.map((request, index) => play(`r${index}`, request, ledgers)),
            ...ledgers.map((ledger) => insist(() => ledger.grant(credit)).then(() => undefined)),
          ]),
        )

        await checkInvariants(storage, 'alice', casePlans)
        const balance = await createLedger({ ...options, store: storage.ledger }).balance('alice')
        const charged = receipts.reduce((sum, receipt) => sum + (receipt?.charged ?? 0n), 0n)
        assert.equal(balance.charged, charged)
        assert.equal(balance.held, 0n)
        assert.equal(balance.spendable, 100n - charged)
        for (const [index, { cost }] of requests.entries()) {
          const receipt = receipts[index]
          if (receipt !== undefined) assert.equal(receipt.charged + receipt.absorbed, cost)
        }
      }),
      { numRuns },
    )
  })
})
