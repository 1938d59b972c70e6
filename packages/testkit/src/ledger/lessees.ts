import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import {
  countedIds,
  createLedger,
  type LeasingLedger,
  type Ledger,
  type LedgerStore,
  leasing,
  nano,
  type PlanTable,
  type Receipt,
  type SettleResult,
  usd,
} from '@farebox/core'
import { casePlans, type LedgerCase, type LedgerContext, ledgerCase } from './ledger-case.ts'
import { holdOf, readHead, reserved, second, served } from './requests.ts'

/** How long a lease lives, and how much later it comes back when nobody gives it back. */
export const leaseMs: number = 30 * second
export const leaseGraceMs: number = 120 * second

const leased = {
  planId: 'leased',
  subscriptionPrice: undefined,
  includedCredit: { amount: nano(0n), per: 'account' },
  overage: 'hard-stop',
  lease: { most: nano(100_000n) },
} as const

/** The plans of the cases, and some that lease: accounts begin on one without included credit. */
export const leasePlans: PlanTable = {
  ...casePlans,
  plans: [
    leased,
    { ...leased, planId: 'leased-metered', overage: 'pay-as-you-go', spendingLimit: usd('1.00') },
    { ...leased, planId: 'leased-included', includedCredit: { amount: usd('1.00'), per: 'account' } },
    ...casePlans.plans,
  ],
  defaultPlanId: 'leased',
}

/** A case on plans that lease. */
export function leaseCase(name: string, check: (context: LedgerContext) => Promise<void>): LedgerCase {
  return ledgerCase(name, check, leasePlans)
}

/** A process that leases, and everything it was told of. */
export interface Lessee {
  readonly ledger: LeasingLedger
  /** Receipts of what checkpoints have written. */
  readonly told: readonly Receipt[]
  readonly failures: readonly unknown[]
  /** Calls of the store so far. */
  readonly calls: () => number
}

export function lessee(
  { store, clock }: Pick<LedgerContext, 'store' | 'clock'>,
  name: string,
  around: (store: LedgerStore) => LedgerStore = (inner) => inner,
): Lessee {
  const told: Receipt[] = []
  const failures: unknown[] = []
  let calls = 0
  const inner = around(store)
  const counted: LedgerStore = {
    ...inner,
    transact(...request) {
      calls += 1
      return inner.transact(...request)
    },
  }
  const options = { store: counted, plans: leasePlans, clock }
  const ledger = leasing(createLedger(options), {
    ...options,
    ids: countedIds(name),
    onSettled: ({ receipt }) => told.push(receipt),
    onFailed: (_accountId, cause) => failures.push(cause),
  })
  return { ledger, told, failures, calls: () => calls }
}

/** Sends requests that cost 30 of 100 until one of them is paid from a lease. Gives how many there were. */
export async function warm(ledger: Ledger, name: string): Promise<number> {
  for (let index = 1; index <= 500; index += 1) {
    const { isUnwritten } = await request(ledger, `${name}${index}`)
    if (isUnwritten === true) return index
    await pause(1)
  }
  return assert.fail('no lease was opened')
}

/** One request of at most 100 that costs 30. */
export async function request(
  ledger: Ledger,
  id: string,
  { amount = 100n, cost = 30n }: { readonly amount?: bigint; readonly cost?: bigint } = {},
): Promise<Extract<SettleResult, { outcome: 'settled' }>> {
  reserved(await ledger.reserve(holdOf(id, amount)))
  const result = await ledger.settle({ accountId: 'alice', reservationId: id, attempts: [served(cost)] })
  assert.equal(result.outcome, 'settled')
  return result as Extract<SettleResult, { outcome: 'settled' }>
}

/** Waits for what other processes do in their own time. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let look = 0; look < 2000; look += 1) {
    if (await isSo()) return
    await pause(2)
  }
  assert.fail(`it never came to this: ${what}`)
}

/** What leases have set aside, and the number of leases. */
export async function leasesOf(store: LedgerStore): Promise<number> {
  return (await readHead(store)).leases?.length ?? 0
}

/** The charge of every request that the journal has. */
export async function charges({ ledger }: LedgerContext): Promise<ReadonlyMap<string, bigint>> {
  const found = new Map<string, bigint>()
  for (let afterSeq = 0n; ; ) {
    const page = await ledger.journal('alice', afterSeq, 500)
    for (const { requestId, attempts } of page) {
      if (requestId === undefined || attempts === undefined) continue
      assert.ok(!found.has(requestId), `${requestId} was settled twice`)
      found.set(
        requestId,
        attempts.reduce((sum, { charged }) => sum + charged, 0n),
      )
    }
    const last = page.at(-1)
    if (last === undefined) return found
    afterSeq = last.seq
  }
}
