import { describe, expect, it } from 'vitest'
import { type Interruption, playSmallScope, type SmallScope, type SmallScopeReport } from './small-scope.ts'

/** A request is over after fewer steps than this. */
const stepsMax = 40

describe('two requests on one account, interrupted between any two of their steps', () => {
  it.each<[Interruption, string]>([
    ['crash', 'the process dies (failures 3, 5, 16)'],
    ['crash, last write lost', 'the process dies, and its last write with it (failures 3, 5, 16)'],
    ['store reply lost', 'nobody hears that a write was applied (failures 5, 16)'],
    ['store request lost', 'nobody hears that a write was lost (failures 3, 5)'],
  ])(
    '%s: are charged exactly once, and leave no hold, when %s',
    { timeout: 300_000 },
    async (interruption) => {
      const runs = await playAll(interruption, everyStep)
      expect(runs).toBeGreaterThan(500)
    },
  )

  it.each<[Interruption, string]>([
    ['store write late', 'a write is applied after it was given up (failure 16)'],
    ['store unavailable', 'the store refuses once (failure 5)'],
    ['caller leaves', 'the caller leaves (failures 3, 8)'],
    ['close', 'the process is shut down in good order (failure 19)'],
    ['month end', 'the month ends'],
    ['clock back', 'the store’s clock goes back'],
  ])(
    '%s: are charged exactly once, and leave no hold, when %s',
    { timeout: 300_000 },
    async (interruption) => {
      const runs = await playAll(interruption, [0, 5, stepsMax])
      expect(runs).toBeGreaterThan(100)
    },
  )

  it('connection reset: are charged for what was served when a connection breaks (failure 3)', async () => {
    await playAll('connection reset', [0, 5, stepsMax], ['booked: failed attempt'])
  })
})

const everyStep = Array.from({ length: stepsMax }, (_, steps) => steps)

/** Streams and whole answers, on one process and on two, with credit for both requests and for one only. */
const shapes = [false, true].flatMap((isStream) => [
  { isStream, isApart: false, isShort: false },
  { isStream, isApart: true, isShort: false },
  { isStream, isApart: true, isShort: true },
])

/** Plays all runs of one interruption, and gives how many there were. */
async function playAll(
  interruption: Interruption,
  otherStepsToTry: readonly number[],
  allowed: readonly string[] = [],
): Promise<number> {
  let runs = 0
  for (const shape of shapes) {
    for (let steps = 0; ; steps += 1) {
      const reports = await playRow({ interruption, ...shape, steps }, otherStepsToTry)
      for (const { counts } of reports) {
        expect(unexact.filter((what) => counts.has(what) && !allowed.includes(what))).toEqual([])
      }
      runs += reports.length
      if (reports.every(({ wasOver }) => wasOver)) break
      expect(steps).toBeLessThan(stepsMax)
    }
  }
  return runs
}

/** The provider tells everything, so that nothing is ever booked but exactly. */
const unexact = ['booked: estimate', 'booked: list price', 'booked: failed attempt', 'booked: never told']

/** One request stopped at one step, the other at each of these until it is over. */
async function playRow(
  scope: Omit<SmallScope, 'otherSteps'>,
  otherStepsToTry: readonly number[],
): Promise<readonly SmallScopeReport[]> {
  const reports: SmallScopeReport[] = []
  for (const otherSteps of otherStepsToTry) {
    const report = await playSmallScope({ ...scope, otherSteps }).catch((cause: unknown) => {
      throw new Error(`${JSON.stringify({ ...scope, otherSteps })} found something wrong: ${cause}`, {
        cause,
      })
    })
    reports.push(report)
    if (report.wasOtherOver) break
  }
  return reports
}
