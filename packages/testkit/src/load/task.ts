import assert from 'node:assert/strict'
import { createLedger, type Ledger, nano, type PlanTable, type Receipt, systemClock } from '@farebox/core'
import type { OpenedStorage } from './store-place.ts'

/** What one process does on a store, as plain data: it is handed over as text. */
export type Task = SpendTask | CountTask | ResolveTask

/** Holds and settles `price` nano-USD for each request. Writes how many of each account were paid for and refused. */
export interface SpendTask {
  readonly kind: 'spend'
  /** What the ids of its requests begin with. */
  readonly name: string
  /** Which account each request is for, as numbers. */
  readonly accounts: readonly number[]
  readonly inFlight: number
}

/** Adds to one account, and writes every number it got, at once: a reader knows what had been answered when it was killed. */
export interface CountTask {
  readonly kind: 'count'
  readonly times: number
  readonly inFlight: number
}

/** Ends holds of account 0, all at once. Writes the receipts it was given. */
export interface ResolveTask {
  readonly kind: 'resolve'
  readonly reservationIds: readonly string[]
  /** Sets the attempts of several processes apart. */
  readonly name: string
  /** What the request cost, in nano-USD; `null` gives the hold back. */
  readonly cost: string | null
}

/** How often an account was paid for, and how often it was refused. */
export type Spent = readonly [account: number, paid: number, refused: number]

/** In nano-USD: what a request holds and costs. */
export const price = 1000n

/** Nothing is included, and nothing may be owed: an account has what it was granted. */
const plans: PlanTable = {
  plans: [
    {
      planId: 'bare',
      subscriptionPrice: undefined,
      includedCredit: { amount: nano(0n), per: 'account' },
      overage: 'hard-stop',
    },
  ],
  defaultPlanId: 'bare',
  spendingLimit: nano(0n),
}

export function ledgerOn({ storage }: OpenedStorage): Ledger {
  return createLedger({ store: storage.ledger, plans, clock: systemClock })
}

export function accountOf(account: number): string {
  return `account-${account}`
}

/** Does a task. `write` gets a line at a time. */
export async function runTask(
  task: Task,
  opened: OpenedStorage,
  write: (line: string) => void,
): Promise<void> {
  if (task.kind === 'spend') return write(JSON.stringify(await spend(task, ledgerOn(opened))))
  if (task.kind === 'resolve') return write(JSON.stringify(await resolve(task, ledgerOn(opened))))
  await inParallel(task.inFlight, Array.from({ length: task.times }), async () => {
    write(String(await count(opened)))
  })
}

async function spend({ name, accounts, inFlight }: SpendTask, ledger: Ledger): Promise<readonly Spent[]> {
  const spent = new Map<number, { paid: number; refused: number }>()
  await inParallel(inFlight, accounts, async (account, index) => {
    const counts = spent.get(account) ?? { paid: 0, refused: 0 }
    spent.set(account, counts)
    const reservationId = `${name}-${index}`
    if (!(await hold(ledger, account, reservationId))) counts.refused += 1
    else {
      const attempts = [attempt(reservationId, price)]
      const result = await ledger.settle({ accountId: accountOf(account), reservationId, attempts })
      assert.equal(result.outcome, 'settled')
      counts.paid += 1
    }
  })
  return [...spent].map(([account, { paid, refused }]) => [account, paid, refused])
}

/** Whether the account could pay for it. */
export async function hold(ledger: Ledger, account: number, reservationId: string): Promise<boolean> {
  const { outcome } = await ledger.reserve({
    accountId: accountOf(account),
    reservationId,
    amount: nano(price),
    timeToLiveMs: 600_000,
    subject: { model: 'model', costProviderIds: [], attemptsMax: 1 },
  })
  return outcome === 'reserved'
}

function resolve(task: ResolveTask, ledger: Ledger): Promise<readonly unknown[]> {
  return Promise.all(
    task.reservationIds.map(async (reservationId) => {
      const attempts = task.cost === null ? [] : [attempt(`${reservationId}.${task.name}`, BigInt(task.cost))]
      const result = await ledger.settle({ accountId: accountOf(0), reservationId, attempts })
      assert.equal(result.outcome, 'settled')
      return plain((result as { readonly receipt: Receipt }).receipt)
    }),
  )
}

async function count({ storage }: OpenedStorage): Promise<number> {
  return storage.ledger.transact(accountOf(0), [], ({ head }) => {
    const total = Number(head ?? 0) + 1
    return { result: total, write: { head: total } }
  })
}

function attempt(attemptId: string, cost: bigint) {
  return {
    attemptId,
    providerId: 'provider',
    providerModel: 'model',
    outcome: 'served',
    costSource: 'provider',
    cost: nano(cost),
    payer: 'customer',
  } as const
}

/** As JSON has it: amounts as text. */
function plain(receipt: Receipt): unknown {
  return JSON.parse(
    JSON.stringify(receipt, (_name, value) => (typeof value === 'bigint' ? `${value}` : value)),
  )
}

/** Works through all items, so many at a time. */
export async function inParallel<T>(
  inFlight: number,
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const takeTurns = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++
      await work(items[index] as T, index)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, takeTurns))
}
