import { describe, expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import { nano } from '../money.ts'
import { accessTo } from './access.ts'
import { createLedger } from './ledger.ts'
import { memoryStorage } from './memory-storage.ts'
import { planPreset } from './plan-presets.ts'
import { refundAttempt } from './refund-attempt.ts'

const plans = planPreset('hf-latest')
const refund = { accountId: 'alice', requestId: 'r1', attemptId: 'r1.1', opId: 'o1' }
const request = { ...refund, actor: 'support', reason: 'outage' }

describe('a refund in two steps', () => {
  it('finds nothing where it is told no number, or one that the journal does not have', async () => {
    const clock = fakeClock(0)
    const access = accessTo(memoryStorage({ clock }).ledger, clock)
    for (const where of [{}, { seq: 9n }]) {
      const result = await refundAttempt(access, { ...request, ...where }, plans)
      expect(result).toEqual({ outcome: 'unknown-attempt' })
    }
  })

  it('gives back by the entry that there is, when the cost came between its steps', async () => {
    const clock = fakeClock(Date.UTC(2026, 10, 10))
    const { ledger: store } = memoryStorage({ clock })
    const ledger = createLedger({ store, plans, clock })
    await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: nano(100n) })
    const subject = { model: 'model', costProviderIds: ['provider'], attemptsMax: 1 }
    const hold = { accountId: 'alice', reservationId: 'r1', amount: nano(10n), timeToLiveMs: 1000, subject }
    await ledger.reserve(hold)
    await ledger.settle({
      accountId: 'alice',
      reservationId: 'r1',
      attempts: [
        {
          attemptId: 'r1.1',
          providerId: 'provider',
          providerModel: 'model',
          outcome: 'served',
          costSource: 'estimate',
          cost: nano(7n),
          payer: 'customer',
          state: 'provisional',
        },
      ],
    })
    const access = accessTo(store, clock)
    const told = { accountId: 'alice', reservationId: 'r1', attemptId: 'r1.1', cost: nano(6n) }
    let reads = 0
    const racing = {
      ...access,
      async entry(accountId: string, seq: bigint) {
        reads += 1
        if (reads === 1) await ledger.reconcile(told)
        return access.entry(accountId, seq)
      },
    }
    expect(await refundAttempt(racing, request, plans)).toMatchObject({ outcome: 'refunded', amount: 6n })
    expect(reads).toBe(2)
    expect(await ledger.receipt('alice', 'r1')).toMatchObject({ charged: 6n, refunded: 6n })
  })
})
