import { describe, expect, it } from 'vitest'
import { simulate } from './index.ts'

/** How many seeds to try; `FAREBOX_LEASE_SEEDS=100000` for a long search. */
const seeds = Number(process.env['FAREBOX_LEASE_SEEDS'] ?? 40)

describe('processes that lease, over HTTP', () => {
  it('conserve money and lose nothing as long as they live, whatever fails (failures 1, 3, 4, 5, 8, 16)', async () => {
    const totals = new Map<string, number>()
    for (let seed = 1; seed <= seeds; seed += 1) {
      const { counts } = await simulate(seed, { hasLeases: true })
      for (const [what, times] of counts) totals.set(what, (totals.get(what) ?? 0) + times)
    }
    const seen = [
      'answered from a lease',
      'booked: exact',
      'booked: never told',
      'caller: insufficient_credits',
      'process crash',
      'process close',
      'clock ahead',
    ]
    expect(seen.filter((what) => !totals.has(what))).toEqual([])
  }, 600_000)
})
