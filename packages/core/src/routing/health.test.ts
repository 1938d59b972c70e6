import { describe, expect, it } from 'vitest'
import { exampleTarget } from '../catalog/__fixtures__/example-rows.ts'
import type { Target } from '../catalog/target.ts'
import { fakeClock } from '../clock.ts'
import { createHealth } from './health.ts'

const target = targetOf('a')

function targetOf(providerId: string): Target {
  return exampleTarget({ providerId })
}

function start() {
  const clock = fakeClock(0)
  const changes: string[] = []
  const told: string[] = []
  const health = createHealth({
    clock,
    onCircuit: ({ providerId }, state) => changes.push(`${providerId} ${state}`),
    teller: {
      opened: ({ providerId }, forMs) => told.push(`${providerId} open for ${forMs}`),
      closed: ({ providerId }) => told.push(`${providerId} closed`),
    },
  })
  const fail = (times: number) => {
    for (let time = 0; time < times; time += 1) health.recordFailure(target)
  }
  const succeed = (
    firstTokenMs = 100,
    tokensPerSecond: number | undefined = 50,
    startedMs = clock.monotonicMs(),
  ) => health.recordSuccess(target, { startedMs, firstTokenMs, tokensPerSecond })
  return { clock, changes, told, health, fail, succeed, isHealthy: () => health.stats(target).isHealthy }
}

describe('the circuit of a target', () => {
  it('stays closed after two failures in a row and opens after three, and says so once', () => {
    const { fail, isHealthy, changes } = start()
    expect(isHealthy()).toBe(true)
    fail(2)
    expect(isHealthy()).toBe(true)
    fail(1)
    expect(isHealthy()).toBe(false)
    fail(5)
    expect(changes).toEqual(['a open'])
  })

  it('counts failures in a row only', () => {
    const { fail, succeed, isHealthy, changes } = start()
    fail(2)
    succeed()
    fail(2)
    expect(isHealthy()).toBe(true)
    expect(changes).toEqual([])
  })

  it('lets requests try again after its pause, and not a millisecond before', () => {
    const { clock, fail, isHealthy } = start()
    fail(3)
    clock.advance(4999)
    expect(isHealthy()).toBe(false)
    clock.advance(1)
    expect(isHealthy()).toBe(true)
  })

  it('closes with the first success, and says so once', () => {
    const { clock, fail, succeed, isHealthy, changes } = start()
    fail(3)
    clock.advance(5000)
    succeed()
    succeed()
    expect(isHealthy()).toBe(true)
    expect(changes).toEqual(['a open', 'a closed'])
    fail(2)
    expect(isHealthy()).toBe(true)
  })

  it('is not closed by an answer that was asked for before it opened', () => {
    const { clock, fail, succeed, isHealthy, changes, told, health } = start()
    clock.advance(1000)
    fail(3)
    clock.advance(100)
    succeed(100, 50, 999)
    expect(isHealthy()).toBe(false)
    expect(health.stats(target).firstTokenMs).toBe(100)
    expect(changes).toEqual(['a open'])
    expect(told).toEqual(['a open for 5000'])
    succeed(100, 50, 1000)
    expect(changes).toEqual(['a open', 'a closed'])
    expect(told).toEqual(['a open for 5000', 'a closed'])
  })

  it('pauses twice as long with each further failure, up to two minutes', () => {
    const { clock, fail, isHealthy } = start()
    fail(3)
    for (const pauseMs of [5, 10, 20, 40, 80, 120, 120, 120].map((seconds) => seconds * 1000)) {
      clock.advance(pauseMs - 1)
      expect(isHealthy()).toBe(false)
      clock.advance(1)
      expect(isHealthy()).toBe(true)
      fail(1)
    }
    fail(2000)
    clock.advance(120_000)
    expect(isHealthy()).toBe(true)
  })

  it('is not moved by the wall clock', () => {
    const { clock, fail, isHealthy } = start()
    fail(3)
    clock.set(10 ** 12)
    expect(isHealthy()).toBe(false)
  })

  it('is each target’s own', () => {
    const { health, fail } = start()
    fail(3)
    expect(health.stats(targetOf('b')).isHealthy).toBe(true)
  })
})

describe('what other processes say of a target', () => {
  it('keeps requests away for as long as they say, and is told to nobody again', () => {
    const { clock, health, isHealthy, changes, told } = start()
    health.learnOpen(target, 7000)
    expect(isHealthy()).toBe(false)
    clock.advance(6999)
    expect(isHealthy()).toBe(false)
    clock.advance(1)
    expect(isHealthy()).toBe(true)
    expect(changes).toEqual(['a open'])
    expect(told).toEqual([])
  })

  it('never keeps requests away for more than two minutes, nor for less than was known', () => {
    const { clock, health, isHealthy } = start()
    health.learnOpen(target, 10 ** 9)
    health.learnOpen(target, 1)
    clock.advance(119_999)
    expect(isHealthy()).toBe(false)
    clock.advance(1)
    expect(isHealthy()).toBe(true)
  })

  it('counts as failures of this process: the next one opens the circuit at once, and for longer', () => {
    const { clock, health, fail, isHealthy, told } = start()
    health.learnOpen(target, 1000)
    clock.advance(1000)
    fail(1)
    expect(isHealthy()).toBe(false)
    expect(told).toEqual(['a open for 10000'])
  })

  it('lets requests through again where it has answered others', () => {
    const { health, fail, isHealthy, changes, told } = start()
    fail(3)
    health.learnClosed(target)
    health.learnClosed(target)
    expect(isHealthy()).toBe(true)
    expect(changes).toEqual(['a open', 'a closed'])
    expect(told).toEqual(['a open for 5000'])
  })

  it('ends what this process tells of it, if it answers others but not here, until it answers here', () => {
    const { clock, health, fail, succeed, isHealthy, told } = start()
    fail(3)
    health.learnClosed(target)
    fail(4)
    expect(isHealthy()).toBe(false)
    expect(told).toEqual(['a open for 5000'])
    clock.advance(10_000)
    succeed()
    expect(told).toEqual(['a open for 5000', 'a closed'])
    fail(3)
    expect(told).toEqual(['a open for 5000', 'a closed', 'a open for 5000'])
  })

  it('does not make a process doubt itself that has only heard of the failures', () => {
    const { health, fail, told } = start()
    health.learnOpen(target, 5000)
    health.learnClosed(target)
    fail(3)
    expect(told).toEqual(['a open for 5000'])
  })
})

describe('what was measured of a target', () => {
  it('is unknown before the first answer', () => {
    expect(start().health.stats(target)).toEqual({
      isHealthy: true,
      firstTokenMs: undefined,
      tokensPerSecond: undefined,
    })
  })

  it('is the first sample, then moves by three tenths towards each new one', () => {
    const { health, succeed } = start()
    succeed(100, 50)
    expect(health.stats(target)).toMatchObject({ firstTokenMs: 100, tokensPerSecond: 50 })
    succeed(200, 150)
    expect(health.stats(target)).toMatchObject({ firstTokenMs: 130, tokensPerSecond: 80 })
  })

  it('keeps the throughput when an answer was too short to tell', () => {
    const { health } = start()
    health.recordSuccess(target, { startedMs: 0, firstTokenMs: 100, tokensPerSecond: 50 })
    health.recordSuccess(target, { startedMs: 0, firstTokenMs: 100, tokensPerSecond: undefined })
    expect(health.stats(target).tokensPerSecond).toBe(50)
  })

  it('is unknown again five minutes after the last sample, so that it is tried again', () => {
    const { clock, health, succeed } = start()
    succeed()
    clock.advance(299_999)
    expect(health.stats(target).firstTokenMs).toBe(100)
    clock.advance(1)
    expect(health.stats(target)).toMatchObject({ firstTokenMs: undefined, tokensPerSecond: undefined })
  })

  it('begins anew after that: what was true before says nothing about now', () => {
    const { clock, health, succeed } = start()
    succeed(10_000, 1)
    clock.advance(300_000)
    succeed(100, 50)
    expect(health.stats(target)).toMatchObject({ firstTokenMs: 100, tokensPerSecond: 50 })
  })

  it('is not forgotten because of a failure', () => {
    const { health, succeed, fail } = start()
    succeed()
    fail(3)
    expect(health.stats(target)).toEqual({ isHealthy: false, firstTokenMs: 100, tokensPerSecond: 50 })
  })
})
