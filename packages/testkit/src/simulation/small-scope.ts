import { type Gateway, nano, usd } from '@farebox/core'
import type { Asking, Ending, Question } from './caller.ts'
import { type FaultKind, faultsOf } from './faults.ts'
import { createHost } from './host.ts'
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

/**
 * What goes on beside the request: another request, the same one with the same idempotency key on another process, or an
 * operation of the host on a process of its own.
 */
export const companions = ['request', 'repeat', 'grant', 'configure', 'void', 'adjust', 'refund'] as const

export type Companion = (typeof companions)[number]

/** One run: a request and a companion on one account, stopped at one moment each, and an interruption at that moment. */
export interface SmallScope {
  readonly interruption: Interruption
  readonly companion: Companion
  readonly isStream: boolean
  /** Whether another request is on a process of its own. */
  readonly isApart: boolean
  /** Whether the account can pay for one of two requests only. */
  readonly isShort: boolean
  /** How wrong the clock of the companion's process is. @default 0 */
  readonly skewMs?: number
  /** How many steps the request and its companion have taken when it happens. */
  readonly steps: number
  readonly companionSteps: number
}

/** What a run came to. */
export interface SmallScopeReport {
  /** Whether there was nothing left to interrupt: the request was over after fewer steps. */
  readonly wasOver: boolean
  readonly wasCompanionOver: boolean
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
  let flow: Flow | undefined
  const isApart = scope.isApart || scope.companion !== 'request'
  const simulation = createSimulation({
    random: seededRandom(1),
    faults: (onFault) => faultsOf((kind) => armed.delete(kind), onFault),
    startMs: Date.UTC(2026, 10, 10, 12),
    processes: isApart ? 2 : 1,
    hasDocuments: scope.companion === 'repeat',
    choose: (tasks) => earliest(flow === undefined ? tasks : tasks.filter(flow)),
    ...options,
  })
  const { world, processes, watch, step } = simulation
  for (const process of processes) process.start(process === processes[0] ? 0 : (scope.skewMs ?? 0))
  await prepare(simulation, scope)

  /** Takes so many steps of one flow, and of nothing else. Gives whether it was over before. */
  const advance = async (only: Flow, steps: number): Promise<boolean> => {
    flow = only
    let taken = 0
    while (taken < steps && world.scheduler.tasks.some(only)) {
      await step()
      taken += 1
    }
    flow = undefined
    return taken < steps
  }

  const question = questionOf(scope)
  const asking = simulation.ask(runningOf(processes[0]), question)
  const companion = accompany(simulation, scope)
  const answered = asking.ending.then((ending) => insist(simulation, ending, question))
  let isOver = false
  watch(
    Promise.all([answered, companion.work]).then(() => {
      isOver = true
    }),
  )
  // Both come as far as their first message.
  await settled()
  // A key is looked up before there is a request: with one, everything of the process is a step.
  const flowName = question.key === undefined ? asking.requestId : runningOf(processes[0]).life.name
  const wasOver = await advance(stepsOf(flowName), scope.steps)
  const wasCompanionOver = await advance(companion.flow, scope.companionSteps)
  world.log(() => `here: ${scope.interruption}`)
  interrupt(scope.interruption, simulation, asking, armed)
  while (!isOver && (await step()) !== undefined);
  armed.clear()
  await rest(simulation)
  await judge(simulation)
  return { wasOver, wasCompanionOver, counts: world.counts }
}

/** Whether a task is a step of something. */
type Flow = (task: Task) => boolean

/** What something waits for, but for timers and time limits, which are seconds away. */
function stepsOf(name: string): Flow {
  return ({ label, delayMs }) => label.includes(name) && !label.endsWith('timer') && delayMs < 1_000
}

/** Begins what goes on beside the request. */
function accompany(
  simulation: Simulation,
  scope: SmallScope,
): { readonly work: Promise<unknown>; readonly flow: Flow } {
  const { world, processes, requestIds, ask } = simulation
  const { companion } = scope
  const other = processes.at(-1)
  if (companion === 'request' || companion === 'repeat') {
    const question = companion === 'repeat' ? questionOf(scope) : questionOf({ companion, isStream: false })
    const { requestId, ending } = ask(runningOf(other), question)
    const work = ending.then((first) => insist(simulation, first, question))
    const { name } = runningOf(other).life
    return { work, flow: stepsOf(companion === 'repeat' ? name : requestId) }
  }
  const { name } = runningOf(other).life
  const host = createHost(world, processes.slice(-1))
  const [requestId = ''] = requestIds
  const work = host.insist(companion, ({ gateway }) => deeds[companion](gateway, requestId))
  return { work, flow: stepsOf(`${name} store`) }
}

/** Whoever has a key asks until there is an answer: at once, and when nothing of the first try can be charged any more. */
async function insist(
  { world, processes, ask }: Simulation,
  first: Ending,
  question: Question,
): Promise<void> {
  let ending = first
  for (const delayMs of [1, 40 * 60_000]) {
    if (question.key === undefined || ending.kind === 'whole') return
    await world.scheduler.pause(delayMs, world.nature, 'a caller asks again')
    const running = processes.flatMap((process) => process.running ?? []).at(-1)
    if (running === undefined) return
    ending = await ask(running, question).ending
  }
}

const byHand = { accountId: 'alice', opId: 'o1', actor: 'support', reason: 'simulated' } as const

const deeds: Readonly<
  Record<Exclude<Companion, 'request' | 'repeat'>, (gateway: Gateway, requestId: string) => Promise<unknown>>
> = {
  grant: ({ credits }) => credits.grant({ accountId: 'alice', grantId: 'g2', amount: usd('0.01') }),
  configure: ({ accounts }) => accounts.configure({ accountId: 'alice', planId: 'team', seats: 3 }),
  void: ({ credits }) => credits.void({ ...byHand, grantId: 'g1' }),
  adjust: ({ credits }) => credits.adjust({ ...byHand, amount: nano(-20_000_000n) }),
  refund: ({ credits }, requestId) =>
    credits.refund({ ...byHand, requestId, attemptId: `${requestId}.1`, expiredCredit: 'courtesy' }),
}

function questionOf({ isStream, companion }: Pick<SmallScope, 'isStream' | 'companion'>): Question {
  return {
    accountId: 'alice',
    member: undefined,
    model: 'sim/telling',
    isStream,
    outputMax: 60,
    leavesAt: undefined,
    key: companion === 'repeat' ? 'key' : undefined,
  }
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

/** Gives alice credit for two requests, or for one only, and something to refund. Waits until all is there. */
async function prepare({ watch, ask, step, processes }: Simulation, scope: SmallScope): Promise<void> {
  const running = runningOf(processes[0])
  const { accounts, credits } = running.gateway
  const get = async (): Promise<void> => {
    await credits.grant({ accountId: 'alice', grantId: 'g1', amount: nano(30_000_000n) })
    // Included credit expires as the month ends; what was bought does not.
    if (!scope.isShort) await accounts.configure({ accountId: 'alice', planId: 'free' })
    if (scope.companion === 'refund') await ask(running, questionOf({ ...scope, isStream: false })).ending
  }
  let isReady = false
  watch(
    get().then(() => {
      isReady = true
    }),
  )
  while (!isReady) await step()
}

function runningOf(process: Process | undefined): Running {
  if (process?.running === undefined) throw new Error('The process does not run.')
  return process.running
}
