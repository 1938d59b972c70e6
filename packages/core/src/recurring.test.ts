import { describe, expect, it } from 'vitest'
import { fakeClock } from './clock.ts'
import { recurring } from './recurring.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** A task that ends when it is told to. */
function slowTask() {
  const ends: (() => void)[] = []
  return {
    task: () =>
      new Promise<void>((resolve) => {
        ends.push(resolve)
      }),
    ends,
  }
}

describe('a recurring task', () => {
  it('runs after each pause, and not at once', async () => {
    const clock = fakeClock(0)
    let runs = 0
    recurring(clock, 1000, async () => {
      runs += 1
    })
    expect(runs).toBe(0)
    clock.advance(999)
    expect(runs).toBe(0)
    for (const expected of [1, 2, 3]) {
      clock.advance(1000)
      await turn()
      expect(runs).toBe(expected)
    }
  })

  it('never overlaps with itself, however long a run takes', async () => {
    const clock = fakeClock(0)
    const { task, ends } = slowTask()
    recurring(clock, 1000, task)
    clock.advance(5000)
    await turn()
    expect(ends).toHaveLength(1)
    ends[0]?.()
    await turn()
    clock.advance(999)
    expect(ends).toHaveLength(1)
    clock.advance(1)
    expect(ends).toHaveLength(2)
  })

  it('goes on after a run that rejected', async () => {
    const clock = fakeClock(0)
    let runs = 0
    recurring(clock, 1000, async () => {
      runs += 1
      throw new Error('down')
    })
    clock.advance(1000)
    await turn()
    clock.advance(1000)
    await turn()
    expect(runs).toBe(2)
  })

  it('begins no run once it is stopped, and waits for the one under way', async () => {
    const clock = fakeClock(0)
    const { task, ends } = slowTask()
    const running = recurring(clock, 1000, task)
    clock.advance(1000)
    let isOver = false
    const stopping = running.stop().then(() => {
      isOver = true
    })
    await turn()
    expect(isOver).toBe(false)
    ends[0]?.()
    await stopping
    clock.advance(10_000)
    expect(ends).toHaveLength(1)
  })

  it('never runs when it is stopped before its first pause is over', async () => {
    const clock = fakeClock(0)
    const { task, ends } = slowTask()
    await recurring(clock, 1000, task).stop()
    clock.advance(10_000)
    expect(ends).toHaveLength(0)
  })
})
