import { describe, expect, it } from 'vitest'
import { nano } from '../money.ts'
import { type ChargedUsage, noSums, owed, type PeriodSums, sumPeriods } from './period-sums.ts'

function line(providerId: string, model: string, requests: number, charged: bigint): ChargedUsage {
  return { providerId, model, requests, charged: nano(charged) }
}

function sums(terms: Partial<PeriodSums>): PeriodSums {
  return { ...noSums, ...terms }
}

describe('the sums of a period', () => {
  it('are added up amount by amount, and usage by provider and model', () => {
    const a = sums({
      usage: [line('p', 'm', 2, 5n), line('q', 'm', 1, 1n)],
      refunded: nano(3n),
      paidFrom: { overage: nano(4n), purchased: nano(2n) },
      adjusted: nano(-7n),
    })
    const b = sums({
      usage: [line('p', 'n', 1, 9n), line('p', 'm', 3, 2n ** 63n)],
      refunded: nano(2n ** 63n),
      paidFrom: { overage: nano(6n), included: nano(1n) },
      adjusted: nano(-2n),
    })
    expect(sumPeriods([a, b])).toEqual({
      usage: [line('p', 'm', 5, 5n + 2n ** 63n), line('q', 'm', 1, 1n), line('p', 'n', 1, 9n)],
      refunded: 3n + 2n ** 63n,
      paidFrom: { overage: 10n, purchased: 2n, included: 1n },
      adjusted: -9n,
    })
    expect(owed(sumPeriods([a, b]))).toBe(10n)
  })

  it('are nothing of nothing', () => {
    expect(sumPeriods([])).toEqual(noSums)
    expect(owed(noSums)).toBe(0n)
  })

  it('keep 512 models apart and count those beyond them together, without losing a request or a nano', () => {
    const models = (count: number) =>
      Array.from({ length: count }, (_, index) => line('p', `m${index}`, 1, 2n))
    expect(sumPeriods([sums({ usage: models(512) })]).usage).toEqual(models(512))

    const all = sumPeriods([
      sums({ usage: models(514) }),
      sums({ usage: [line('p', 'm0', 1, 2n), line('q', 'x', 1, 2n)] }),
    ])
    expect(all.usage).toHaveLength(514)
    expect(all.usage[0]).toEqual(line('p', 'm0', 2, 4n))
    expect(all.usage.slice(512)).toEqual([
      line('p', '(other models)', 2, 4n),
      line('q', '(other models)', 1, 2n),
    ])
  })
})
