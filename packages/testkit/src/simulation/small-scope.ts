import { nano } from '@farebox/core'
import type { Asking } from './caller.ts'
import { type FaultKind, faultsOf } from './faults.ts'
import type { Process, Running } from './process.ts'
import { seededRandom } from './random.ts'
import { earliest, settled, type Task } from './scheduler.ts'
import { type Breakage, createSimulation, type Simulation } from './simulation.ts'
import { judge, rest } from './verdict.ts'

/** What happens between two steps of a request. */
export const interruptions = [
  /** Its process dies, and what it has sent to the store arrives. */
  'crash',
  /** Its process dies, and what it has sent dies with it. */
  'crash, last write lost',
  /** The next write is applied, and nobody hears of it. */
  'store reply lost',
  /** The next write never arrives, and nobody hears of it. */
  'store request lost',
  'store write late',
  'store unavailable',
  'caller leaves',
  'connection reset',
  /** Its process is shut down in good order. */
  'close',
  'month end',
  'clock back',
] as const

export type Interruption = (typeof interruptions)[number]

/** One run: two requests on one account, stopped at one moment each, and an interruption at that moment. */
export interface SmallScope {
  readonly interruption: Interruption
  readonly isStream: boolean
  /** Whether the other request is on a process of its own. */
  readonly isApart: boolean
  /** Whether the account can pay for one of the requests only. */
  readonly isShort: boolean
  /** How many steps each of the requests has taken when it happens. */
  readonly steps: number
  readonly otherSteps: number
}

/** What a run came to. */
export interface SmallScopeReport {
  /** Whether there was nothing left to interrupt: the request was over after fewer steps. */
  readonly wasOver: boolean
  readonly wasOtherOver: boolean
  readonly counts: ReadonlyMap<string, number>
}

/**
 * Plays a run of the small scope.
 *
 * @throws AssertionError as a whole simulation does.
 */
export async function playSmallScope(
  scope: SmallScope,
  options: { readonly breakage?: Breakage; readonly onLine?: (line: string) => void } = {},
): Promise<SmallScopeReport> {
  const armed = new Set<FaultKind>()
  let flow: string | undefined
  const simulation = createSimulation({
    random: seededRandom(1),
    faults: (onFault) => faultsOf((kind) => armed.delete(kind), onFault),
    startMs: Date.UTC(2026, 10, 10, 12),
    processes: scope.isApart ? 2 : 1,
    choose: (tasks) => earliest(flow === undefined ? tasks : stepsOf(tasks, flow)),
    ...options,
  })
  const { world, processes, watch, ask, step } = simulation
  for (const process of processes) process.start()
  await prepare(simulation, runningOf(processes[0]), scope.isShort)

  const begin = (process: Process | undefined, isStream: boolean): Asking => {
    const question = {
      accountId: 'alice',
      model: 'sim/telling',
      isStream,
      outputMax: 60,
      leavesAt: undefined,
    }
    return ask(runningOf(process), question)
  }
  /** Takes so many steps of one request, and of nothing else. Gives whether it was over before. */
  const advance = async ({ requestId }: Asking, steps: number): Promise<boolean> => {
    flow = requestId
    let taken = 0
    while (taken < steps && stepsOf(world.scheduler.tasks, requestId).length > 0) {
      await step()
      taken += 1
    }
    flow = undefined
    return taken < steps
  }

  const asking = begin(processes[0], scope.isStream)
  const other = begin(processes.at(-1), false)
  // Both come as far as their first message.
  await settled()
  let isOver = false
  watch(
    Promise.all([asking.ending, other.ending]).then(() => {
      isOver = true
    }),
  )
  const wasOver = await advance(asking, scope.steps)
  const wasOtherOver = await advance(other, scope.otherSteps)
  world.log(() => `here: ${scope.interruption}`)
  interrupt(scope.interruption, simulation, asking, armed)
  while (!isOver && (await step()) !== undefined);
  armed.clear()
  await rest(simulation)
  await judge(simulation)
  return { wasOver, wasOtherOver, counts: world.counts }
}

function interrupt(
  interruption: Interruption,
  { world, processes }: Simulation,
  asking: Asking,
  armed: Set<FaultKind>,
): void {
  switch (interruption) {
    case 'crash, last write lost':
      armed.add('last write lost')
      processes[0]?.crash()
      return
    case 'crash':
      processes[0]?.crash()
      return
    case 'close':
      processes[0]?.close()
      return
    case 'caller leaves':
      asking.leave()
      return
    case 'month end':
      world.setWall(Date.UTC(2026, 11, 1))
      return
    case 'clock back':
      world.setWall(world.wallMs() - 3_600_000)
      return
    default:
      armed.add(interruption)
  }
}

/** Gives alice credit for both requests, or for one only, and waits until it is there. */
async function prepare({ watch, step }: Simulation, { gateway }: Running, isShort: boolean): Promise<void> {
  let isReady = false
  const amount = nano(isShort ? 30_000_000n : 1_000_000_000n)
  watch(
    gateway.credits.grant({ accountId: 'alice', grantId: 'g1', amount }).then(() => {
      isReady = true
    }),
  )
  while (!isReady) await step()
}

function runningOf(process: Process | undefined): Running {
  if (process?.running === undefined) throw new Error('The process does not run.')
  return process.running
}

/** What a request waits for, but for its time limits, which are seconds away. */
function stepsOf(tasks: readonly Task[], requestId: string): readonly Task[] {
  return tasks.filter(({ label, delayMs }) => label.startsWith(requestId) && delayMs < 1_000)
}
