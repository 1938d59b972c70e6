import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type FakeClock, fakeClock } from '../../clock.ts'
import { countedIds } from '../../ids.ts'
import { nano, zero } from '../../money.ts'
import { type Access, accessTo } from '../access.ts'
import type { Account } from '../account.ts'
import { usualLateTerms } from '../late.ts'
import { createLedger, type Ledger } from '../ledger.ts'
import { memoryStorage } from '../memory-storage.ts'
import type { LeaseTerms, Plan, PlanTable } from '../plan.ts'
import type { Receipt } from '../receipt.ts'
import { reservationKey } from '../reservation.ts'
import { checkpoint } from './checkpoint.ts'
import { createLeasehold, type Leasehold } from './leasehold.ts'
import { openLease } from './open-lease.ts'
import { recallLeases } from './recall-leases.ts'

const startMs = Date.UTC(2026, 10, 10)
const second = 1_000
const rival = { accountId: 'alice', leaseId: 'lease:rival' }
const subject = { model: 'm', costProviderIds: [], attemptsMax: 1 }

interface World {
  readonly clock: FakeClock
  /** Another process, without leases. */
  readonly ledger: Ledger
  readonly leasehold: Leasehold
  readonly told: Receipt[]
  readonly failures: unknown[]
  /** How often the process has asked the store, and how often it had its clock call it. */
  readonly calls: () => number
  readonly timers: () => number
  /** What happens to each call of the process before, and after, it reaches the store. */
  before: () => Promise<unknown> | undefined
  after: () => Promise<unknown> | undefined
  entry: Access['entry']
  /** Asks every lease back. */
  readonly recall: () => Promise<boolean>
  /** Another process leases 1,000, and gives them back. */
  readonly rival: { readonly open: () => Promise<unknown>; readonly giveBack: () => Promise<unknown> }
  readonly leases: () => Promise<number>
  /** Pays a request from the lease; without a cost it stays under way. */
  readonly pay: (id: string, amount: bigint, cost?: bigint) => void
}

interface Changes {
  readonly credit?: bigint
  readonly lease?: Partial<LeaseTerms>
  /** The clock of the store, where it is another. */
  readonly storeClock?: FakeClock
}

async function begin({ credit = 1_000_000n, lease, storeClock }: Changes = {}): Promise<World> {
  const plain: Plan = {
    planId: 'plain',
    subscriptionPrice: undefined,
    includedCredit: { amount: zero, per: 'account' },
    overage: 'hard-stop',
  }
  const leased = { ...plain, planId: 'leased', lease: { most: nano(10_000n), ...lease } }
  const slow = { ...leased, planId: 'slow', lease: { ...leased.lease, checkpointMs: 3 * second } }
  const plans: PlanTable = { plans: [leased, slow, plain], defaultPlanId: 'leased', spendingLimit: zero }
  const clock = fakeClock(startMs)
  const { ledger: store } = memoryStorage({ clock: storeClock ?? clock })
  const ledger = createLedger({ store, plans, clock })
  if (credit > 0n) await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: nano(credit) })
  const inner = accessTo(store, clock)
  let calls = 0
  let timers = 0
  const access: Access = {
    ...inner,
    async run(...call) {
      calls += 1
      await world.before()
      const result = await inner.run(...call)
      await world.after()
      return result
    },
    entry: (...call) => world.entry(...call),
    isTrimmed: async () => true,
  }
  const counted: FakeClock = {
    ...clock,
    after(...timer) {
      timers += 1
      return clock.after(...timer)
    },
  }
  const told: Receipt[] = []
  const failures: unknown[] = []
  const leasehold = createLeasehold('alice', {
    access,
    plans,
    late: usualLateTerms,
    clock: counted,
    ids: countedIds('a'),
    onSettled: ({ receipt }) => told.push(receipt),
    onFailed: (_accountId, cause) => failures.push(cause),
  })
  const world: World = {
    clock,
    ledger,
    leasehold,
    told,
    failures,
    calls: () => calls,
    timers: () => timers,
    before: () => undefined,
    after: () => undefined,
    entry: inner.entry,
    rival: {
      open: () =>
        inner.run(
          'alice',
          [reservationKey(rival.leaseId)],
          openLease({ ...rival, wanted: nano(1_000n), least: nano(1n) }, plans),
        ),
      giveBack: () =>
        inner.run(
          'alice',
          [reservationKey(rival.leaseId)],
          checkpoint({ ...rival, requests: [], wish: null }, plans, usualLateTerms),
        ),
    },
    recall: async () => (await inner.run('alice', [], recallLeases('alice', plans))).isAnswering,
    leases: () =>
      inner.run('alice', [], ({ head }) => ({ result: (head as Account | null)?.leases?.length ?? 0 })),
    pay(reservationId, amount, cost) {
      const nowMs = clock.monotonicMs()
      const request = { accountId: 'alice', reservationId, timeToLiveMs: 600 * second, subject }
      expect(leasehold.lease?.reserve({ ...request, amount: nano(amount) }, nowMs)).toBeDefined()
      if (cost !== undefined) {
        const attempts = [served(cost)]
        expect(leasehold.lease?.settle({ ...request, attempts }, nowMs)).toBeDefined()
      }
    },
  }
  return world
}

function served(cost: bigint) {
  return {
    attemptId: 'attempt',
    providerId: 'p',
    providerModel: 'm',
    outcome: 'served',
    costSource: 'provider',
    cost: nano(cost),
    payer: 'customer',
  } as const
}

/** So many requests ask the store, for 100 each. */
async function ask({ clock, leasehold }: World, times = 8): Promise<void> {
  const nowMs = clock.monotonicMs()
  for (let index = 0; index < times; index += 1) {
    leasehold.traffic.held(nano(100n), nowMs)
    leasehold.asked(nowMs)
  }
  await setImmediate()
}

/** A process that has a lease of 8,000, or what is allowed. */
async function beginLeased(changes?: Changes): Promise<World> {
  const world = await begin(changes)
  await ask(world)
  expect(world.leasehold.lease).toBeDefined()
  return world
}

/** Time goes by, second after second, and what began meanwhile happens. */
async function pass({ clock }: World, ms: number, stepMs = second): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) {
    clock.advance(Math.min(stepMs, left))
    await setImmediate()
  }
}

/** A call that does not go on until it is told to. */
function gate(): { readonly wait: () => Promise<void>; readonly open: () => void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { wait: () => opened, open }
}

const isCounting = ({ leasehold, clock }: World) => leasehold.isCounting(clock.monotonicMs())

describe('a process that has no lease of an account', () => {
  it('opens one behind the eighth request, and only one', async () => {
    const world = await begin()
    await ask(world, 7)
    expect(world.calls()).toBe(0)
    const { wait, open } = gate()
    world.before = wait
    await ask(world, 3)
    expect([world.calls(), world.leasehold.lease]).toEqual([1, undefined])
    open()
    await setImmediate()
    expect(world.leasehold.lease).toBeDefined()
    await ask(world)
    expect([world.calls(), await world.leases()]).toEqual([1, 1])
  })

  it('asks for none again for ten seconds when there can be none now, and for a minute when there never can', async () => {
    const broke = await begin({ credit: 0n })
    const never = await begin()
    await never.ledger.configure({ accountId: 'alice', planId: 'plain' })
    const unreachable = await begin()
    unreachable.before = () => Promise.reject(new Error('The store is down.'))
    for (const [world, pauseMs] of [
      [broke, 10 * second],
      [never, 60 * second],
      [unreachable, 10 * second],
    ] as const) {
      await ask(world)
      expect([world.calls(), isCounting(world)]).toEqual([1, false])
      world.clock.advance(pauseMs - 1)
      await ask(world)
      expect([world.calls(), isCounting(world)]).toEqual([1, false])
      world.clock.advance(1)
      await ask(world)
      expect([world.calls(), world.failures]).toEqual([2, []])
      expect(world.leasehold.lease).toBeUndefined()
    }
  })

  it('counts its traffic but for those times', async () => {
    const world = await begin()
    expect(isCounting(world)).toBe(true)
    await ask(world)
    await pass(world, second)
    expect(isCounting(world)).toBe(true)
  })

  it('can be forgotten, but not while it opens one, has one, or asks others for theirs', async () => {
    const world = await begin({ storeClock: fakeClock(startMs) })
    const { leasehold } = world
    expect(leasehold.isForgettable).toBe(true)
    const { wait, open } = gate()
    world.before = wait
    await ask(world)
    expect(leasehold.isForgettable).toBe(false)
    open()
    await setImmediate()
    expect(leasehold.isForgettable).toBe(false)
    await leasehold.release()
    expect(leasehold.isForgettable).toBe(true)
    const asking = gate()
    world.before = asking.wait
    const recalling = leasehold.recall()
    await setImmediate()
    expect(leasehold.isForgettable).toBe(false)
    asking.open()
    await recalling
    expect(leasehold.isForgettable).toBe(true)
  })
})

describe('the checkpoints of a lease', () => {
  it('give it back with the third in a row without a request, and no other for ten seconds', async () => {
    const unused = await beginLeased()
    await pass(unused, 3 * second)
    expect(await unused.leases()).toBe(0)
    const world = await beginLeased()
    await pass(world, 2 * second)
    world.leasehold.decided(world.clock.monotonicMs())
    await pass(world, 3 * second)
    expect(await world.leases()).toBe(1)
    await pass(world, second)
    expect([world.leasehold.lease, await world.leases()]).toEqual([undefined, 0])
    world.clock.advance(10 * second - 1)
    expect(isCounting(world)).toBe(false)
    world.clock.advance(1)
    expect(isCounting(world)).toBe(true)
    await ask(world)
    expect(await world.leases()).toBe(1)
    await pass(world, 2 * second)
    expect(await world.leases()).toBe(1)
    await pass(world, second)
    expect(await world.leases()).toBe(0)
  })

  it('give it back to whoever asks, with nothing to write, and no other for half a minute', async () => {
    const world = await beginLeased()
    expect(await world.recall()).toBe(true)
    await pass(world, second)
    expect([world.leasehold.lease, await world.leases()]).toEqual([undefined, 0])
    world.clock.advance(30 * second - 1)
    expect(isCounting(world)).toBe(false)
    world.clock.advance(1)
    expect(isCounting(world)).toBe(true)
  })

  it('come once in their time, also after an earlier lease', async () => {
    const world = await beginLeased({ lease: { timeToLiveMs: 160 * second, checkpointMs: 20 * second } })
    await pass(world, 5 * second)
    await world.leasehold.release()
    await pass(world, 10 * second)
    await ask(world)
    const before = world.calls()
    await pass(world, 19 * second)
    expect(world.calls()).toBe(before)
    await pass(world, second)
    expect(world.calls()).toBe(before + 1)
    await pass(world, 20 * second)
    expect(world.calls()).toBe(before + 2)
  })

  it('come as often as the plan says that the account has by then', async () => {
    const world = await beginLeased()
    await world.ledger.configure({ accountId: 'alice', planId: 'slow' })
    await pass(world, second)
    const before = world.calls()
    await pass(world, 2 * second)
    expect(world.calls()).toBe(before)
    await pass(world, second)
    expect(world.calls()).toBe(before + 1)
  })

  it('end with the lease', async () => {
    const world = await beginLeased()
    await world.leasehold.release()
    await pass(world, 10 * second)
    const [calls, timers] = [world.calls(), world.timers()]
    await pass(world, 60 * second)
    expect([world.calls(), world.timers()]).toEqual([calls, timers])
  })

  it('come at once when 64 changes wait', async () => {
    const world = await beginLeased()
    const before = world.calls()
    for (let index = 0; index < 63; index += 1) world.pay(`r${index}`, 1n)
    world.leasehold.decided(0)
    expect(world.calls()).toBe(before)
    world.pay('r63', 1n)
    world.leasehold.decided(0)
    world.leasehold.decided(0)
    await setImmediate()
    expect(world.calls()).toBe(before + 1)
    expect(world.leasehold.lease?.unwritten).toBe(0)
  })

  it('come sooner when most of it is promised, at most ten times in the time of one', async () => {
    const world = await beginLeased({ lease: { most: nano(2_000n) } })
    await pass(world, second)
    const before = world.calls()
    const pay = async (id: string, amount: bigint) => {
      world.pay(id, amount)
      world.leasehold.decided(world.clock.monotonicMs())
      await setImmediate()
    }
    await pass(world, 99)
    await pay('r1', 1_401n)
    expect(world.calls()).toBe(before)
    await pass(world, 1)
    await pay('r2', 1n)
    expect(world.calls()).toBe(before + 1)
    await pass(world, 99)
    await pay('r3', 1_401n)
    expect(world.calls()).toBe(before + 1)
    await pass(world, 1)
    await pay('r4', 1n)
    expect(world.calls()).toBe(before + 2)
    await pass(world, 100)
    await pay('r5', 1n)
    expect(world.calls()).toBe(before + 2)
  })

  it('that fail are told of, and come again', async () => {
    const world = await beginLeased()
    const down = new Error('The store is down.')
    world.before = () => Promise.reject(down)
    world.pay('r1', 10n, 5n)
    await pass(world, second)
    expect(world.failures).toEqual([down])
    for (let index = 0; index < 64; index += 1) world.pay(`n${index}`, 1n)
    world.leasehold.decided(world.clock.monotonicMs())
    await setImmediate()
    expect(world.failures).toEqual([down, down])
    world.before = () => undefined
    await pass(world, second)
    expect(world.told.map(({ requestId, charged }) => [requestId, charged])).toEqual([['r1', 5n]])
    expect(world.failures).toHaveLength(2)
  })

  it('tell of every request once that they settled, also when the reply was lost', async () => {
    const world = await beginLeased()
    world.pay('r1', 10n, 5n)
    world.pay('r2', 10n, 6n)
    world.after = () => Promise.reject(new Error('The connection broke.'))
    await pass(world, second)
    world.after = () => undefined
    expect(world.told).toEqual([])
    await pass(world, 2 * second)
    expect(world.told.map(({ requestId, charged, seq }) => [requestId, charged, seq])).toEqual([
      ['r1', 5n, 2n],
      ['r2', 6n, 3n],
    ])
  })

  it('tell of the others when the entry of one can not be read, and that it can not, or was trimmed', async () => {
    const world = await beginLeased()
    for (const id of ['r1', 'r2', 'r3']) world.pay(id, 10n, 5n)
    const broken = new Error('The connection broke.')
    world.after = () => Promise.reject(broken)
    await pass(world, second)
    world.after = () => undefined
    const { entry } = world
    world.entry = async (accountId, seq) => {
      if (seq === 2n) throw broken
      return seq === 3n ? undefined : entry(accountId, seq)
    }
    await pass(world, second)
    expect(world.told.map(({ requestId }) => requestId)).toEqual(['r3'])
    expect(world.failures).toEqual([broken, broken])
    expect(world.leasehold.lease?.unwritten).toBe(0)
  })

  it('tell of requests whose id was used for something else', async () => {
    const world = await beginLeased()
    const request = { accountId: 'alice', reservationId: 'r1', amount: nano(1n), timeToLiveMs: 1, subject }
    await world.ledger.reserve(request)
    world.pay('r1', 10n, 5n)
    await pass(world, second)
    expect(world.failures).toEqual([new Error('The request id r1 was used before.')])
    expect(world.told).toEqual([])
  })
})

describe('writing what a lease has paid', () => {
  it('asks nobody when there is nothing to write', async () => {
    const world = await beginLeased()
    const before = world.calls()
    await world.leasehold.write()
    expect(world.calls()).toBe(before)
  })

  it('waits for the checkpoint under way, and has what happened meanwhile in one more', async () => {
    const world = await beginLeased()
    const before = world.calls()
    const { wait, open } = gate()
    world.pay('r1', 10n, 5n)
    world.before = wait
    const first = world.leasehold.write()
    world.pay('r2', 10n, 5n)
    const others = [world.leasehold.write(), world.leasehold.write()]
    open()
    await Promise.all([first, ...others])
    expect(world.calls()).toBe(before + 2)
    expect(world.told.map(({ requestId }) => requestId)).toEqual(['r1', 'r2'])
  })

  it('goes on after a checkpoint under way that fails', async () => {
    const world = await beginLeased()
    world.pay('r1', 10n, 5n)
    world.before = () => Promise.reject(new Error('The store is down.'))
    const first = world.leasehold.write()
    const second = world.leasehold.write()
    world.before = () => undefined
    await expect(first).rejects.toThrow('The store is down.')
    await second
    expect(world.told).toHaveLength(1)
  })

  it('has one checkpoint under way at a time and loses nothing, whoever asks for one when, and whatever fails', async () => {
    const world = await beginLeased()
    let call = 0
    let underWay = 0
    let most = 0
    world.before = async () => {
      call += 1
      underWay += 1
      most = Math.max(most, underWay)
      if (call % 3 !== 0) return
      underWay -= 1
      throw new Error('The store is down.')
    }
    world.after = async () => {
      underWay -= 1
    }
    for (let turn = 0; turn < 500; turn += 1) {
      world.pay(`r${turn}`, 1n, 1n)
      world.leasehold.write().catch(() => undefined)
      await null
    }
    world.before = () => undefined
    await setImmediate()
    await world.leasehold.write()
    expect((await world.ledger.balance('alice')).charged).toBe(500n)
    expect([most, world.told.length]).toEqual([1, 500])
  })

  it('gives a lease back only with the last of what it has paid', async () => {
    const world = await beginLeased()
    for (let index = 0; index < 70; index += 1) world.pay(`r${index}`, 10n, 10n)
    let rest: Promise<unknown> | undefined
    world.after = () => {
      // Whoever comes in between finds nothing of what the lease has promised.
      rest ??= world.ledger.balance('alice').then(({ spendable }) =>
        world.ledger.reserve({
          accountId: 'alice',
          reservationId: 'rest',
          amount: spendable,
          timeToLiveMs: 600 * second,
          subject,
        }),
      )
      return rest
    }
    await world.leasehold.release()
    expect([world.leasehold.lease, await world.leases()]).toEqual([undefined, 0])
    expect(await world.ledger.balance('alice')).toMatchObject({ charged: 700n, absorbed: 0n })
    expect(world.told).toHaveLength(70)
  })

  it('has what ended while the lease was given back', async () => {
    const world = await beginLeased()
    const { lease } = world.leasehold
    world.pay('r1', 10n)
    const { wait, open } = gate()
    world.after = wait
    const released = world.leasehold.release()
    await setImmediate()
    const ended = { accountId: 'alice', reservationId: 'r1', attempts: [served(5n)] }
    expect(lease?.settle(ended, world.clock.monotonicMs())).toBeDefined()
    open()
    await released
    expect([world.leasehold.lease, await world.leases()]).toEqual([undefined, 0])
    expect(await world.ledger.balance('alice')).toMatchObject({ charged: 5n, held: 0n })
    expect(world.told).toHaveLength(1)
  })

  it('waits for a lease that is being opened before it gives it back', async () => {
    const world = await begin()
    const { wait, open } = gate()
    world.before = wait
    await ask(world)
    const released = world.leasehold.release()
    open()
    await released
    expect([world.leasehold.lease, await world.leases()]).toEqual([undefined, 0])
  })
})

describe('asking others for their leases', () => {
  it('gives back its own first, and waits for nobody when there are no others', async () => {
    const world = await beginLeased()
    world.pay('r1', 10n, 5n)
    await world.leasehold.recall()
    expect([await world.leases(), isCounting(world)]).toEqual([0, false])
    expect(world.told).toHaveLength(1)
    world.clock.advance(30 * second - 1)
    expect(isCounting(world)).toBe(false)
    world.clock.advance(1)
    expect(isCounting(world)).toBe(true)
  })
  it('looks twice in each checkpoint until they are given back', async () => {
    const world = await begin()
    await world.rival.open()
    let isOver = false
    const recalling = world.leasehold.recall().then(() => {
      isOver = true
    })
    await setImmediate()
    expect([world.calls(), isOver]).toEqual([1, false])
    await pass(world, 499)
    expect(world.calls()).toBe(1)
    await pass(world, 1)
    expect([world.calls(), isOver]).toEqual([2, false])
    await world.rival.giveBack()
    await pass(world, 500)
    expect([world.calls(), isOver]).toEqual([3, true])
    await recalling
  })

  it('waits as long as a checkpoint may take under the plan of the account, also if it never had a lease', async () => {
    const world = await begin({ lease: { timeToLiveMs: 160 * second, checkpointMs: 20 * second } })
    await world.rival.open()
    let isOver = false
    const recalling = world.leasehold.recall().then(() => {
      isOver = true
    })
    await setImmediate()
    await pass(world, 59 * second)
    expect([world.calls(), isOver]).toEqual([6, false])
    await pass(world, second)
    expect([world.calls(), isOver]).toEqual([7, true])
    await recalling
  })

  it('looks eight times at most, should the clock of the store stand still', async () => {
    const world = await begin({ storeClock: fakeClock(startMs) })
    await world.rival.open()
    const recalling = world.leasehold.recall()
    await pass(world, 30 * second, 500)
    await recalling
    expect(world.calls()).toBe(8)
  })

  it('is done once for all who ask meanwhile, and again for whoever asks later', async () => {
    const world = await begin()
    await world.rival.open()
    const asking = [world.leasehold.recall(), world.leasehold.recall()]
    await setImmediate()
    await pass(world, 3 * second, 500)
    await Promise.all(asking)
    expect(world.calls()).toBe(7)
    await world.leasehold.recall()
    expect(world.calls()).toBe(8)
  })
})
