import type { Ending, Question } from './caller.ts'
import { drawFaults } from './faults.ts'
import { createHost, type Host } from './host.ts'
import type { Process } from './process.ts'
import { seededRandom } from './random.ts'
import { drawScenario, type Wish } from './scenario.ts'
import { type Breakage, createSimulation, type Simulation } from './simulation.ts'
import { judge, rest } from './verdict.ts'

export interface SimulationOptions {
  /** Whether every plan leases, and the account is busy enough for it. @default false */
  readonly hasLeases?: boolean | undefined
  readonly breakage?: Breakage | undefined
  /** Gets every line of the log, as it is written. */
  readonly onLine?: ((line: string) => void) | undefined
}

/** What a run came to. */
export interface SimulationReport {
  readonly seed: number
  readonly steps: number
  /** How often each thing happened: faults, endings, explanations. */
  readonly counts: ReadonlyMap<string, number>
}

/** A run that found something wrong, with the log of it. */
export class SimulationError extends Error {
  override readonly name: string = 'SimulationError'
  readonly seed: number
  /** Every decision, message, write and event, in order. */
  readonly lines: readonly string[]
  constructor(seed: number, cause: unknown, lines: readonly string[]) {
    const what = cause instanceof Error ? cause.message : String(cause)
    super(`Seed ${seed} found something wrong: ${what}\nIts last steps:\n${lines.slice(-40).join('\n')}`, {
      cause,
    })
    this.seed = seed
    this.lines = lines
  }
}

/** Trouble goes on for at most so many steps, and so many milliseconds after the last wish. */
const troubleStepsMax = 3_000
const troubleMs = 60_000

/**
 * One run: a short history with faults, then a rest without any. It is a function of its seed: the same seed does the same,
 * step by step, so that a failure is simply played again to get its log.
 *
 * @throws SimulationError when money is not conserved, a hold is never resolved, or the books are not what the providers
 * charge.
 */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<SimulationReport> {
  const lines: string[] = []
  const onLine = (line: string): void => {
    lines.push(line)
    options.onLine?.(line)
  }
  // A log makes a run half again as long: only those keep one from the start that are watched.
  const isWatched = options.onLine !== undefined
  try {
    return await play(seed, isWatched ? { ...options, onLine } : options)
  } catch (cause) {
    if (isWatched) throw new SimulationError(seed, cause, lines)
    const again = await play(seed, { ...options, onLine }).then(
      () => new Error('It went well the second time: the run is not a function of its seed.', { cause }),
      (second: unknown) => second,
    )
    throw new SimulationError(seed, again, lines)
  }
}

async function play(seed: number, options: SimulationOptions): Promise<SimulationReport> {
  const random = seededRandom(seed)
  const { hasLeases } = options
  const scenario = drawScenario(random, hasLeases)
  const simulation = createSimulation({
    random,
    faults: (onFault) => drawFaults(random, onFault),
    startMs: scenario.startMs,
    processes: scenario.processes,
    lateTerms: scenario.lateTerms,
    hasLeases,
    breakage: options.breakage,
    onLine: options.onLine,
  })
  const { world, processes } = simulation
  for (const process of processes) process.start()
  const host = createHost(world, processes)
  let open = scenario.wishes.length
  for (const wish of scenario.wishes) {
    world.scheduler.after(wish.atMs, world.nature, `somebody wants to ${wish.label}`, () => {
      simulation.watch(
        fulfil(wish, simulation, host).then(() => {
          open -= 1
        }),
      )
    })
  }
  const untilMs = Math.max(...scenario.wishes.map(({ atMs }) => atMs)) + troubleMs
  let steps = 0
  while (open > 0 && steps < troubleStepsMax && world.scheduler.elapsedMs < untilMs) {
    disturb(simulation)
    await simulation.step()
    steps += 1
  }
  await rest(simulation)
  await judge(simulation)
  return { seed, steps, counts: world.counts }
}

async function fulfil(wish: Wish, { world, ask, requestIds }: Simulation, host: Host): Promise<void> {
  // A host whose own queue delivers at least once sends some things twice, and to another process.
  const times = world.faults.happens('host repeats') ? 2 : 1
  if (wish.kind === 'ask') {
    const callers = wish.question.key === undefined ? 1 : times
    await Promise.all(Array.from({ length: callers }, () => askPatiently(wish.question)))
    return
  }
  const work = Array.from({ length: times }, () =>
    host.insist(wish.label, ({ gateway }) => wish.run({ gateway, requestIds })),
  )
  for (const outcome of await Promise.all(work)) world.count(`deed: ${outcome}`)

  /** Asks, and with a key again and again until there is an answer, or it seems hopeless. */
  async function askPatiently(question: Question): Promise<void> {
    for (let tries = 1; tries <= triesMax; tries += 1) {
      const ending = await ask(await host.anyRunning(), question).ending
      if (question.key === undefined || !isOpen(ending)) return
      await world.scheduler.pause(world.random.pick([1, 300, 5_000]), world.nature, 'a caller asks again')
    }
  }
}

/** How often a caller with a key asks before it gives up. */
const triesMax = 4

/** Whether a caller does not know what came of it. */
function isOpen({ kind, code = '' }: Ending): boolean {
  return kind === 'left' || kind === 'cut off' || openCodes.includes(code)
}

const openCodes = [
  'store_unavailable',
  'gateway_closed',
  'idempotency_key_in_use',
  'provider_failed',
  'failed',
]

/** What can go wrong between any two steps. */
function disturb({ world, processes }: Simulation): void {
  const { faults, random, scheduler, nature } = world
  const running = processes.filter((process) => process.running !== undefined)
  if (running.length > 0 && faults.happens('process crash')) {
    const process = random.pick(running)
    process.crash()
    startLater(process)
  }
  if (running.length > 0 && faults.happens('process close')) {
    const process = random.pick(running)
    process.running?.onEnd(() => startLater(process))
    process.close()
  }
  if (faults.happens('clock back')) world.setWall(world.wallMs() - random.pick(jumpsMs))
  if (faults.happens('clock ahead')) world.setWall(world.wallMs() + random.pick(jumpsMs))
  if (faults.happens('clock month end')) {
    const date = new Date(world.wallMs())
    world.setWall(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1) + random.between(-2, 1))
  }

  function startLater(process: Process): void {
    const delayMs = random.pick([10, 1_000, 30_000])
    scheduler.after(delayMs, nature, `${process.name} is started again`, () => {
      if (process.running === undefined) process.start()
    })
  }
}

const jumpsMs = [1_000, 60_000, 3_600_000, 40 * 24 * 3_600_000]
