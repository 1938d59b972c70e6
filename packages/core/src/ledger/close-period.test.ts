import { expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import { closePeriod, closePeriodKeys } from './close-period.ts'
import { createLedger } from './ledger.ts'
import { memoryStorage } from './memory-storage.ts'
import { planPreset } from './plan-presets.ts'
import type { Put } from './storage.ts'

it('keeps the sums of a period for forty days once its invoice says the same, and the invoice for ever', async () => {
  const clock = fakeClock(Date.UTC(2026, 10, 10))
  const { ledger: store } = memoryStorage({ clock })
  const plans = planPreset('hf-2026-02-04')
  const ledger = createLedger({ store, plans, clock })
  await ledger.configure({ accountId: 'alice', planId: 'pro' })
  clock.set(Date.UTC(2026, 11, 1))
  await ledger.configure({ accountId: 'alice', planId: 'pro', seats: 2 })
  await ledger.statements.fold('alice', 100)

  const reduce = closePeriod({ accountId: 'alice', periodKey: '2026-11' }, plans)
  const put: readonly Put[] = await store.transact('alice', closePeriodKeys('2026-11'), (cut) => ({
    result: reduce(cut).write?.put ?? [],
  }))
  const kept = new Map(put.map(({ key, mode, keepUntil }) => [key, [mode, keepUntil]]))
  expect(kept.get('statement:2026-11')).toEqual(['replace', clock.now() + 40 * 24 * 3_600_000])
  expect(kept.get('invoice:2026-11')).toEqual(['create', undefined])
})
