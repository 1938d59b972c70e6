import assert from 'node:assert/strict'
import {
  type Clock,
  createLedger,
  type FakeClock,
  fakeClock,
  type Ledger,
  type LedgerStore,
  nano,
  type PlanTable,
  planPreset,
  type Storage,
  usd,
} from '@farebox/core'
import { checkInvariants } from './check-invariants.ts'

/** One rule about money, as it holds on every store. `run` rejects when the rule is broken. */
export interface LedgerCase {
  /** The rule, in a sentence. */
  readonly name: string
  run(subject: LedgerSubject): Promise<void>
}

/** A kind of store, as the cases make new ones of it. */
export interface LedgerSubject {
  /** An empty store that takes its time from `clock`, apart from every other one. */
  createStore(clock: Clock): Promise<Storage>
  /** Removes what the store kept, after it was closed. */
  dispose?(storage: Storage): Promise<void>
}

export interface LedgerContext {
  readonly ledger: Ledger
  readonly store: LedgerStore
  /** Stands at noon UTC of 10 November 2026 until a case moves it. */
  readonly clock: FakeClock
}

/** A plan without included credit, hard-stopped: what an account has is what it was granted. */
const bare = {
  planId: 'bare',
  subscriptionPrice: undefined,
  includedCredit: { amount: nano(0n), per: 'account' },
  overage: 'hard-stop',
} as const

/** A plan without included credit that may owe $1.00 a month. */
const metered = { ...bare, planId: 'metered', overage: 'pay-as-you-go', spendingLimit: usd('1.00') } as const

/** A plan that gives whoever comes in the middle of a period a part of its $3.00 a seat. */
const prorated = {
  ...bare,
  planId: 'prorated',
  includedCredit: { amount: usd('3.00'), per: 'seat' },
  prorate: true,
} as const

/** A plan whose credit comes besides what other plans gave in the period, and one that is prorated as well. */
const additive = {
  ...bare,
  planId: 'additive',
  includedCredit: { amount: usd('1.00'), per: 'seat' },
  additive: true,
} as const
const pool = { ...prorated, planId: 'pool', additive: true } as const

/** The published tiers, and plans for the cases. Accounts start on `bare`, without included credit. */
export const casePlans: PlanTable = {
  ...planPreset('hf-2026-02-04'),
  plans: [bare, metered, prorated, additive, pool, ...planPreset('hf-2026-02-04').plans],
  defaultPlanId: 'bare',
}

export const caseStartMs: number = Date.UTC(2026, 10, 10, 12)

/**
 * A case on an empty store. After it, every account it touched must keep the invariants, and the ledger's own audit must
 * find nothing. The two share no code on purpose: a fold that both used could be wrong without anyone telling.
 */
export function ledgerCase(
  name: string,
  check: (context: LedgerContext) => Promise<void>,
  plans: PlanTable = casePlans,
): LedgerCase {
  return {
    name,
    async run(subject) {
      const clock = fakeClock(caseStartMs)
      const storage = await subject.createStore(clock)
      const store = storage.ledger
      try {
        const ledger = createLedger({ store, plans, clock })
        await check({ ledger, store, clock })
        const { accountIds } = await store.scan('all', null, 100)
        for (const accountId of accountIds) {
          await checkInvariants(storage, accountId, plans)
          assert.deepEqual((await ledger.audit(accountId)).findings, [])
        }
      } finally {
        await store.close()
        await subject.dispose?.(storage)
      }
    },
  }
}
