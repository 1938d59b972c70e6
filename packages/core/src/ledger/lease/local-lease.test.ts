import { describe, expect, it } from 'vitest'
import { nano } from '../../money.ts'
import type { ReserveRequest } from '../reserve.ts'
import type { SettledAttempt } from '../share.ts'
import { usualLeaseTerms } from './lease-terms.ts'
import { createLocalLease, type LocalLease } from './local-lease.ts'
import type { LeaseState } from './open-lease.ts'

const storeNow = Date.UTC(2026, 10, 10)

function state(amount: bigint, changes: Partial<LeaseState> = {}): LeaseState {
  return {
    amount: nano(amount),
    periodKey: '2026-11',
    untilMs: storeNow + 30_000,
    nowMs: storeNow,
    isEnding: false,
    spendable: nano(500n),
    warning: undefined,
    terms: usualLeaseTerms,
    ...changes,
  }
}

function hold(reservationId: string, amount: bigint): ReserveRequest {
  return {
    accountId: 'alice',
    reservationId,
    amount: nano(amount),
    timeToLiveMs: 1000,
    subject: { model: 'model', costProviderIds: [], attemptsMax: 1 },
  }
}

function served(cost: bigint | null, changes: Partial<SettledAttempt> = {}): SettledAttempt {
  return {
    attemptId: 'attempt',
    providerId: 'provider',
    providerModel: 'model',
    outcome: 'served',
    costSource: 'provider',
    cost: cost === null ? null : nano(cost),
    payer: 'customer',
    ...changes,
  }
}

const settle = (lease: LocalLease, reservationId: string, attempts: readonly SettledAttempt[]) =>
  lease.settle({ accountId: 'alice', reservationId, attempts }, 0)

describe('a lease in its process', () => {
  it('admits exactly as much as it has, and again what came back', () => {
    const lease = createLocalLease('alice', state(100n), 0)
    expect(lease.reserve(hold('r1', 60n), 0)).toBeDefined()
    expect(lease.reserve(hold('r2', 41n), 0)).toBeUndefined()
    expect(lease.reserve(hold('r3', 40n), 0)).toBeDefined()
    expect(lease.reserve(hold('r4', 1n), 0)).toBeUndefined()
    settle(lease, 'r1', [served(50n)])
    expect(lease.reserve(hold('r4', 11n), 0)).toBeUndefined()
    expect(lease.reserve(hold('r4', 10n), 0)).toBeDefined()
  })

  it('pays nothing more for a request that is written as a hold of its own', () => {
    const lease = createLocalLease('alice', state(100n), 0)
    lease.reserve(hold('r1', 10n), 0)
    lease.begin()
    lease.written(state(90n), 0)
    expect(settle(lease, 'r1', [served(5n)])?.receipt.spendableAfter).toBe(590n)
    expect(lease.reserve(hold('r2', 90n), 0)).toBeDefined()
  })

  it('forgets a request once its end is written', () => {
    const lease = createLocalLease('alice', state(100n), 0)
    lease.reserve(hold('r1', 10n), 0)
    settle(lease, 'r1', [served(5n)])
    lease.begin()
    expect(lease.knows('r1')).toBe(true)
    lease.written(state(95n), 0)
    expect(lease.knows('r1')).toBe(false)
    expect(lease.unwritten).toBe(0)
  })

  it('keeps at most 4,096 requests, and names of at most 400 characters', () => {
    const lease = createLocalLease('alice', state(10_000n), 0)
    for (let index = 1; index < 4_096; index += 1) lease.reserve(hold(`r${index}`, 1n), 0)
    expect(lease.reserve(hold('r'.repeat(401), 1n), 0)).toBeUndefined()
    expect(lease.reserve(hold('r'.repeat(400), 1n), 0)).toBeDefined()
    expect(lease.reserve(hold('r', 1n), 0)).toBeUndefined()
  })

  it('warns as the store does', () => {
    const warning = {
      of: 'credit',
      percent: 80,
      periodKey: '2026-11',
      used: nano(8n),
      total: nano(10n),
    } as const
    const warned = createLocalLease('alice', state(100n, { warning }), 0)
    expect(warned.reserve(hold('r1', 1n), 0)).toHaveProperty('warning', warning)
    const silent = createLocalLease('alice', state(100n), 0)
    expect(silent.reserve(hold('r1', 1n), 0)).not.toHaveProperty('warning')
  })

  it('counts the store’s time on from when it was told', () => {
    const lease = createLocalLease('alice', state(100n), 1_000)
    const { createdAtMs, expiresAtMs } = lease.reserve(hold('r1', 1n), 1_250.9)?.reservation ?? {}
    expect([createdAtMs, expiresAtMs]).toEqual([storeNow + 250, storeNow + 1_250])
  })

  it('keeps what is being written promised whole, until it is known what the store has cut out', () => {
    const lease = createLocalLease('alice', state(100n), 0)
    lease.reserve(hold('r1', 100n), 0)
    expect(lease.begin()).toHaveLength(1)
    settle(lease, 'r1', [served(1n)])
    expect(lease.reserve(hold('r2', 1n), 0)).toBeUndefined()
    lease.written(state(40n), 0)
    expect(lease.reserve(hold('r2', 40n), 0)).toBeDefined()
    expect(lease.unwritten).toBe(2)
    const slice = lease.begin()
    expect(slice.map(({ reservation, attempts }) => [reservation.reservationId, attempts?.length])).toEqual([
      ['r1', 1],
      ['r2', undefined],
    ])
  })

  it('repeats the very checkpoint that nobody has answered, whatever happened since', () => {
    const lease = createLocalLease('alice', state(100n), 0)
    lease.reserve(hold('r1', 10n), 0)
    const slice = lease.begin()
    lease.reserve(hold('r2', 10n), 0)
    settle(lease, 'r1', [served(5n)])
    expect(lease.begin()).toBe(slice)
    expect(slice).toEqual([{ reservation: expect.objectContaining({ reservationId: 'r1' }) }])
  })

  it('writes at most 64 changes at once, oldest first', () => {
    const lease = createLocalLease('alice', state(1000n), 0)
    for (let index = 0; index < 70; index += 1) lease.reserve(hold(`r${index}`, 1n), 0)
    expect(lease.begin()).toHaveLength(64)
    expect(lease.unwritten).toBe(70)
    lease.written(state(936n), 0)
    expect(lease.begin().map(({ reservation }) => reservation.reservationId)[0]).toBe('r64')
    expect(lease.unwritten).toBe(6)
  })

  it('admits nothing after its time on the process’ own clock, less the drift of clocks and a margin', () => {
    const lease = createLocalLease('alice', state(100n), 1000)
    const deadlineMs = 1000 + 30_000 * 0.999 - 500
    expect(lease.reserve(hold('r1', 1n), deadlineMs - 1)).toBeDefined()
    expect(lease.reserve(hold('r2', 1n), deadlineMs)).toBeUndefined()
    lease.begin()
    lease.written(state(99n, { nowMs: storeNow + 20_000, untilMs: storeNow + 50_000 }), 21_000)
    expect(lease.reserve(hold('r2', 1n), deadlineMs)).toBeDefined()
  })

  it('admits nothing once it is stopped, ending or over, and settles what it had admitted', () => {
    const ends = [
      (lease: LocalLease) => lease.stop(),
      (lease: LocalLease) => lease.written(state(90n, { isEnding: true }), 0),
      (lease: LocalLease) => lease.written(null, 0),
    ]
    for (const end of ends) {
      const lease = createLocalLease('alice', state(100n), 0)
      lease.reserve(hold('r1', 10n), 0)
      lease.begin()
      end(lease)
      expect(lease.reserve(hold('r2', 1n), 0)).toBeUndefined()
      expect(lease.isStopped).toBe(true)
      expect(settle(lease, 'r1', [served(5n)])).toMatchObject({ outcome: 'settled', isUnwritten: true })
    }
  })

  it('has nothing to spend once it is over, whatever it still promises', () => {
    const lease = createLocalLease('alice', state(100n), 0)
    lease.reserve(hold('r1', 10n), 0)
    lease.begin()
    lease.reserve(hold('r2', 10n), 0)
    lease.written(null, 0)
    expect(settle(lease, 'r1', [served(5n)])?.receipt.spendableAfter).toBe(500n)
  })

  it('leaves requests of members, of keys with caps, of nothing, and of ids it knows to the store', () => {
    const lease = createLocalLease('alice', state(100n), 0)
    const { subject } = hold('r1', 1n)
    expect(lease.reserve({ ...hold('r1', 1n), subject: { ...subject, memberId: 'bob' } }, 0)).toBeUndefined()
    const keyCap = { amount: nano(1000n), per: 'period' } as const
    const capped = { ...subject, keyId: 'k1', keyCap }
    expect(lease.reserve({ ...hold('r1', 1n), subject: capped }, 0)).toBeUndefined()
    expect(lease.reserve({ ...hold('r0', 1n), subject: { ...subject, keyId: 'k1' } }, 0)).toBeDefined()
    expect(lease.reserve(hold('r1', 0n), 0)).toBeUndefined()
    expect(lease.reserve(hold('r'.repeat(401), 1n), 0)).toBeUndefined()
    expect(lease.reserve(hold('r1', 1n), 0)).toBeDefined()
    expect(lease.reserve(hold('r1', 1n), 0)).toBeUndefined()
  })

  it('refuses requests that make no sense, as the store would', () => {
    const lease = createLocalLease('alice', state(100n), 0)
    expect(() => lease.reserve({ ...hold('r1', 1n), minimum: nano(2n) }, 0)).toThrow(RangeError)
    expect(() => lease.reserve({ ...hold('r1', 1n), timeToLiveMs: 0.5 }, 0)).toThrow(RangeError)
    expect(() => lease.reserve(hold('r\0', 1n), 0)).toThrow(RangeError)
  })

  it('leaves every settlement to the store that was not served at a final cost within the hold', () => {
    const lease = createLocalLease('alice', state(100n), 0)
    lease.reserve(hold('r1', 10n), 0)
    const rare = [
      [served(11n)],
      [served(6n), served(5n)],
      [served(null)],
      [served(5n, { state: 'provisional' })],
      [served(null, { payer: 'own-key' })],
      [served(1n, { payer: 'own-key' })],
      [served(null, { outcome: 'failed', payer: 'operator' }), served(1n)],
      [served(-1n)],
      [served(1n, { outcome: 'failed', payer: 'operator' })],
      [served(1n), served(1n, { outcome: 'aborted' })],
    ]
    for (const attempts of rare) expect(settle(lease, 'r1', attempts)).toBeUndefined()
    expect(settle(lease, 'unknown', [served(1n)])).toBeUndefined()
    const request = { accountId: 'alice', reservationId: 'r1', attempts: [served(1n)], untold: ['r1.2'] }
    expect(lease.settle(request, 0)).toBeUndefined()
    expect(settle(lease, 'r1', [served(99n, { payer: 'operator' }), served(10n)])).toBeDefined()
    expect(settle(lease, 'r1', [served(10n)])).toBeUndefined()
  })

  it('settles what cost nothing, and what was never sent', () => {
    const lease = createLocalLease('alice', state(100n), 0)
    lease.reserve(hold('r1', 10n), 0)
    lease.reserve(hold('r2', 10n), 0)
    expect(settle(lease, 'r1', [served(0n)])).toMatchObject({ isUnwritten: true, receipt: { charged: 0n } })
    expect(settle(lease, 'r2', [])).toMatchObject({ isUnwritten: true, receipt: { charged: 0n } })
    expect(lease.reserve(hold('r3', 100n), 0)).toBeDefined()
  })

  it('tells in its receipt who pays what', () => {
    const lease = createLocalLease('alice', state(100n), 0)
    lease.reserve(hold('r1', 10n), 250)
    const failed = served(7n, { attemptId: 'failed', outcome: 'failed', payer: 'operator' })
    const { receipt } = lease.settle(
      { accountId: 'alice', reservationId: 'r1', attempts: [failed, served(4n)] },
      1000,
    ) ?? { receipt: undefined }
    expect(receipt).toMatchObject({
      requestId: 'r1',
      accountId: 'alice',
      periodKey: '2026-11',
      recordedAtMs: storeNow + 1000,
      cost: 11n,
      charged: 4n,
      absorbed: 7n,
      paidFrom: [],
      spendableAfter: 596n,
      seq: null,
    })
  })

  it('says when most of it is promised', () => {
    const lease = createLocalLease('alice', state(100n), 0)
    lease.reserve(hold('r1', 70n), 0)
    expect(lease.isPressed).toBe(false)
    lease.reserve(hold('r2', 1n), 0)
    expect(lease.isPressed).toBe(true)
  })

  it('does not let go of what is not written', () => {
    const lease = createLocalLease('alice', state(100n), 0)
    lease.reserve(hold('r1', 10n), 0)
    lease.handOver('r1')
    expect(lease.knows('r1')).toBe(true)
    lease.begin()
    lease.written(state(90n), 0)
    lease.handOver('r1')
    expect(lease.knows('r1')).toBe(false)
  })

  it('lets go of what is being written, and goes on when it is', () => {
    const lease = createLocalLease('alice', state(100n), 0)
    lease.reserve(hold('r1', 10n), 0)
    lease.begin()
    lease.written(state(90n), 0)
    settle(lease, 'r1', [served(5n)])
    lease.begin()
    lease.handOver('r1')
    lease.written(state(90n), 0)
    expect(lease.unwritten).toBe(0)
    expect(lease.reserve(hold('r2', 90n), 0)).toBeDefined()
  })

  it('fails loudly should it ever have promised more than it has', () => {
    const lease = createLocalLease('alice', state(100n), 0)
    lease.reserve(hold('r1', 50n), 0)
    lease.begin()
    lease.reserve(hold('r2', 50n), 0)
    expect(() => lease.written(state(49n), 0)).toThrow('promised more')
  })
})
