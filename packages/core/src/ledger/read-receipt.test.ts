import { describe, expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import { nano } from '../money.ts'
import { emptyFold } from './audit/fold.ts'
import { valueOfFold } from './audit/fold-value.ts'
import { checkText } from './check-text.ts'
import { journalBaseKey } from './journal-base.ts'
import type { LateTerms } from './late.ts'
import { createLedger } from './ledger.ts'
import { memoryStorage } from './memory-storage.ts'
import { planPreset } from './plan-presets.ts'
import type { SettledAttempt } from './share.ts'
import type { LedgerStore, Value } from './storage.ts'

const minute = 60_000
const waitMs = 30 * minute

const served: SettledAttempt = {
  attemptId: 'r1.1',
  providerId: 'provider',
  providerModel: 'model',
  outcome: 'served',
  costSource: 'provider',
  cost: nano(7n),
  payer: 'customer',
}
/** What the customer is expected to pay, and what the operator may have to. */
const expected: SettledAttempt = { ...served, costSource: 'estimate', state: 'provisional' }
const doubtful: SettledAttempt = {
  ...served,
  attemptId: 'r1.2',
  outcome: 'failed',
  costSource: 'unknown',
  cost: null,
  payer: 'operator',
  state: 'provisional',
}

/** An account of which a request holds ten nano-USD. */
async function reserved(policy: LateTerms['policy'] = 'waive') {
  const clock = fakeClock(Date.UTC(2026, 10, 10))
  const { ledger: store } = memoryStorage({ clock })
  const late = { withinMs: waitMs, policy }
  const ledger = createLedger({ store, clock, plans: planPreset('hf-latest'), late })
  const give = (grantId: string) => ledger.grant({ accountId: 'alice', grantId, amount: nano(100n) })
  await give('g1')
  const subject = { model: 'model', costProviderIds: ['provider'], attemptsMax: 2 }
  const hold = { accountId: 'alice', reservationId: 'r1', amount: nano(10n), timeToLiveMs: minute, subject }
  expect(await ledger.reserve(hold)).toMatchObject({ outcome: 'reserved' })
  const settle = async (...attempts: SettledAttempt[]) => {
    const result = await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts })
    return result.outcome === 'settled' ? result.receipt : undefined
  }
  const tell = (attemptId: string, cost: bigint | null) => {
    const told = cost === null ? null : nano(cost)
    return ledger.reconcile({ accountId: 'alice', reservationId: 'r1', attemptId, cost: told })
  }
  const receipt = () => ledger.receipt('alice', 'r1')
  const isCharged = () => ledger.isCharged('alice', 'r1')
  return { ledger, store, clock, give, settle, tell, receipt, isCharged }
}

describe('the receipt of a request', () => {
  it('is read as it was given, and is not there before it', async () => {
    const { ledger, settle, receipt, isCharged } = await reserved()
    expect(await receipt()).toBeUndefined()
    expect(await isCharged()).toBeUndefined()
    expect(await ledger.receipt('alice', 'nobody')).toBeUndefined()
    expect(await ledger.isCharged('alice', 'nobody')).toBeUndefined()
    const given = await settle(served)
    expect(given).toMatchObject({ charged: 7n })
    expect(await receipt()).toEqual(given)
    expect(await isCharged()).toBe(true)
  })

  it.each(['a\0b', '\ud800', 'x'.repeat(600), ''])(
    'is not there for "%s", which is no id',
    async (requestId) => {
      const { store, clock } = await reserved()
      const strict: LedgerStore = {
        ...store,
        transact(accountId, keys, reduce) {
          for (const key of keys) checkText(key, 'record key')
          return store.transact(accountId, keys, reduce)
        },
      }
      const ledger = createLedger({ store: strict, clock, plans: planPreset('hf-latest') })
      expect(await ledger.receipt('alice', requestId)).toBeUndefined()
      expect(await ledger.isCharged('alice', requestId)).toBeUndefined()
    },
  )

  it('is not there for a request that died, also when its cost is told later', async () => {
    const { clock, give, tell, receipt, isCharged } = await reserved()
    clock.advance(2 * waitMs)
    await give('g2')
    await give('g3')
    expect(await tell('r1.1', 7n)).toMatchObject({ outcome: 'reconciled' })
    expect(await receipt()).toBeUndefined()
    expect(await isCharged()).toBeUndefined()
  })

  it('of which nothing was booked stays open as long as what the operator may pay is asked for', async () => {
    const { clock, settle, tell, receipt, isCharged } = await reserved()
    const given = await settle(doubtful)
    expect(given).toMatchObject({ state: 'provisional', charged: 0n, seq: null })
    expect(await receipt()).toEqual(given)
    expect(await isCharged()).toBe(false)
    await tell('r1.2', 3n)
    expect(await receipt()).toMatchObject({ cost: 3n, absorbed: 3n })
    expect(await receipt()).not.toHaveProperty('state')
    clock.advance(waitMs)
    expect(await receipt()).toMatchObject({ cost: 3n, absorbed: 3n })
  })

  it('is final once what the operator may pay is not asked for any more, though the clock goes back', async () => {
    const { clock, give, settle, receipt } = await reserved()
    const given = await settle(served, doubtful)
    expect(given).toMatchObject({ state: 'provisional', charged: 7n })
    clock.advance(waitMs - 1)
    expect(await receipt()).toEqual(given)
    clock.advance(1)
    expect(await receipt()).not.toHaveProperty('state')
    await give('g2')
    clock.set(clock.now() - 1)
    expect(await receipt()).not.toHaveProperty('state')
  })

  it('is final at once for the customer and the operator when the wait is ended', async () => {
    const { settle, tell, receipt, isCharged } = await reserved()
    expect(await settle(expected, doubtful)).toMatchObject({ state: 'provisional' })
    expect(await isCharged()).toBe(true)
    expect(await tell('r1.1', null)).toEqual({ outcome: 'wait-ended' })
    expect(await receipt()).toMatchObject({ charged: 0n, cost: 0n })
    expect(await receipt()).not.toHaveProperty('state')
    expect(await isCharged()).toBe(false)
  })

  it('stays open after the wait until somebody has looked, because the estimate may be charged then', async () => {
    const { clock, give, settle, receipt, isCharged } = await reserved('charge-estimate')
    const given = await settle(expected)
    clock.advance(2 * waitMs)
    expect(await receipt()).toEqual(given)
    expect(await isCharged()).toBe(true)
    await give('g2')
    expect(await receipt()).toMatchObject({ charged: 7n })
    expect(await receipt()).not.toHaveProperty('state')
    expect(await isCharged()).toBe(true)
  })

  it('has what was given back of it', async () => {
    const { ledger, settle, receipt } = await reserved()
    await settle(served)
    const by = { actor: 'support', reason: 'outage' }
    for (const [opId, amount] of [
      ['o1', 2n],
      ['o2', 3n],
    ] as const) {
      const request = { accountId: 'alice', requestId: 'r1', attemptId: 'r1.1', opId, amount: nano(amount) }
      expect(await ledger.refund({ ...request, ...by })).toMatchObject({ outcome: 'refunded' })
    }
    expect(await receipt()).toMatchObject({ charged: 7n, refunded: 5n })
  })

  it('is gone when a late cost of it was trimmed after the rest was read, and is an error when it was lost', async () => {
    const { ledger, store, clock, settle, tell, receipt } = await reserved()
    const first = await settle(expected)
    expect(await tell('r1.1', 7n)).toMatchObject({ outcome: 'reconciled' })
    const by = { opId: 'o1', actor: 'support', reason: 'outage', amount: nano(2n) }
    await ledger.refund({ accountId: 'alice', requestId: 'r1', attemptId: 'r1.1', ...by })
    expect(await receipt()).toMatchObject({ charged: 7n, refunded: 2n })

    const plans = planPreset('hf-latest')
    const shortened: LedgerStore = {
      ...store,
      journal: async (accountId, afterSeq, limit) =>
        (await store.journal(accountId, afterSeq, limit)).filter(({ seq }) => seq <= (first?.seq ?? 0n)),
    }
    const reading = createLedger({ store: shortened, plans, clock })
    await expect(reading.receipt('alice', 'r1')).rejects.toThrow('has lost entry')
    const base = { seq: 100n, chain: 'c', toldBy: 101n, fold: valueOfFold(emptyFold()) } as Value
    await store.transact('alice', [], ({ head }) => ({
      result: undefined,
      write: { head, put: [{ key: journalBaseKey, value: base, mode: 'create' }] },
    }))
    expect(await reading.receipt('alice', 'r1')).toBeUndefined()
  })
})
