import { expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import { usd } from '../money.ts'
import { createLedger } from './ledger.ts'
import { memoryStorage } from './memory-storage.ts'
import { planPreset } from './plan-presets.ts'
import { refund, refundKeys } from './refund.ts'

const day = 24 * 3_600_000

/** A ledger in which one request of $0.05 was settled, and everything of it but its entry is forgotten. */
async function forgotten() {
  const clock = fakeClock(Date.UTC(2026, 10, 10))
  const { ledger: store } = memoryStorage({ clock })
  const ledger = createLedger({ store, plans: planPreset('hf-2026-02-04'), clock })
  await ledger.reserve({
    accountId: 'alice',
    reservationId: 'r1',
    amount: usd('0.05'),
    timeToLiveMs: 60_000,
    subject: { model: 'model', memberId: 'bob', costProviderIds: [], attemptsMax: 1 },
  })
  const settled = await ledger.settle({
    accountId: 'alice',
    reservationId: 'r1',
    attempts: [
      {
        attemptId: 'r1.1',
        providerId: 'provider',
        providerModel: 'model',
        outcome: 'served',
        costSource: 'provider',
        cost: usd('0.05'),
        payer: 'customer',
      },
    ],
  })
  clock.advance(41 * day)
  for (let write = 0; write < 4096; write += 1) {
    await store.transact('alice', [], ({ head }) => ({ result: undefined, write: { head } }))
  }
  expect(await ledger.receipt('alice', 'r1')).toBeUndefined()
  const seq = settled.outcome === 'settled' ? settled.receipt.seq : null
  return { ledger, store, clock, seq: seq ?? 0n }
}

const request = { accountId: 'alice', requestId: 'r1', attemptId: 'r1.1', actor: 'support', reason: 'test' }

it('refunds a request that was forgotten by the number of its entry, and remembers it from then on', async () => {
  const { ledger, store, clock, seq } = await forgotten()
  expect(await ledger.refund({ ...request, opId: 'o1' })).toEqual({ outcome: 'unknown-attempt' })

  const half = { ...request, seq, amount: usd('0.03') }
  expect(await ledger.refund({ ...half, opId: 'o2' })).toMatchObject({ outcome: 'refunded' })
  const above = { outcome: 'above-refundable', refundable: usd('0.02') }
  expect(await ledger.refund({ ...half, opId: 'o3' })).toEqual(above)
  expect(await ledger.receipt('alice', 'r1')).toMatchObject({ memberId: 'bob', refunded: usd('0.03') })
  const records = await store.transact('alice', ['hold:r1'], (cut) => ({ result: cut.records }))
  expect(records.get('hold:r1')).toMatchObject({
    state: 'settled',
    subject: { model: 'model', memberId: 'bob' },
    settledBy: seq,
  })

  clock.advance(358 * day)
  expect(await ledger.refund({ ...half, opId: 'o4' })).toEqual(above)
})

it('starts over when the cost of the attempt came after its entry was looked up', async () => {
  const clock = fakeClock(Date.UTC(2026, 10, 10))
  const { ledger: store } = memoryStorage({ clock })
  const plans = planPreset('hf-2026-02-04')
  const ledger = createLedger({ store, plans, clock })
  const subject = { model: 'model', costProviderIds: [], attemptsMax: 2 }
  await ledger.reserve({
    accountId: 'alice',
    reservationId: 'r1',
    amount: usd('0.09'),
    timeToLiveMs: 60_000,
    subject,
  })
  const served = {
    providerId: 'provider',
    providerModel: 'model',
    outcome: 'served',
    costSource: 'provider',
    cost: usd('0.04'),
    payer: 'customer',
  } as const
  const attempts = [
    { ...served, attemptId: 'r1.1' },
    { ...served, attemptId: 'r1.2', state: 'provisional' as const },
  ]
  await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts })
  const first = (await ledger.journal('alice', 0n, 10)).at(-1)
  if (first === undefined) throw new Error('nothing was booked')
  const refundBy = (attemptId: string, opId: string) => {
    const asked = { ...request, attemptId, opId, amount: usd('0.01') }
    return store.transact('alice', refundKeys(asked, first), refund(asked, first, plans))
  }
  expect(await refundBy('r1.2', 'o1')).toEqual({ outcome: 'not-final' })

  await ledger.reconcile({ accountId: 'alice', reservationId: 'r1', attemptId: 'r1.2', cost: usd('0.05') })
  expect(await refundBy('r1.2', 'o1')).toEqual({ outcome: 'again' })
  // The other attempt is still told by the first entry.
  expect(await refundBy('r1.1', 'o2')).toMatchObject({ outcome: 'refunded' })
  expect(await ledger.refund({ ...request, attemptId: 'r1.2', opId: 'o1' })).toMatchObject({
    amount: usd('0.05'),
  })
})
