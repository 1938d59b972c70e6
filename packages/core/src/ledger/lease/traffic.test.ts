import { describe, expect, it } from 'vitest'
import { nano } from '../../money.ts'
import { usualLeaseTerms } from './lease-terms.ts'
import { createTraffic } from './traffic.ts'

describe('the traffic of an account', () => {
  it('is busy from eight requests within ten to twenty seconds on', () => {
    const traffic = createTraffic(0)
    for (let index = 0; index < 7; index += 1) traffic.held(nano(10n), index)
    expect(traffic.isBusy(10)).toBe(false)
    traffic.held(nano(10n), 10_000)
    expect(traffic.isBusy(10_000)).toBe(true)
    expect(traffic.isBusy(20_000)).toBe(false)
  })

  it('forgets what was long ago', () => {
    const traffic = createTraffic(0)
    for (let index = 0; index < 20; index += 1) traffic.held(nano(1_000_000n), 0)
    expect(traffic.isBusy(30_000)).toBe(false)
    traffic.held(nano(10n), 30_000)
    expect(traffic.wish(usualLeaseTerms, 30_000).wanted).toBe(200n)
  })

  it('asks for ten checkpoints of holds and two lives of spending', () => {
    const traffic = createTraffic(0)
    for (let index = 0; index < 10; index += 1) {
      traffic.held(nano(100n), 0)
      traffic.spent(nano(30n))
    }
    // 1,000 held and 300 spent within five seconds: 2,000 in ten, 3,600 in sixty.
    expect(traffic.wish(usualLeaseTerms, 5_000)).toEqual({ wanted: 5_600n, least: 600n })
  })

  it('takes less than a second for one, and asks for no less than is worth it', () => {
    const traffic = createTraffic(0)
    traffic.held(nano(100n), 0)
    expect(traffic.wish(usualLeaseTerms, 1)).toEqual({ wanted: 2_000n, least: 2_000n })
    traffic.spent(nano(1n))
    expect(traffic.wish(usualLeaseTerms, 1)).toEqual({ wanted: 1_060n, least: 200n })
  })

  it('needs at least something', () => {
    expect(createTraffic(0).wish(usualLeaseTerms, 0)).toEqual({ wanted: 0n, least: 1n })
  })
})
