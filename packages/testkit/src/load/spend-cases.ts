import assert from 'node:assert/strict'
import { type Ledger, nano } from '@farebox/core'
import { type LoadCase, type LoadContext, loadCase } from './load-case.ts'
import { accountOf, hold, inParallel, ledgerOn, price, type Spent, type Task } from './task.ts'
import { runTogether } from './workers.ts'

/** How much the cases do. */
export interface LoadSize {
  /** @default 4 */
  readonly processes: number
  /** Of each process. @default 64 */
  readonly inFlight: number
  /** Of each process, on one account or by Zipf's law. @default 200 */
  readonly requests: number
  /** Accounts that nobody used before, of which each is asked for twice. @default 600 */
  readonly coldAccounts: number
  /** Holds that are ended three times. @default 40 */
  readonly holds: number
}

export const usualSize: LoadSize = {
  processes: 4,
  inFlight: 64,
  requests: 200,
  coldAccounts: 600,
  holds: 40,
}

/** What accounts pay for and what they do not, whoever asks at the same moment. */
export function spendCases(size: LoadSize): readonly LoadCase[] {
  const { processes, inFlight, requests, coldAccounts } = size
  const numbers = Array.from({ length: processes }, (_, index) => index)

  return [
    loadCase(
      `failure 1: ${processes} processes with ${inFlight} requests in flight each spend exactly the credit of one account`,
      async (context) => {
        const affordable = Math.floor(requests * processes * 0.6)
        const accounts = Array.from({ length: requests }, () => 0)
        const tasks = numbers.map((number) => spending(number, accounts, inFlight))
        await expectExactly(context, new Map([[0, affordable]]), tasks)
      },
    ),

    loadCase(
      `failure 1: of two requests for each of ${coldAccounts} accounts with credit for one, exactly one is paid for`,
      async (context) => {
        const credit = new Map(Array.from({ length: coldAccounts }, (_, account) => [account, 1]))
        // Two processes ask for the even accounts and two for the odd ones, in the same order.
        const halves = Math.max(1, Math.floor(processes / 2))
        const tasks = numbers.slice(0, 2 * halves).map((number) => {
          const accounts = [...credit.keys()].filter((account) => account % halves === number % halves)
          return spending(number, accounts, inFlight)
        })
        await expectExactly(context, credit, tasks)
      },
    ),

    loadCase(
      'failure 1: requests that meet some accounts often and most hardly spend exactly the credit of each',
      async (context) => {
        const accounts = 200
        const credit = new Map(Array.from({ length: accounts }, (_, account) => [account, 1 + (account % 4)]))
        // The account that is asked for most can not pay for all of it; some of the others can.
        credit.set(0, Math.floor(requests / 4))
        const tasks = numbers.map((number) =>
          spending(number, zipf({ accounts, count: requests, seed: number + 1 }), inFlight),
        )
        await expectExactly(context, credit, tasks)
      },
    ),

    resolveCase(size),
  ]
}

function spending(number: number, accounts: readonly number[], inFlight: number): Task {
  return { kind: 'spend', name: `p${number}`, accounts, inFlight }
}

/** Gives each account credit for so many requests, and lets the tasks spend it. */
async function expectExactly(
  context: LoadContext,
  credit: ReadonlyMap<number, number>,
  tasks: readonly Task[],
): Promise<void> {
  const ledger = ledgerOn(await context.open())
  await inParallel(128, [...credit], async ([account, affordable]) => {
    const amount = nano(BigInt(affordable) * price)
    await ledger.grant({ accountId: accountOf(account), grantId: 'g', amount })
  })

  const written = await runTogether(context.workers, context.address, tasks)

  const paid = new Map<number, number>()
  const asked = new Map<number, number>()
  for (const [line = '[]'] of written) {
    for (const [account, paidHere, refusedHere] of JSON.parse(line) as readonly Spent[]) {
      paid.set(account, (paid.get(account) ?? 0) + paidHere)
      asked.set(account, (asked.get(account) ?? 0) + paidHere + refusedHere)
    }
  }
  const wanted = [...asked].map(([account, times]) => [account, Math.min(times, credit.get(account) ?? 0)])
  assert.deepEqual([...paid], wanted)
  await expectSound(ledger, credit, paid)
}

/** A few accounts stand for all: auditing takes longer than spending. */
async function expectSound(
  ledger: Ledger,
  credit: ReadonlyMap<number, number>,
  paid: ReadonlyMap<number, number>,
): Promise<void> {
  const step = Math.ceil(credit.size / 20)
  for (const [account, affordable] of credit) {
    if (account % step !== 0) continue
    const { spendable, held } = await ledger.balance(accountOf(account))
    const left = BigInt(affordable - (paid.get(account) ?? 0)) * price
    assert.deepEqual({ account, spendable, held }, { account, spendable: left, held: 0n })
    assert.deepEqual((await ledger.audit(accountOf(account))).findings, [])
  }
}

function resolveCase({ holds }: LoadSize): LoadCase {
  return loadCase(
    'failure 5: of two settlements and a release of one hold by three processes at once exactly one wins, and all are told the same',
    async ({ workers, address, open }) => {
      const ledger = ledgerOn(await open())
      const reservationIds = Array.from({ length: holds }, (_, index) => `hold-${index}`)
      await ledger.grant({ accountId: accountOf(0), grantId: 'g', amount: nano(BigInt(holds) * price) })
      await inParallel(32, reservationIds, async (id) => {
        assert.ok(await hold(ledger, 0, id))
      })
      const costs = ['400', '401', null]

      const written = await runTogether(
        workers,
        address,
        costs.map((cost, index) => ({ kind: 'resolve', reservationIds, name: `p${index}`, cost })),
      )

      const [first, ...others] = written.map(([line = '[]']) => JSON.parse(line) as readonly unknown[])
      assert.equal(first?.length, holds)
      for (const other of others) assert.deepEqual(other, first)
      const entries = await ledger.journal(accountOf(0), 0n, 10 * holds)
      const settled = entries.flatMap(({ requestId }) => (requestId === undefined ? [] : [requestId]))
      assert.equal(new Set(settled).size, settled.length)
      const { held, charged, spendable } = await ledger.balance(accountOf(0))
      assert.deepEqual([held, spendable + charged], [0n, BigInt(holds) * price])
      assert.deepEqual((await ledger.audit(accountOf(0))).findings, [])
    },
  )
}

/** `count` draws of which account `n` gets a share in proportion to `1 / (n + 1)`; the same for the same seed. */
function zipf({
  accounts,
  count,
  seed,
}: {
  readonly accounts: number
  readonly count: number
  readonly seed: number
}): readonly number[] {
  const weights = Array.from({ length: accounts }, (_, account) => 1 / (account + 1))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  let state = seed
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    let left = (state / 2 ** 32) * sum
    const account = weights.findIndex((weight) => {
      left -= weight
      return left < 0
    })
    return Math.max(0, account)
  })
}
