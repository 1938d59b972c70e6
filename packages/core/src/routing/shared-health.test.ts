import { expect, it } from 'vitest'
import { exampleTarget } from '../catalog/__fixtures__/example-rows.ts'
import type { Target } from '../catalog/target.ts'
import { type FakeClock, fakeClock } from '../clock.ts'
import type { CounterStore, TakeRequest } from '../ledger/counter-store.ts'
import { memoryCounters } from '../ledger/memory-counters.ts'
import { Unavailable } from '../ledger/storage.ts'
import { createHealth } from './health.ts'
import { createSharedHealth } from './shared-health.ts'

const hour = 3_600_000

function targetOf(providerId: string, model = 'm'): Target {
  return exampleTarget({ providerId, providerModel: model, model: `acme/${model}` })
}

const target = targetOf('a')

/** Counters that remember what they were asked, and can be out of reach. */
function watched(): CounterStore & { readonly asked: TakeRequest[]; isDown: boolean; forget(): void } {
  let counters = memoryCounters()
  return {
    asked: [],
    isDown: false,
    forget() {
      counters = memoryCounters()
    },
    async take(request) {
      this.asked.push(request)
      if (this.isDown) throw new Unavailable('down')
      return counters.take(request)
    },
    async giveBack(request) {
      if (this.isDown) throw new Unavailable('down')
      return counters.giveBack(request)
    },
  }
}

/** A process of those that share these counters. */
function processOn(counters: CounterStore, clock: FakeClock, targets: readonly Target[] = [target]) {
  const lost: unknown[] = []
  const changes: string[] = []
  const shared = createSharedHealth({ counters, clock, onLost: (cause) => lost.push(cause) })
  const health = createHealth({
    clock,
    onCircuit: ({ targetId }, state) => changes.push(`${targetId} ${state}`),
    teller: shared,
  })
  return {
    health,
    lost,
    changes,
    exchange: () => shared.exchange(targets, health),
    isHealthy: (asked = target) => health.stats(asked).isHealthy,
    fail(times: number, failed = target) {
      for (let time = 0; time < times; time += 1) health.recordFailure(failed)
    },
    succeed(answered = target) {
      health.recordSuccess(answered, {
        startedMs: clock.monotonicMs(),
        firstTokenMs: 100,
        tokensPerSecond: undefined,
      })
    },
  }
}

/** Everything that was begun without being waited for. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

function two(startMs = 10 * hour) {
  const clock = fakeClock(startMs)
  const counters = watched()
  return { clock, counters, one: processOn(counters, clock), other: processOn(counters, clock) }
}

it('a process that opens a circuit keeps the requests of others away too, until the pause is over', async () => {
  const { clock, one, other } = two()
  one.fail(2)
  await settled()
  await other.exchange()
  expect(other.isHealthy()).toBe(true)
  one.fail(1)
  await settled()
  expect(other.isHealthy()).toBe(true)
  await other.exchange()
  expect(other.isHealthy()).toBe(false)
  expect(other.changes).toEqual(['a/m open'])
  clock.advance(4999)
  expect(other.isHealthy()).toBe(false)
  clock.advance(1)
  expect(other.isHealthy()).toBe(true)
})

it('a longer pause is told too, and of two the longer one stands', async () => {
  const { clock, counters, one, other } = two()
  one.fail(5)
  await settled()
  other.fail(3)
  await settled()
  const third = processOn(counters, clock)
  await Promise.all([other.exchange(), third.exchange()])
  clock.advance(19_999)
  expect([other.isHealthy(), third.isHealthy()]).toEqual([false, false])
  clock.advance(1)
  expect([other.isHealthy(), third.isHealthy()]).toEqual([true, true])
})

it('an answer anywhere closes the circuit everywhere', async () => {
  const { clock, counters, one, other } = two()
  one.fail(6)
  await settled()
  await other.exchange()
  clock.advance(6000)
  other.succeed()
  await settled()
  expect(one.isHealthy()).toBe(false)
  await one.exchange()
  expect(one.isHealthy()).toBe(true)
  expect(one.changes).toEqual(['a/m open', 'a/m closed'])
  const later = processOn(counters, clock)
  await later.exchange()
  expect(later.isHealthy()).toBe(true)
})

it('a circuit that opens again after an answer is told again', async () => {
  const { one, other } = two()
  for (let round = 0; round < 3; round += 1) {
    one.fail(3)
    await settled()
    await other.exchange()
    expect(other.isHealthy()).toBe(false)
    one.succeed()
    await settled()
    await other.exchange()
    expect(other.isHealthy()).toBe(true)
  }
})

it('a process whose own network is bad keeps a good target from others once, and not again', async () => {
  const { clock, one, other } = two()
  one.fail(3)
  await settled()
  await other.exchange()
  clock.advance(5000)
  other.succeed()
  await settled()
  await one.exchange()
  for (let round = 0; round < 5; round += 1) {
    one.fail(3)
    await settled()
    await other.exchange()
    expect(other.isHealthy()).toBe(true)
    clock.advance(120_000)
  }
  expect(one.lost).toEqual([])
})

it('a look is one call that counts nothing while nothing has changed, however many targets there are', async () => {
  const clock = fakeClock(0)
  const counters = watched()
  const targets = Array.from({ length: 50 }, (_, index) => targetOf('a', `m${index}`))
  const one = processOn(counters, clock, targets)
  const other = processOn(counters, clock, targets)
  for (let round = 0; round < 5; round += 1) await other.exchange()
  expect(counters.asked).toHaveLength(5)

  const [, second = target] = targets
  one.fail(3, second)
  await settled()
  counters.asked.length = 0
  await other.exchange()
  expect(targets.filter((each) => !other.isHealthy(each))).toEqual([second])
  // One look for changes, and fifty targets at sixteen in a call.
  expect(counters.asked).toHaveLength(5)
  expect(counters.asked.every(({ counts }) => counts.length <= 16)).toBe(true)
  await other.exchange()
  expect(counters.asked).toHaveLength(6)
})

it('targets with several operations are looked at once: no call has a name twice', async () => {
  const clock = fakeClock(0)
  const counters = watched()
  const both = [target, { ...target, operation: 'embeddings' as const }]
  const one = processOn(counters, clock, both)
  const other = processOn(counters, clock, both)
  one.fail(3)
  await settled()
  await other.exchange()
  expect(other.isHealthy()).toBe(false)
  for (const { counts } of counters.asked) {
    expect(new Set(counts.map(({ name }) => name)).size).toBe(counts.length)
  }
})

it('counters are of one hour and forgotten after it, and what was learned stays until its time is over', async () => {
  const { clock, counters, one, other } = two(11 * hour - 2000)
  one.fail(3)
  await settled()
  await other.exchange()
  clock.advance(2000)
  await other.exchange()
  expect(other.isHealthy()).toBe(false)
  clock.advance(3000)
  expect(other.isHealthy()).toBe(true)
  one.fail(1)
  await settled()
  await other.exchange()
  expect(other.isHealthy()).toBe(false)

  const names = new Map(
    counters.asked.flatMap(({ counts }) => counts.map((each) => [each.name, each.untilMs])),
  )
  expect(new Set(names.values())).toEqual(new Set([11 * hour, 12 * hour]))
  for (const [name, untilMs] of names) expect(name.endsWith(`@${untilMs - hour}`)).toBe(true)
})

it('a store that has forgotten everything closes nothing', async () => {
  const { counters, one, other } = two()
  one.fail(3)
  await settled()
  await other.exchange()
  counters.forget()
  await other.exchange()
  expect(other.isHealthy()).toBe(false)
})

it('a store out of reach is told of once, left alone for five seconds, and hears afterwards what was not told', async () => {
  const { clock, counters, one, other } = two()
  counters.isDown = true
  one.fail(5)
  await settled()
  expect(one.isHealthy()).toBe(false)
  expect(counters.asked).toHaveLength(1)
  for (let round = 0; round < 4; round += 1) {
    clock.advance(1000)
    await one.exchange()
    one.fail(1)
    await settled()
  }
  expect(counters.asked).toHaveLength(1)
  expect(one.lost).toHaveLength(1)

  counters.isDown = false
  clock.advance(1000)
  await one.exchange()
  await other.exchange()
  expect(other.isHealthy()).toBe(false)
  expect(one.lost).toHaveLength(1)
})

it('a store that never answers holds nothing up', async () => {
  const clock = fakeClock(0)
  let calls = 0
  const never = () => {
    calls += 1
    return new Promise<never>(() => undefined)
  }
  const one = processOn({ take: never, giveBack: never }, clock)
  one.fail(3)
  one.succeed()
  one.fail(500)
  await settled()
  expect(calls).toBe(1)
  expect(one.isHealthy()).toBe(false)
})

it('a time that another clock has put far ahead is no reason to wait for it', async () => {
  const counters = watched()
  const ahead = processOn(counters, fakeClock(10 * hour + 600_000))
  const clock = fakeClock(10 * hour)
  const one = processOn(counters, clock)
  ahead.fail(3)
  await settled()
  await one.exchange()
  expect(one.isHealthy()).toBe(false)
  clock.advance(120_000)
  expect(one.isHealthy()).toBe(true)
})
