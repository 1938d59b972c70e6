import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type FakeClock, fakeClock } from '../../clock.ts'
import { countedIds } from '../../ids.ts'
import { nano, zero } from '../../money.ts'
import type { Account } from '../account.ts'
import { createLedger, type Ledger } from '../ledger.ts'
import { memoryStorage } from '../memory-storage.ts'
import type { Plan, PlanTable } from '../plan.ts'
import type { ReserveRequest, ReserveResult } from '../reserve.ts'
import type { SettleResult } from '../settle.ts'
import type { LedgerStore } from '../storage.ts'
import { type LeasingLedger, leasing } from './leasing.ts'

const startMs = Date.UTC(2026, 10, 10)
const second = 1_000

interface World {
  readonly clock: FakeClock
  /** A process that leases, another that stops once it has answered, and one that does not lease. */
  readonly ledger: LeasingLedger
  readonly dead: LeasingLedger
  readonly plain: Ledger
  /** How often the first process has asked the store. */
  readonly calls: () => number
  readonly leases: (accountId?: string) => Promise<number>
}

function begin(storeClock?: FakeClock): World {
  const leased: Plan = {
    planId: 'leased',
    subscriptionPrice: undefined,
    includedCredit: { amount: zero, per: 'account' },
    overage: 'hard-stop',
    lease: { most: nano(100_000n) },
  }
  const { lease: _lease, ...strict } = leased
  const plan = { ...strict, planId: 'strict' }
  const plans: PlanTable = { plans: [leased, plan], defaultPlanId: 'leased', spendingLimit: zero }
  const clock = fakeClock(startMs)
  const { ledger: store } = memoryStorage({ clock: storeClock ?? clock })
  let calls = 0
  const counted: LedgerStore = {
    ...store,
    transact(...call) {
      calls += 1
      return store.transact(...call)
    },
  }
  const start = (name: string, ofProcess: LedgerStore, own: FakeClock): LeasingLedger => {
    const options = { store: ofProcess, plans, clock: own }
    const inner = createLedger(options)
    const strangers: Ledger = {
      ...inner,
      // There are too many of them to ask the store.
      reserve: async (request) =>
        request.accountId.startsWith('stranger') ? { outcome: 'conflict' } : inner.reserve(request),
    }
    return leasing(strangers, { ...options, ids: countedIds(name) })
  }
  return {
    clock,
    ledger: start('a', counted, clock),
    dead: start('b', store, fakeClock(startMs)),
    plain: createLedger({ store, plans, clock }),
    calls: () => calls,
    leases: (accountId = 'alice') =>
      store.transact(accountId, [], ({ head }) => ({
        result: (head as Account | null)?.leases?.length ?? 0,
      })),
  }
}

const give = (ledger: Ledger, amount: bigint, accountId = 'alice') =>
  ledger.grant({ accountId, grantId: 'g1', amount: nano(amount) })

function reserve(
  ledger: Ledger,
  reservationId: string,
  amount: bigint,
  { accountId = 'alice', memberId }: { readonly accountId?: string; readonly memberId?: string } = {},
): Promise<ReserveResult> {
  const subject = { model: 'm', costProviderIds: [], attemptsMax: 1 }
  const request: ReserveRequest = {
    accountId,
    reservationId,
    amount: nano(amount),
    timeToLiveMs: 600 * second,
    subject: memberId === undefined ? subject : { ...subject, memberId },
  }
  return ledger.reserve(request)
}

function settle(ledger: Ledger, reservationId: string, cost: bigint): Promise<SettleResult> {
  const attempt = {
    attemptId: 'attempt',
    providerId: 'p',
    providerModel: 'm',
    outcome: 'served',
    costSource: 'provider',
    cost: nano(cost),
    payer: 'customer',
  } as const
  return ledger.settle({ accountId: 'alice', reservationId, attempts: [attempt] })
}

/** So many requests of 100, one after another. */
async function send(ledger: Ledger, name: string, count: number, cost?: bigint): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await reserve(ledger, `${name}${index}`, 100n)
    if (cost !== undefined) await settle(ledger, `${name}${index}`, cost)
  }
  await setImmediate()
}

describe('the traffic of an account, as a ledger that leases counts it,', () => {
  it('has no requests of members in it, and none for nothing', async () => {
    const { ledger, leases } = begin()
    await give(ledger, 1_000_000n)
    for (let index = 0; index < 20; index += 1) {
      await reserve(ledger, `m${index}`, 100n, { memberId: 'bob' })
      await reserve(ledger, `z${index}`, 0n)
    }
    await send(ledger, 'r', 7)
    expect(await leases()).toBe(0)
    await send(ledger, 's', 1)
    expect(await leases()).toBe(1)
  })

  it('has nothing in it that came while there could be no lease', async () => {
    const { clock, ledger, plain, leases } = begin()
    await give(ledger, 1_000_000n)
    await plain.configure({ accountId: 'alice', planId: 'strict' })
    await send(ledger, 'r', 8)
    clock.advance(55 * second)
    await plain.configure({ accountId: 'alice', planId: 'leased' })
    await send(ledger, 's', 8, 90n)
    clock.advance(5 * second)
    await send(ledger, 't', 7)
    expect(await leases()).toBe(0)
    await send(ledger, 'u', 1)
    expect(await leases()).toBe(1)
  })

  it('has what requests have cost', async () => {
    const { ledger, leases } = begin()
    await give(ledger, 1_840n)
    await send(ledger, 'r', 7, 30n)
    expect((await settle(ledger, 'unknown', 1n)).outcome).toBe('unknown-reservation')
    expect(await leases()).toBe(0)
    // What is left, 1,530, pays for twenty requests twice over at 30 each, and not at 100.
    await send(ledger, 's', 1)
    expect(await leases()).toBe(1)
  })

  it('has nothing of what requests cost while there could be no lease', async () => {
    const { clock, ledger, plain, leases } = begin()
    await give(ledger, 1_900n)
    await plain.configure({ accountId: 'alice', planId: 'strict' })
    await send(ledger, 'r', 8)
    clock.advance(55 * second)
    await plain.configure({ accountId: 'alice', planId: 'leased' })
    for (let index = 0; index < 8; index += 1) await settle(ledger, `r${index}`, 100n)
    clock.advance(5 * second)
    await send(ledger, 's', 8, 1n)
    // What is left, 1,000, pays for twenty requests twice over at 1 each, and not at 50.
    expect(await leases()).toBe(1)
  })

  it('is forgotten for the account that was busy longest ago, beyond ten thousand of them', async () => {
    const { ledger, leases } = begin()
    const visit = async (accountId: string, times: number) => {
      for (let index = 0; index < times; index += 1) {
        await reserve(ledger, `${accountId}-${index}-${times}`, 100n, { accountId })
      }
      await setImmediate()
    }
    for (const accountId of ['leased', 'first', 'second']) await give(ledger, 1_000_000n, accountId)
    await visit('leased', 8)
    await visit('first', 7)
    await visit('second', 7)
    for (let index = 0; index < 9_998; index += 1) {
      await reserve(ledger, 'r', 100n, { accountId: `stranger${index}` })
    }
    expect(await leases('leased')).toBe(1)
    await visit('second', 1)
    expect(await leases('second')).toBe(1)
    await visit('first', 1)
    expect(await leases('first')).toBe(0)
    // Had it been forgotten, the store would be asked.
    const result = await reserve(ledger, 'more', 100n, { accountId: 'leased' })
    expect(result).toMatchObject({ outcome: 'reserved', reservation: { parts: [] } })
  })
})

describe('a ledger that leases', () => {
  it('opens no lease once it is closed', async () => {
    const { ledger, leases } = begin()
    await give(ledger, 1_000_000n)
    await ledger.close()
    await send(ledger, 'r', 20)
    expect(await leases()).toBe(0)
  })

  it('reads and changes accounts that it has served nothing of', async () => {
    const { ledger, plain } = begin()
    await give(plain, 1_000n)
    expect((await ledger.balance('alice')).spendable).toBe(1_000n)
    expect((await ledger.configure({ accountId: 'alice', planId: 'strict' })).planId).toBe('strict')
  })

  it('settles and extends what another process holds', async () => {
    const { ledger, plain } = begin()
    await give(plain, 1_000n)
    await reserve(plain, 'r1', 100n)
    const more = { accountId: 'alice', reservationId: 'r1', ordinal: 1, amount: nano(5n), timeToLiveMs: 0 }
    expect((await ledger.extend(more)).outcome).toBe('extended')
    expect(await settle(ledger, 'r1', 105n)).toMatchObject({ outcome: 'settled', receipt: { charged: 105n } })
  })

  it('asks nobody for leases when a refusal is final, or a request is in conflict', async () => {
    const { ledger, plain, calls } = begin()
    await give(plain, 1_000n)
    expect(await reserve(ledger, 'r1', 1_001n)).toMatchObject({ outcome: 'insufficient', missing: 1n })
    expect(calls()).toBe(1)
    await reserve(plain, 'r2', 1n)
    expect((await reserve(ledger, 'r2', 2n)).outcome).toBe('conflict')
    expect(calls()).toBe(2)
  })

  it('asks three times at most for leases before it refuses', async () => {
    const { clock, ledger, dead, calls } = begin(fakeClock(startMs))
    await give(dead, 10_000n)
    await send(dead, 'r', 8)
    let result: ReserveResult | undefined
    const asking = reserve(ledger, 'large', 9_000n).then((answer) => {
      result = answer
    })
    for (let step = 0; step < 100 && result === undefined; step += 1) {
      await setImmediate()
      clock.advance(500)
    }
    await asking
    expect(result).toMatchObject({ outcome: 'insufficient', isLeased: true })
    // Four times for the request, and eight times after each of three that were refused.
    expect(calls()).toBe(28)
  })
})
