import { describe, expect, it } from 'vitest'
import { fakeClock, systemClock } from '../../clock.ts'
import { hostClock, serverClock } from './store-clock.ts'

describe('the clock of a server', () => {
  it('is not known before the server has told its time', () => {
    const clock = serverClock()
    expect(clock.now()).toBeUndefined()
    expect(clock.isHosts).toBe(false)
  })

  it('counts on in whole milliseconds from what the server told last, whatever time it is here', () => {
    const clock = serverClock()
    clock.learn(5_000_000)
    const before = systemClock.monotonicMs()
    clock.learn(1000)
    const after = systemClock.monotonicMs()
    while (systemClock.monotonicMs() < after + 3);
    const from = systemClock.monotonicMs()
    const now = clock.now() ?? Number.NaN
    const to = systemClock.monotonicMs()
    expect(Number.isInteger(now)).toBe(true)
    expect(now).toBeGreaterThanOrEqual(Math.floor(1000 + (from - after)))
    expect(now).toBeLessThanOrEqual(1000 + (to - before))
  })

  it('is not believed for a write that comes two seconds later than it says', () => {
    expect(serverClock().toleranceMs).toBe(2000)
  })
})

it('the clock of a host says what the host says, and learns nothing', () => {
  const host = fakeClock(7000)
  const clock = hostClock(host)
  clock.learn(1)
  expect(clock.now()).toBe(7000)
  host.advance(5)
  expect(clock.now()).toBe(7005)
  expect(clock).toMatchObject({ isHosts: true, toleranceMs: Number.POSITIVE_INFINITY })
})
