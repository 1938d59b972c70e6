import { describe, expect, it } from 'vitest'
import { fakeClock, systemClock } from './clock.ts'

describe('fakeClock', () => {
  it('stands still until it is told otherwise', () => {
    const clock = fakeClock(1000)
    expect([clock.now(), clock.monotonicMs()]).toEqual([1000, 0])
    clock.advance(5)
    expect([clock.now(), clock.monotonicMs()]).toEqual([1005, 5])
  })

  it('runs what became due, in the order of its time, at its time', () => {
    const clock = fakeClock(1000)
    const ran: [string, number, number][] = []
    const note = (name: string) => () => ran.push([name, clock.now(), clock.monotonicMs()])
    clock.after(30, note('third'))
    clock.after(10, note('first'))
    clock.after(10, note('second'))
    clock.after(51, note('never'))
    clock.advance(50)

    expect(ran).toEqual([
      ['first', 1010, 10],
      ['second', 1010, 10],
      ['third', 1030, 30],
    ])
    expect(clock.now()).toBe(1050)
  })

  it('runs what a task starts, when that becomes due in the same stretch of time', () => {
    const clock = fakeClock(0)
    const ran: number[] = []
    clock.after(10, () => {
      ran.push(clock.now())
      clock.after(10, () => ran.push(clock.now()))
      clock.after(11, () => ran.push(clock.now()))
    })
    clock.advance(20)
    expect(ran).toEqual([10, 20])
    clock.advance(1)
    expect(ran).toEqual([10, 20, 21])
  })

  it('does not run what was cancelled', () => {
    const clock = fakeClock(0)
    let ran = false
    const cancel = clock.after(10, () => {
      ran = true
    })
    cancel()
    cancel()
    clock.advance(10)
    expect(ran).toBe(false)
  })

  it('sets the wall clock back without touching timers or durations', () => {
    const clock = fakeClock(1000)
    let ranAt: number | undefined
    clock.after(10, () => {
      ranAt = clock.now()
    })
    clock.set(500)
    expect([clock.now(), clock.monotonicMs(), ranAt]).toEqual([500, 0, undefined])
    clock.advance(10)
    expect(ranAt).toBe(510)
  })
})

describe('systemClock', () => {
  it('tells the time of day and a time that never goes backwards', () => {
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000)
    const before = systemClock.monotonicMs()
    expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(before)
  })

  it('runs a task later, and not after it was cancelled', async () => {
    let ran = 0
    systemClock.after(0, () => {
      ran += 10
    })()
    await new Promise<void>((resolve) => {
      systemClock.after(1, () => {
        ran += 1
        resolve()
      })
    })
    expect(ran).toBe(1)
  })
})
