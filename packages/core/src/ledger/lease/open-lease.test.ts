import { describe, expect, it } from 'vitest'
import { type FakeClock, fakeClock } from '../../clock.ts'
import { nano, zero } from '../../money.ts'
import type { Account } from '../account.ts'
import { createLedger, type Ledger } from '../ledger.ts'
import { memoryStorage } from '../memory-storage.ts'
import type { Plan, PlanTable } from '../plan.ts'
import { reservationKey } from '../reservation.ts'
import type { SettledAttempt } from '../share.ts'
import type { LedgerStore, Reduce } from '../storage.ts'
import {
  type Checkpoint,
  type CheckpointRequest,
  checkpoint,
  checkpointKeys,
  type LeasedRequest,
} from './checkpoint.ts'
import type { LeaseWish } from './lease-size.ts'
import { type OpenLeaseResult, openLease } from './open-lease.ts'
import { recallLeases } from './recall-leases.ts'

const startMs = Date.UTC(2026, 10, 10)

interface Subject {
  readonly clock: FakeClock
  readonly ledger: Ledger
  readonly open: (leaseId: string, wish?: Partial<LeaseWish>) => Promise<OpenLeaseResult>
  readonly write: (request: Partial<CheckpointRequest> & { leaseId: string }) => Promise<Checkpoint>
  readonly recall: () => Promise<boolean>
  readonly head: () => Promise<Account>
  readonly version: () => Promise<bigint>
}

async function account(credit: bigint, changes: Partial<Plan> = {}): Promise<Subject> {
  const plan: Plan = {
    planId: 'leased',
    subscriptionPrice: undefined,
    includedCredit: { amount: zero, per: 'account' },
    overage: 'hard-stop',
    lease: { most: nano(10_000n) },
    ...changes,
  }
  const { lease: _lease, ...plain } = plan
  const plans: PlanTable = {
    plans: [plan, { ...plain, planId: 'plain' }],
    defaultPlanId: 'leased',
    spendingLimit: nano(1_000n),
  }
  const clock = fakeClock(startMs)
  const store: LedgerStore = memoryStorage({ clock }).ledger
  const ledger = createLedger({ store, plans, clock })
  if (credit > 0n) await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: nano(credit) })
  const run = <R>(keys: readonly string[], reduce: Reduce<R>) => store.transact('alice', keys, reduce)
  return {
    clock,
    ledger,
    open: (leaseId, { wanted = nano(1_000n), least = nano(10n) } = {}) =>
      run([reservationKey(leaseId)], openLease({ accountId: 'alice', leaseId, wanted, least }, plans)),
    write({ leaseId, requests = [], wish = { wanted: nano(1_000n), least: nano(10n) } }) {
      const request = { accountId: 'alice', leaseId, requests, wish }
      const late = { withinMs: 1000, policy: 'waive' } as const
      return run(checkpointKeys(request), checkpoint(request, plans, late))
    },
    recall: async () => (await run([], recallLeases('alice', plans))).isAnswering,
    head: () => run([], ({ head }) => ({ result: head as Account })),
    version: () => run([], ({ version }) => ({ result: version })),
  }
}

const subject = { model: 'm', costProviderIds: [], attemptsMax: 1 }

/** A request of this month as its process has it, with what it has cost. */
function leased(reservationId: string, amount: bigint, cost?: bigint): LeasedRequest {
  const reservation = {
    reservationId,
    state: 'held',
    amount: nano(amount),
    parts: [],
    periodKey: '2026-11',
    createdAtMs: startMs,
    expiresAtMs: startMs + 600_000,
    extended: 0,
    fingerprint: reservationId,
    subject,
  } as const
  return cost === undefined ? { reservation } : { reservation, attempts: cost === 0n ? [] : [served(cost)] }
}

function served(cost: bigint): SettledAttempt {
  return {
    attemptId: 'attempt',
    providerId: 'p',
    providerModel: 'm',
    outcome: 'served',
    costSource: 'provider',
    cost: nano(cost),
    payer: 'customer',
  }
}

function sizeOf(result: OpenLeaseResult): bigint | undefined {
  return result.outcome === 'open' ? result.lease.amount : undefined
}

describe('opening a lease', () => {
  it('sets aside what is wanted, up to what the plan allows', async () => {
    const { open, head } = await account(1_000_000n)
    expect(sizeOf(await open('lease:1'))).toBe(1_000n)
    expect(sizeOf(await open('lease:2', { wanted: nano(10_001n) }))).toBe(10_000n)
    expect((await head()).grants[0]).toMatchObject({ held: 11_000n, available: 989_000n })
    expect((await head()).leases).toEqual([
      { leaseId: 'lease:1', expiresAtMs: startMs + 150_000 },
      { leaseId: 'lease:2', expiresAtMs: startMs + 150_000 },
    ])
  })

  it('gives each process its share of half of the balance, and none with less than is worth it', async () => {
    const { open } = await account(1_000n)
    expect(sizeOf(await open('lease:1'))).toBe(500n)
    expect(sizeOf(await open('lease:2'))).toBe(125n)
    expect(await open('lease:3', { least: nano(63n) })).toEqual({ outcome: 'none', isNever: false })
    expect(sizeOf(await open('lease:3', { least: nano(62n) }))).toBe(62n)
  })

  it('takes pay-as-you-go within the limit', async () => {
    const { open, head } = await account(0n, { overage: 'pay-as-you-go' })
    expect(sizeOf(await open('lease:1'))).toBe(500n)
    expect((await head()).overage).toEqual([{ periodKey: '2026-11', held: 500n, used: 0n }])
  })

  it('opens once, however often it is asked', async () => {
    const { open, version } = await account(100_000n)
    const first = await open('lease:1')
    const before = await version()
    expect(await open('lease:1')).toEqual(first)
    expect(await version()).toBe(before)
  })

  it('opens once, also when it is over since', async () => {
    const { open, write } = await account(100_000n)
    await open('lease:1')
    await write({ leaseId: 'lease:1', wish: null })
    expect(await open('lease:1')).toEqual({ outcome: 'none', isNever: false })
  })

  it('never opens under a plan without leases, and writes nothing', async () => {
    const { ledger, open, version } = await account(100_000n)
    await ledger.configure({ accountId: 'alice', planId: 'plain' })
    const before = await version()
    expect(await open('lease:1')).toEqual({ outcome: 'none', isNever: true })
    expect(await version()).toBe(before)
  })

  it('opens no more than 64 at once', async () => {
    const { open } = await account(1_000_000_000n, { lease: { most: nano(10n) } })
    for (let index = 0; index < 64; index += 1) expect(sizeOf(await open(`lease:${index}`))).toBe(10n)
    expect((await open('lease:64')).outcome).toBe('none')
  })

  it('lasts no longer than its period, and not at all when too little is left of it', async () => {
    const { clock, open } = await account(100_000n)
    const endMs = Date.UTC(2026, 11, 1)
    clock.set(endMs - 16_000)
    expect(await open('lease:1')).toMatchObject({ lease: { untilMs: endMs } })
    clock.set(endMs - 15_000)
    expect(await open('lease:2')).toMatchObject({ lease: { untilMs: endMs } })
    clock.set(endMs - 14_999)
    expect((await open('lease:3')).outcome).toBe('none')
  })

  it('leases no credit out of turn: none when what comes first expires too soon', async () => {
    const { ledger, open } = await account(100_000n)
    const soon = { accountId: 'alice', grantId: 'soon', amount: nano(1n), expiresAtMs: startMs + 150_000 }
    await ledger.grant(soon)
    expect((await open('lease:1')).outcome).toBe('none')
    const later = await account(100_000n)
    await later.ledger.grant({ ...soon, expiresAtMs: startMs + 150_001 })
    expect(sizeOf(await later.open('lease:1'))).toBe(1_000n)
  })

  it('minds no credit that expires soon and is not drawn: later in turn, used up, or not there yet', async () => {
    const { ledger, open } = await account(100_000n)
    const grant = { accountId: 'alice', amount: nano(1_000n) }
    const expiresAtMs = startMs + 1_000
    await ledger.grant({ ...grant, grantId: 'used', priority: 1, expiresAtMs })
    const request = { accountId: 'alice', amount: nano(1_000n), timeToLiveMs: 1, subject }
    await ledger.reserve({ ...request, reservationId: 'r1' })
    await ledger.grant({ ...grant, grantId: 'to-come', priority: 2, effectiveAtMs: startMs + 1, expiresAtMs })
    await ledger.grant({ ...grant, grantId: 'first', priority: 3 })
    await ledger.grant({ ...grant, grantId: 'later', priority: 4, expiresAtMs })
    expect(sizeOf(await open('lease:1', { wanted: nano(1_000n) }))).toBe(1_000n)
    expect((await open('lease:2', { wanted: nano(1n), least: nano(1n) })).outcome).toBe('none')
  })
})

describe('asking leases back', () => {
  it('marks them once, and tells how long their processes may still answer', async () => {
    const { clock, open, recall, version, head } = await account(100_000n)
    expect(await recall()).toBe(false)
    await open('lease:1')
    expect(await recall()).toBe(true)
    expect((await head()).leases?.[0]?.recalledAtMs).toBe(startMs)
    const before = await version()
    clock.set(startMs + 2_999)
    expect(await recall()).toBe(true)
    clock.set(startMs + 3_000)
    expect(await recall()).toBe(false)
    expect(await version()).toBe(before)
  })

  it('is told to whoever is refused, as long as somebody may answer', async () => {
    const { clock, ledger, open, recall } = await account(1_000n)
    await open('lease:1')
    const asked = (reservationId: string) =>
      ledger.reserve({ accountId: 'alice', reservationId, amount: nano(600n), timeToLiveMs: 1, subject })
    expect(await asked('r1')).toMatchObject({ outcome: 'insufficient', isLeased: true, spendable: 500n })
    await recall()
    expect(await asked('r1')).toMatchObject({ isLeased: true })
    clock.set(startMs + 3_000)
    expect(await asked('r1')).not.toHaveProperty('isLeased')
  })

  it('lets no lease open meanwhile, and ends those that are there', async () => {
    const { open, recall, write, head } = await account(100_000n)
    await open('lease:1')
    await recall()
    expect((await open('lease:2')).outcome).toBe('none')
    expect((await write({ leaseId: 'lease:1' })).lease?.isEnding).toBe(true)
    expect((await write({ leaseId: 'lease:1', wish: null })).lease).toBeNull()
    expect(await head()).not.toHaveProperty('leases')
    expect((await open('lease:2')).outcome).toBe('open')
  })
})

describe('a checkpoint', () => {
  it('writes nothing while nothing happened and the lease is young, and renews it later', async () => {
    const { clock, open, write, version, head } = await account(100_000n)
    await open('lease:1')
    await open('lease:2')
    const before = await version()
    clock.advance(14_999)
    expect((await write({ leaseId: 'lease:1' })).lease?.untilMs).toBe(startMs + 30_000)
    expect(await version()).toBe(before)
    clock.advance(1)
    expect((await write({ leaseId: 'lease:1' })).lease?.untilMs).toBe(startMs + 45_000)
    expect(await version()).toBe(before + 1n)
    expect((await head()).leases).toEqual([
      { leaseId: 'lease:1', expiresAtMs: startMs + 165_000 },
      { leaseId: 'lease:2', expiresAtMs: startMs + 150_000 },
    ])
  })

  it('renews a lease along with whatever it writes', async () => {
    const { clock, open, write } = await account(100_000n)
    await open('lease:1')
    clock.advance(1)
    const wish = { wanted: nano(10n), least: nano(10n) }
    const { lease } = await write({ leaseId: 'lease:1', requests: [leased('r1', 5n, 5n)], wish })
    expect(lease).toMatchObject({ amount: 995n, untilMs: startMs + 30_001 })
  })

  it('takes what a request has cost out of the lease, and what one under way may cost', async () => {
    const { open, write, head } = await account(2_000n)
    await open('lease:1')
    const wish = { wanted: nano(10n), least: nano(10n) }
    const requests = [leased('ended', 300n, 200n), leased('open', 100n)]
    const { lease } = await write({ leaseId: 'lease:1', requests, wish })
    expect(lease?.amount).toBe(700n)
    expect((await head()).grants[0]).toMatchObject({ available: 1_000n, held: 800n, settled: 200n })
  })

  it('that comes twice is written once, also for a request that cost nothing', async () => {
    const { open, write, version } = await account(100_000n)
    await open('lease:1')
    const requests = [leased('free', 5n, 0n), leased('paid', 5n, 3n)]
    const first = await write({ leaseId: 'lease:1', requests })
    const before = await version()
    const again = await write({ leaseId: 'lease:1', requests })
    expect(await version()).toBe(before)
    expect(again.lease).toEqual(first.lease)
    expect(again.settled).toEqual([first.settled[0], { outcome: 'already-settled', seq: 2n }])
  })

  it('charges nothing for a request that was settled at nothing, whatever its process tells later', async () => {
    const { ledger, open, write } = await account(100_000n)
    await open('lease:1')
    await write({ leaseId: 'lease:1', requests: [leased('r1', 5n)] })
    await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts: [] })
    const { settled } = await write({ leaseId: 'lease:1', requests: [leased('r1', 5n, 5n)] })
    expect(settled).toMatchObject([{ outcome: 'settled', receipt: { seq: null, charged: 0n } }])
    expect((await ledger.balance('alice')).charged).toBe(0n)
  })

  it('holds for a request under way whose lease is over what the account still has, up to all of it', async () => {
    const { clock, ledger, open, write } = await account(1_000n)
    await open('lease:1')
    clock.advance(150_000)
    const requests = [leased('whole', 600n), leased('part', 600n), leased('nothing', 1n)]
    expect((await write({ leaseId: 'lease:1', requests })).lease).toBeNull()
    expect(await ledger.balance('alice')).toMatchObject({ held: 1_000n, spendable: 0n })
    const extend = (reservationId: string) =>
      ledger.extend({ accountId: 'alice', reservationId, ordinal: 1, amount: zero, timeToLiveMs: 0 })
    expect(await extend('whole')).toMatchObject({ reservation: { amount: 600n } })
    expect(await extend('part')).toMatchObject({ reservation: { amount: 400n } })
    const settle = (reservationId: string, cost: bigint) =>
      ledger.settle({ accountId: 'alice', reservationId, attempts: [served(cost)] })
    expect(await settle('part', 500n)).toMatchObject({ receipt: { charged: 400n, absorbed: 100n } })
    expect(await settle('nothing', 1n)).toMatchObject({ receipt: { charged: 0n, absorbed: 1n } })
    expect(await settle('whole', 500n)).toMatchObject({ receipt: { charged: 500n, absorbed: 0n } })
  })

  it('holds what a lease has too little of from the rest of the account', async () => {
    const { ledger, open, write, head } = await account(2_000n)
    await open('lease:1')
    const { lease } = await write({ leaseId: 'lease:1', requests: [leased('r1', 900n), leased('r2', 300n)] })
    // Half of what is left then is for what comes next.
    expect(lease).toMatchObject({ amount: 400n, isEnding: false })
    const more = { accountId: 'alice', ordinal: 1, amount: zero, timeToLiveMs: 0 }
    expect(await ledger.extend({ ...more, reservationId: 'r2' })).toMatchObject({
      reservation: { amount: 300n, parts: [{ source: 'grant:g1', amount: 300n }] },
    })
    expect((await head()).grants[0]).toMatchObject({ available: 400n, held: 1_600n })
  })

  it('grows a lease with the balance, to half of what is there for the only one', async () => {
    const { ledger, open, write } = await account(1_000n)
    await open('lease:1')
    await ledger.grant({ accountId: 'alice', grantId: 'g2', amount: nano(1_000n) })
    expect((await write({ leaseId: 'lease:1' })).lease?.amount).toBe(1_000n)
  })

  it('makes a lease larger, never smaller', async () => {
    const { open, write } = await account(100_000n)
    await open('lease:1')
    const more = await write({ leaseId: 'lease:1', wish: { wanted: nano(3_000n), least: nano(10n) } })
    expect(more.lease?.amount).toBe(3_000n)
    const less = await write({ leaseId: 'lease:1', wish: { wanted: nano(10n), least: nano(10n) } })
    expect(less.lease).toMatchObject({ amount: 3_000n, isEnding: false })
  })

  it('ends a lease of which too little is left', async () => {
    const { ledger, open, write } = await account(1_000n)
    await open('lease:1')
    await ledger.reserve({
      accountId: 'alice',
      reservationId: 'r1',
      amount: nano(500n),
      timeToLiveMs: 1,
      subject,
    })
    const just = await write({ leaseId: 'lease:1', wish: { wanted: nano(900n), least: nano(500n) } })
    expect(just.lease).toMatchObject({ amount: 500n, isEnding: false })
    const poor = await write({ leaseId: 'lease:1', wish: { wanted: nano(900n), least: nano(501n) } })
    expect(poor.lease).toMatchObject({ amount: 500n, isEnding: true })
  })

  it('ends a lease of credit that would expire before it came back', async () => {
    const { clock, ledger, open, write } = await account(0n)
    const expiresAtMs = startMs + 160_000
    await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: nano(10_000n), expiresAtMs })
    await open('lease:1')
    clock.advance(9_999)
    expect((await write({ leaseId: 'lease:1' })).lease?.isEnding).toBe(false)
    clock.advance(1)
    expect((await write({ leaseId: 'lease:1' })).lease?.isEnding).toBe(true)
  })

  it('goes on with a lease whatever expires of credit that is not in it', async () => {
    const { ledger, open, write } = await account(100_000n)
    await open('lease:1')
    const expiresAtMs = startMs + 1_000
    await ledger.grant({ accountId: 'alice', grantId: 'soon', amount: nano(5n), priority: 1, expiresAtMs })
    expect((await write({ leaseId: 'lease:1' })).lease?.isEnding).toBe(false)
  })

  it('ends a lease of pay-as-you-go that is beyond a limit that is lower since', async () => {
    const { ledger, open, write } = await account(0n, { overage: 'pay-as-you-go' })
    await open('lease:1')
    const request = { accountId: 'alice', reservationId: 'r1', amount: nano(300n) }
    await ledger.reserve({ ...request, timeToLiveMs: 1, subject })
    await ledger.settle({ ...request, attempts: [served(300n)] })
    const limit = (spendingLimit: bigint) =>
      ledger.configure({ accountId: 'alice', planId: 'leased', spendingLimit: nano(spendingLimit) })
    await limit(800n)
    expect((await write({ leaseId: 'lease:1' })).lease?.isEnding).toBe(false)
    await limit(799n)
    expect((await write({ leaseId: 'lease:1' })).lease?.isEnding).toBe(true)
  })

  it('sets nothing more aside as the period ends, nor after it, nor for whoever is asked for the lease', async () => {
    const endMs = Date.UTC(2026, 11, 1)
    const wish = { wanted: nano(5_000n), least: nano(10n) }
    const ends = [
      ({ clock }: Subject) => clock.set(endMs - 14_999),
      ({ clock }: Subject) => clock.set(endMs),
      ({ recall }: Subject) => recall(),
    ]
    for (const end of ends) {
      const subject = await account(100_000n)
      subject.clock.set(endMs - 16_000)
      await subject.open('lease:1')
      await end(subject)
      const { lease } = await subject.write({ leaseId: 'lease:1', requests: [leased('r1', 5n, 5n)], wish })
      expect(lease).toMatchObject({ amount: 995n, isEnding: true })
      expect((await subject.head()).grants[0]?.held).toBe(995n)
    }
  })

  it('ends a lease under a plan that leases nothing any more, and pays from it what it had promised', async () => {
    const { ledger, open, write, head } = await account(100_000n)
    await open('lease:1')
    await ledger.configure({ accountId: 'alice', planId: 'plain' })
    const { lease } = await write({ leaseId: 'lease:1', requests: [leased('r1', 5n, 5n)] })
    expect(lease).toMatchObject({ amount: 995n, isEnding: true, terms: { checkpointMs: 1_000 } })
    expect((await write({ leaseId: 'lease:1', wish: null })).lease).toBeNull()
    expect((await head()).grants[0]).toMatchObject({ available: 99_995n, held: 0n, settled: 5n })
  })

  it('that gives a lease back enters nothing in the journal: no money moved', async () => {
    const { ledger, open, write } = await account(100_000n)
    await open('lease:1')
    await write({ leaseId: 'lease:1', wish: null })
    expect(await ledger.journal('alice', 0n, 10)).toHaveLength(1)
  })

  it('of an unknown lease, or one that is over, tells that it is over', async () => {
    const { clock, open, write } = await account(100_000n)
    expect((await write({ leaseId: 'lease:1' })).lease).toBeNull()
    await open('lease:1')
    clock.advance(150_000)
    expect((await write({ leaseId: 'lease:1' })).lease).toBeNull()
  })

  it('takes no request to have begun later than it is, however far ahead its process counts', async () => {
    const { clock, ledger, open, write } = await account(100_000n)
    await open('lease:1')
    clock.advance(10)
    const { reservation } = leased('r1', 5n)
    const ahead = { ...reservation, createdAtMs: startMs + 11 }
    await write({ leaseId: 'lease:1', requests: [{ reservation: ahead, attempts: [served(5n)] }] })
    const [, entry] = await ledger.journal('alice', 0n, 10)
    expect(entry).toMatchObject({ requestId: 'r1', effectiveAtMs: startMs + 10 })
  })

  it('books nothing for a request whose id is known for something else', async () => {
    const { ledger, open, write } = await account(100_000n)
    const asked = { accountId: 'alice', reservationId: 'r1', amount: nano(5n), timeToLiveMs: 1, subject }
    const held = await ledger.reserve(asked)
    await open('lease:1')
    if (held.outcome !== 'reserved') throw new Error('There is credit.')
    const reservation = { ...held.reservation, fingerprint: 'another', parts: [] }
    const { conflicts, lease } = await write({
      leaseId: 'lease:1',
      requests: [{ reservation, attempts: [] }],
    })
    expect(conflicts).toEqual(['r1'])
    expect(lease?.amount).toBe(1_000n)
  })
})
