import { expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import { nano, usd } from '../money.ts'
import { createLedger } from './ledger.ts'
import { memoryStorage } from './memory-storage.ts'
import { planPreset } from './plan-presets.ts'
import type { LedgerStore } from './storage.ts'

it('reads the members of all holds that are due at once, however many there are', async () => {
  const clock = fakeClock(Date.UTC(2026, 10, 10))
  const { ledger: store } = memoryStorage({ clock })
  let calls = 0
  const counting: LedgerStore = {
    ...store,
    transact(...request) {
      calls += 1
      return store.transact(...request)
    },
  }
  const ledger = createLedger({ store: counting, clock, plans: planPreset('hf-2026-02-04') })
  await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: usd('1.00') })
  for (let index = 0; index < 10; index += 1) {
    const subject = { model: 'model', memberId: `m${index}`, costProviderIds: [], attemptsMax: 1 }
    const hold = { accountId: 'alice', reservationId: `r${index}`, amount: nano(1n), timeToLiveMs: 0 }
    await ledger.reserve({ ...hold, subject })
  }
  clock.advance(60_000)
  calls = 0
  const { held } = await ledger.balance('alice')

  expect(held).toBe(0n)
  expect(calls).toBe(2)
})
