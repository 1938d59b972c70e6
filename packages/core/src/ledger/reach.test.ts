import { describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../clock.ts'
import { reach } from './reach.ts'
import { OutcomeUnknown, Unavailable } from './storage.ts'

/** Runs an operation whose tries end like this, one after another, and then well. */
async function tried(...errors: readonly Error[]) {
  const pauses: number[] = []
  const clock: Clock = {
    ...systemClock,
    after(delayMs, task) {
      pauses.push(delayMs)
      queueMicrotask(task)
      return () => {}
    },
  }
  let calls = 0
  const result: unknown = await reach(clock, async () => {
    calls += 1
    const error = errors[calls - 1]
    if (error !== undefined) throw error
    return 'done'
  }).catch((error: unknown) => error)
  return { result, calls, pauses }
}

const unknown = new OutcomeUnknown('The connection broke.')
const down = new Unavailable('The store is down.')

describe('an operation whose outcome nobody knows', () => {
  it('is tried three times more, after pauses that double', async () => {
    expect(await tried()).toEqual({ result: 'done', calls: 1, pauses: [] })
    expect(await tried(unknown)).toEqual({ result: 'done', calls: 2, pauses: [20] })
    expect(await tried(unknown, unknown, unknown)).toEqual({ result: 'done', calls: 4, pauses: [20, 40, 80] })
    expect(await tried(unknown, unknown, unknown, unknown)).toMatchObject({
      result: { code: 'store_unavailable', cause: unknown },
      calls: 4,
    })
  })

  it('is not tried again once a try has ended in another way, and then that counts', async () => {
    const bug = new TypeError('a bug')
    expect(await tried(unknown, bug)).toEqual({ result: bug, calls: 2, pauses: [20] })
    expect(await tried(unknown, down)).toMatchObject({
      result: { code: 'store_unavailable', cause: down },
      calls: 2,
    })
  })
})

it('an operation on a store that is down is not tried again: whoever asked decides', async () => {
  expect(await tried(down)).toMatchObject({
    result: { code: 'store_unavailable', retryAfterSeconds: 1, cause: down },
    calls: 1,
  })
})
