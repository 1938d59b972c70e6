import { describe, expect, it } from 'vitest'
import { faultKinds } from './faults.ts'
import { simulate } from './index.ts'

/** How many seeds to try; `npm run soak` goes on for as long as it is let. */
const seeds = Number(process.env['FAREBOX_SEEDS'] ?? 10_000)
const blockSize = 1_000
const blocks = Array.from({ length: Math.ceil(seeds / blockSize) }, (_, index) => index * blockSize + 1)

const totals = new Map<string, number>()

describe('a simulated run', () => {
  it('is a function of its seed: it does the same again, step by step', async () => {
    for (const seed of [1, 2, 3, 5, 8, 13, 21, 34, 55, 89]) {
      const [first, second] = [await logOf(seed), await logOf(seed)]
      expect(first.length).toBeGreaterThan(20)
      expect(second).toEqual(first)
    }
  })

  it('differs from seed to seed', async () => {
    const logs = await Promise.all([logOf(1), logOf(2), logOf(3)])
    expect(new Set(logs.map((lines) => lines.join('\n'))).size).toBe(3)
  })
})

describe('money is conserved, no hold is left, and the books are what the providers charge', () => {
  it.each(blocks)(
    'whatever fails, in the 1,000 runs from seed %i (failures 3, 5, 8, 16, 19)',
    { timeout: 600_000 },
    async (from) => {
      for (let seed = from; seed < from + blockSize && seed <= seeds; seed += 1) {
        const { counts } = await simulate(seed)
        for (const [what, times] of counts) totals.set(what, (totals.get(what) ?? 0) + times)
      }
    },
  )

  it.skipIf(seeds < 10_000)('and everything that can fail has failed, more than once', () => {
    const seen = [
      // Callers who leave are drawn with their requests, and counted as `caller: left`.
      ...faultKinds.filter((kind) => kind !== 'caller leaves'),
      'booked: exact',
      'booked: estimate',
      'booked: list price',
      'booked: failed attempt',
      'booked: never told',
      'booked: no cost',
      'booked: waived',
      'caller: whole',
      'caller: left',
      'caller: cut off',
      'caller: insufficient_credits',
      'caller: store_unavailable',
      'caller: broken off',
      'deed: refunded',
      'deed: voided',
      'deed: adjusted',
      'deed: insufficient',
      'deed: closed',
      'deed: open-holds',
      'deed: not-final',
      'deed: usage read',
      'entry: released',
      'entry: expired',
      'entry: provisional',
      'entry: reconciled',
      'entry: closed',
      'provider called back: news',
      'provider called back: no news',
      'hold.resolved',
      'settle.failed',
      'store write conflict',
    ]
    expect(seen.filter((what) => (totals.get(what) ?? 0) < 10)).toEqual([])
  })
})

async function logOf(seed: number): Promise<readonly string[]> {
  const lines: string[] = []
  await simulate(seed, { onLine: (line) => lines.push(line) })
  return lines
}
