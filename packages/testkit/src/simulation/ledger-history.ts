import { memoryStorage } from '@farebox/core'
import { checkInvariants } from '../ledger/check-invariants.ts'
import { drawRequest } from '../ledger/history/draw-request.ts'
import { type Operation, recordHistory } from '../ledger/history/record.ts'
import { checkRecorded, isOutOfReach } from '../ledger/history/run.ts'
import { casePlans, caseStartMs } from '../ledger/ledger-case.ts'
import { drawFaults } from './faults.ts'
import { seededRandom } from './random.ts'
import { remoteStore } from './remote-store.ts'
import type { Life } from './scheduler.ts'
import { SimulationError, type SimulationOptions } from './simulate.ts'
import { clockOf, createWorld, type World } from './world.ts'

/** What a simulated history came to. */
export interface HistoryReport {
  readonly operations: readonly Operation[]
  readonly counts: ReadonlyMap<string, number>
}

/**
 * A history of callers who work on one account over a network that loses, delays and doubles messages, who die in the middle
 * of it, and under a clock that jumps; checked for an order that explains every answer. A function of its seed.
 *
 * @throws SimulationError when there is no such order, or money is not conserved.
 */
export async function simulateHistory(seed: number, options: SimulationOptions = {}): Promise<HistoryReport> {
  const random = seededRandom(seed)
  const lines: string[] = []
  const world = createWorld({
    random,
    faults: (onFault) => drawFaults(random, onFault),
    startMs: caseStartMs,
    onLine(line) {
      lines.push(line)
      options.onLine?.(line)
    },
  })
  const clock = clockOf(world, world.nature, 0)
  const memory = memoryStorage({ clock })
  const inner = options.breakage?.store?.(memory.ledger) ?? memory.ledger
  const recorder = recordHistory({ plans: casePlans, clock, isUnknown: isOutOfReach })
  const failures: unknown[] = []
  for (let caller = random.between(2, 4); caller > 0; caller -= 1) {
    work(`c${caller}`, random.between(1, 5)).catch((error: unknown) => failures.push(error))
  }

  /** Asks one thing after the other. Who dies begins a new life, and does not know how the last thing ended. */
  async function work(name: string, requests: number): Promise<void> {
    for (let request = 1; request <= requests; request += 1) {
      const life: Life = { name: `${name}.${request}`, isOver: false }
      const store = remoteStore({ world, life, inner, onDecision: undefined })
      await world.scheduler.pause(random.below(20), world.nature, `${name} begins`)
      const asked = drawRequest(random)
      world.log(() => `${life.name} asks for ${asked.do}`)
      const death = new Promise<void>((resolve) => {
        if (world.faults.happens('process crash')) {
          world.scheduler.after(random.below(20), world.nature, `${life.name} dies`, () => {
            life.isOver = true
            resolve()
          })
        }
      })
      await Promise.race([recorder.run(store, asked), death])
    }
  }

  try {
    while ((await world.scheduler.step()) !== undefined) {
      if (failures.length > 0) throw failures[0]
      disturb(world)
    }
    world.faults.heal()
    await checkInvariants({ ledger: inner }, 'alice', casePlans)
    await checkRecorded(recorder, inner, casePlans)
  } catch (cause) {
    throw new SimulationError(seed, cause, lines)
  }
  return { operations: recorder.operations, counts: world.counts }
}

function disturb({ faults, random, wallMs, setWall }: World): void {
  if (faults.happens('clock back')) setWall(wallMs() - random.pick([1_000, 60_000, 3_600_000]))
  if (faults.happens('clock ahead'))
    setWall(wallMs() + random.pick([1_000, 31_000, 32 * 60_000, 40 * 86_400_000]))
  if (faults.happens('clock month end')) {
    const date = new Date(wallMs())
    setWall(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1) + random.between(-2, 1))
  }
}
