import { expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import { usd } from '../money.ts'
import { createLedger } from './ledger.ts'
import { memoryStorage } from './memory-storage.ts'
import { planPreset } from './plan-presets.ts'

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
  return { ledger, clock, seq: seq ?? 0n }
}

const request = { accountId: 'alice', requestId: 'r1', attemptId: 'r1.1', actor: 'support', reason: 'test' }

it('refunds a request that was forgotten by the number of its entry, and remembers it from then on', async () => {
  const { ledger, clock, seq } = await forgotten()
  expect(await ledger.refund({ ...request, opId: 'o1' })).toEqual({ outcome: 'unknown-attempt' })

  const half = { ...request, seq, amount: usd('0.03') }
  expect(await ledger.refund({ ...half, opId: 'o2' })).toMatchObject({ outcome: 'refunded' })
  const above = { outcome: 'above-refundable', refundable: usd('0.02') }
  expect(await ledger.refund({ ...half, opId: 'o3' })).toEqual(above)
  expect(await ledger.receipt('alice', 'r1')).toMatchObject({ memberId: 'bob', refunded: usd('0.03') })

  clock.advance(358 * day)
  expect(await ledger.refund({ ...half, opId: 'o4' })).toEqual(above)
})
