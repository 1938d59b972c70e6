import { describe, expect, it } from 'vitest'
import {
  type Companion,
  companions,
  type Interruption,
  playSmallScope,
  type SmallScope,
  type SmallScopeReport,
} from './small-scope.ts'

/** Everything is over after fewer steps than this. */
const stepsMax = 40
const everyStep = Array.from({ length: stepsMax }, (_, steps) => steps)
const someSteps = [0, 5, stepsMax]
const deeds = companions.filter((companion) => companion !== 'request' && companion !== 'repeat')

describe('two requests on one account, interrupted between any two of their steps', {
  timeout: 300_000,
}, () => {
  it.each<[Interruption, string]>([
    ['crash', 'the process dies (failures 3, 5, 16)'],
    ['crash, last write lost', 'the process dies, and its last write with it (failures 3, 5, 16)'],
    ['store reply lost', 'nobody hears that a write was applied (failures 5, 16)'],
    ['store request lost', 'nobody hears that a write was lost (failures 3, 5)'],
  ])('%s: are charged exactly once, and leave no hold, when %s', async (interruption) => {
    expect(await playAll(interruption, 'request', everyStep)).toBeGreaterThan(500)
  })

  it.each<[Interruption, string]>([
    ['store write late', 'a write is applied after it was given up (failure 16)'],
    ['store unavailable', 'the store refuses once (failure 5)'],
    ['caller leaves', 'the caller leaves (failures 3, 8)'],
    ['close', 'the process is shut down in good order (failure 19)'],
    ['month end', 'the month ends'],
    ['clock back', 'the store’s clock goes back'],
  ])('%s: are charged exactly once, and leave no hold, when %s', async (interruption) => {
    expect(await playAll(interruption, 'request', someSteps)).toBeGreaterThan(100)
  })

  it('connection reset: are charged for what was served when a connection breaks (failure 3)', async () => {
    await playAll('connection reset', 'request', someSteps, ['booked: failed attempt'])
  })
})

describe('a request beside an operation of the host, interrupted between any two of their steps', {
  timeout: 300_000,
}, () => {
  it.each(deeds)('%s: both take effect once when the month ends', async (companion) => {
    expect(await playAll('month end', companion, everyStep)).toBeGreaterThan(80)
  })

  it.each(deeds)(
    '%s: both take effect once when nobody hears that a write was applied (failure 16)',
    async (companion) => {
      expect(await playAll('store reply lost', companion, everyStep)).toBeGreaterThan(80)
    },
  )
})

describe('a request and its repeat with the same key on another process', { timeout: 300_000 }, () => {
  it.each<Interruption>([
    'crash',
    'crash, last write lost',
    'store reply lost',
    'store request lost',
    'close',
    'caller leaves',
  ])(
    '%s: are charged once and answered in one way, whatever happens between any two of their steps (failure 16)',
    async (interruption) => {
      expect(await playAll(interruption, 'repeat', [0, 3, stepsMax])).toBeGreaterThan(50)
    },
  )

  it.each([-86_400_000, 86_400_000])(
    'are charged once and answered in one way when a clock is wrong by %i ms (failure 16)',
    async (skewMs) => {
      expect(await playAll('clock back', 'repeat', everyStep, [], skewMs)).toBeGreaterThan(100)
    },
  )
})

/** Streams and whole answers, on one process and on two, with credit for both requests and for one only. */
function shapesOf(
  companion: Companion,
  interruption: Interruption,
): readonly Pick<SmallScope, 'isStream' | 'isApart' | 'isShort'>[] {
  if (companion !== 'request') return [{ isStream: true, isApart: true, isShort: false }]
  return [false, true].flatMap((isStream) => [
    { isStream, isApart: false, isShort: false },
    { isStream, isApart: true, isShort: false },
    ...(interruption === 'crash' ? [{ isStream, isApart: true, isShort: true }] : []),
  ])
}

/** Plays all runs of one interruption, and gives how many there were. */
async function playAll(
  interruption: Interruption,
  companion: Companion,
  companionStepsToTry: readonly number[],
  allowed: readonly string[] = [],
  skewMs = 0,
): Promise<number> {
  let runs = 0
  for (const shape of shapesOf(companion, interruption)) {
    for (let steps = 0; ; steps += 1) {
      const reports = await playRow({ interruption, companion, skewMs, ...shape, steps }, companionStepsToTry)
      for (const { counts } of reports) {
        expect(unexact.filter((what) => counts.has(what) && !allowed.includes(what))).toEqual([])
        const entry = entries[companion]
        if (entry !== undefined) expect(counts.get(entry), entry).toBe(1)
      }
      runs += reports.length
      if (reports.every(({ wasOver }) => wasOver)) break
      expect(steps).toBeLessThan(stepsMax)
    }
  }
  return runs
}

/** What a companion books. */
const entries: Readonly<Partial<Record<Companion, string>>> = {
  void: 'entry: voided',
  adjust: 'entry: adjusted',
  refund: 'entry: refunded',
}

/** The provider tells everything, so that nothing is ever booked but exactly. */
const unexact = ['booked: estimate', 'booked: list price', 'booked: failed attempt', 'booked: never told']

/** The request stopped at one step, its companion at each of these until it is over. */
async function playRow(
  scope: Omit<SmallScope, 'companionSteps'>,
  companionStepsToTry: readonly number[],
): Promise<readonly SmallScopeReport[]> {
  const reports: SmallScopeReport[] = []
  for (const companionSteps of companionStepsToTry) {
    const report = await playSmallScope({ ...scope, companionSteps }).catch((cause: unknown) => {
      const name = JSON.stringify({ ...scope, companionSteps })
      throw new Error(`${name} found something wrong: ${cause}`, { cause })
    })
    reports.push(report)
    if (report.wasCompanionOver) break
  }
  return reports
}
