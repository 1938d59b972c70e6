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

  it('counts by stretches of ten seconds: the one under way, and the one just before it', () => {
    const traffic = createTraffic(0)
    for (let index = 0; index < 8; index += 1) traffic.held(nano(10n), 10_000)
    expect(traffic.isBusy(20_000)).toBe(true)
    expect(traffic.isBusy(30_000)).toBe(false)
    const quiet = createTraffic(0)
    for (let index = 0; index < 8; index += 1) quiet.held(nano(10n), 0)
    expect(quiet.isBusy(20_000)).toBe(false)
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

  it('counts both stretches from when the first of them began', () => {
    const traffic = createTraffic(1_000)
    for (const amount of [60n, 100n, 40n]) traffic.held(nano(amount), 2_000)
    for (const amount of [30n, 20n]) traffic.held(nano(amount), 11_000)
    // 250 held by five within ten seconds.
    expect(traffic.wish(usualLeaseTerms, 11_000)).toEqual({ wanted: 1_000n, least: 1_000n })
    for (const cost of [40n, 40n, 40n, 20n, 10n]) traffic.spent(nano(cost))
    traffic.held(nano(50n), 21_000)
    for (const cost of [25n, 25n]) traffic.spent(nano(cost))
    // The first stretch is forgotten: 100 held and 200 spent by seven within ten seconds, which is 1,200 in sixty.
    expect(traffic.wish(usualLeaseTerms, 21_000)).toEqual({ wanted: 1_300n, least: 580n })
    for (let index = 0; index < 100; index += 1) traffic.held(nano(1n), 22_000)
    expect(traffic.wish(usualLeaseTerms, 26_000).wanted).toBe(933n)
  })

  it('asks for no less than twice the largest hold, in whichever stretch that was', () => {
    const traffic = createTraffic(0)
    for (const amount of [100n, 1n]) {
      traffic.held(nano(amount), 0)
      traffic.spent(nano(1n))
    }
    expect(traffic.wish(usualLeaseTerms, 1_000).least).toBe(200n)
    traffic.held(nano(1n), 10_000)
    expect(traffic.wish(usualLeaseTerms, 10_000).least).toBe(200n)
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
