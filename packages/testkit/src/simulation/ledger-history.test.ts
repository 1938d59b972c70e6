import { describe, expect, it } from 'vitest'
import { simulateHistory } from './ledger-history.ts'

/** How many histories to try; `FAREBOX_RUNS=100000` for a long search. */
const histories = Number(process.env['FAREBOX_RUNS'] ?? 2_000)

describe('concurrent operations on one account', () => {
  it('happen one after the other, in the order of its versions, whatever the network does (failures 1, 16)', {
    timeout: 3_600_000,
  }, async () => {
    const totals = new Map<string, number>()
    let unknown = 0
    for (let seed = 1; seed <= histories; seed += 1) {
      const { operations, counts } = await simulateHistory(seed)
      unknown += operations.filter(({ answer }) => answer === undefined).length
      for (const [what, times] of counts) totals.set(what, (totals.get(what) ?? 0) + times)
    }
    const seen = [
      'store write conflict',
      'store reply lost',
      'store write late',
      'process crash',
      'clock back',
    ]
    expect(seen.filter((what) => (totals.get(what) ?? 0) < 20)).toEqual([])
    expect(unknown).toBeGreaterThan(100)
  })

  it('are the same again by the same seed', async () => {
    const [first, second] = [await simulateHistory(11), await simulateHistory(11)]
    expect(second.operations).toEqual(first.operations)
  })
})
