import { expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import type { CounterStore } from './counter-store.ts'
import { createCounting } from './counting.ts'
import { memoryCounters } from './memory-counters.ts'
import { OutcomeUnknown, Unavailable } from './storage.ts'

const asked = {
  accountId: 'alice',
  nowMs: 1_000,
  counts: [{ name: 'requests', amount: 1, least: 1, limit: 2, untilMs: 60_000 }],
}

/** A store that can be switched off. */
function start() {
  const clock = fakeClock(0)
  const store = memoryCounters()
  const state: { fault: Error | undefined; asked: number } = { fault: undefined, asked: 0 }
  const guard = async <R>(run: () => Promise<R>): Promise<R> => {
    state.asked += 1
    if (state.fault !== undefined) throw state.fault
    return run()
  }
  const shared: CounterStore = {
    take: (request) => guard(() => store.take(request)),
    giveBack: (request) => guard(() => store.giveBack(request)),
  }
  const lost: unknown[] = []
  const counting = createCounting({ shared, clock, onLost: (cause) => lost.push(cause) })
  return { clock, state, lost, shared, counting }
}

it.each([new Unavailable('down'), new OutcomeUnknown('no answer')])(
  'failure 24: keeps the limit within the process while the store is out of reach (%s)',
  async (fault) => {
    const { counting, state, lost } = start()
    state.fault = fault
    const answers = await Promise.all([1, 2, 3].map(() => counting.take(asked)))

    expect(answers.map(({ taken }) => taken.isTaken)).toEqual([true, true, false])
    expect(lost).toEqual([fault])
  },
)

it('leaves a store that is out of reach alone for five seconds, and then goes back to it', async () => {
  const { counting, state, clock, shared } = start()
  state.fault = new Unavailable('down')
  await counting.take(asked)
  state.fault = undefined
  const before = state.asked
  clock.advance(4_999)
  expect((await counting.take(asked)).by).not.toBe(shared)
  expect(state.asked).toBe(before)
  clock.advance(1)

  expect((await counting.take(asked)).by).toBe(shared)
})

it('leaves it alone for five seconds more when it is still out of reach then, and says so again', async () => {
  const { counting, state, clock, lost } = start()
  state.fault = new Unavailable('down')
  await counting.take(asked)
  clock.advance(5_000)
  await counting.take(asked)
  clock.advance(4_999)
  await counting.take(asked)

  expect(lost).toHaveLength(2)
  expect(state.asked).toBe(2)
})

it('gives back where it was taken, and never fails', async () => {
  const { counting, state, lost, shared } = start()
  const { by } = await counting.take(asked)
  state.fault = new Unavailable('down')
  await counting.giveBack(by, { accountId: 'alice', counts: [{ name: 'requests', amount: 1 }] })

  expect(by).toBe(shared)
  expect(lost).toEqual([state.fault])
})

it('does not hide what is no fault of the store', async () => {
  const { counting, state } = start()
  state.fault = new RangeError('an account id has 513 characters')

  await expect(counting.take(asked)).rejects.toThrow(RangeError)
})

it('counts in memory where the storage has no counters', async () => {
  const counting = createCounting({ shared: undefined, clock: fakeClock(0), onLost: () => {} })
  const answers = await Promise.all([1, 2, 3].map(() => counting.take(asked)))

  expect(answers.map(({ taken }) => taken.isTaken)).toEqual([true, true, false])
})

it('forgets what is over, and nothing else, with every 4,096th request', async () => {
  const counters = memoryCounters()
  const nowMs = 1_000
  const take = async (name: string, untilMs: number, holder?: string) => {
    const count = { name, amount: 1, least: 1, limit: 10_000, untilMs, ...(holder && { holder }) }
    const { counts } = await counters.take({ accountId: 'alice', nowMs, counts: [count] })
    return counts[0]?.before
  }
  await take('over', nowMs)
  await take('under-way', nowMs + 1)
  await take('places', nowMs + 1, 'long')
  await take('places', nowMs, 'short')
  for (let index = 5; index < 4_095; index += 1) await take('others', nowMs + 1)

  expect(await take('over', nowMs)).toBe(1)
  expect(await take('over', nowMs)).toBe(0)
  expect(await take('under-way', nowMs)).toBe(1)
  expect(await take('places', nowMs, 'next')).toBe(1)
})

it('remembers no more counters than it may', async () => {
  const counters = memoryCounters({ countersMax: 2 })
  const take = (name: string) =>
    counters.take({
      accountId: 'alice',
      nowMs: 0,
      counts: [{ name, amount: 1, least: 1, limit: 1, untilMs: 60_000 }],
    })
  for (const name of ['a', 'b', 'c']) await take(name)

  expect((await take('c')).isTaken).toBe(false)
  expect((await take('a')).isTaken).toBe(true)
})
