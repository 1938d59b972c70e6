import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type OpenedStorage, openStorage, type StorePlace } from './store-place.ts'
import { runTask, type Task } from './task.ts'

/** A process that does one task after the other, each on a store that it opens for it. */
export interface Worker {
  /** What it has written about its last task so far. */
  readonly lines: readonly string[]
  /** Resolves when it has the store open and only waits to begin. */
  prepare(address: string, task: Task): Promise<void>
  begin(): void
  /** Resolves when it has written so many lines. @throws Error when it ends before. */
  reached(count: number): Promise<void>
  /** Resolves when its task is done. @throws Error when it could not be. */
  finished(): Promise<void>
  /** Ends it at once, wherever it is, and resolves when all it had written is read. */
  kill(): Promise<void>
}

/** What a worker is told, as a line of JSON; then an empty line to begin. */
export interface Job {
  readonly module: string
  readonly address: string
  readonly task: Task
}

/** What a worker writes besides its results. */
export const signals = { ready: 'ready', done: 'done' } as const

// Plain Node knows no TypeScript: the built program runs, also when this file is read from its source.
const program = fileURLToPath(new URL('../../dist/load/worker.js', import.meta.url))

/** Starts so many processes. A store that only one process can see gets workers in this one, which cannot be killed. */
export function startWorkers({ module, isShared }: StorePlace, count: number): readonly Worker[] {
  return Array.from({ length: count }, () => (isShared ? startProcess(module) : startHere(module)))
}

export async function stopWorkers(workers: readonly Worker[]): Promise<void> {
  await Promise.all(workers.map((worker) => worker.kill()))
}

/** Gives each worker a task, lets all begin at once, and gives what each wrote when all are done. */
export async function runTogether(
  workers: readonly Worker[],
  address: string,
  tasks: readonly Task[],
): Promise<readonly (readonly string[])[]> {
  const busy = tasks.map((task, index) => ({ task, worker: workers[index] as Worker }))
  await Promise.all(busy.map(({ worker, task }) => worker.prepare(address, task)))
  for (const { worker } of busy) worker.begin()
  await Promise.all(busy.map(({ worker }) => worker.finished()))
  return busy.map(({ worker }) => worker.lines)
}

function startProcess(module: URL): Worker {
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
  // Whoever was killed cannot be told anything.
  child.stdin.on('error', () => undefined)
  const reader = createInterface(child.stdout)
  let lines: string[] = []
  let isReady = false
  let isDone = false
  let isOver = false
  let onChange = (): void => {}
  // The last lines may come after the process is gone.
  const ended = Promise.all([once(child, 'close'), once(reader, 'close')]).then(() => {
    isOver = true
    onChange()
  })
  reader.on('line', (line) => {
    if (line === signals.ready) isReady = true
    else if (line === signals.done) isDone = true
    else lines.push(line)
    onChange()
  })
  const until = async (isThere: () => boolean): Promise<void> => {
    while (!isThere()) {
      if (isOver) throw new Error('A worker ended before its time.')
      await new Promise<void>((resolve) => {
        onChange = resolve
      })
    }
  }
  return {
    get lines() {
      return lines
    },
    async prepare(address, task) {
      lines = []
      isReady = false
      isDone = false
      const job: Job = { module: module.href, address, task }
      child.stdin.write(`${JSON.stringify(job)}\n`)
      await until(() => isReady)
    },
    begin: () => void child.stdin.write('\n'),
    reached: (count) => until(() => lines.length >= count),
    finished: () => until(() => isDone),
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

function startHere(module: URL): Worker {
  let lines: string[] = []
  let prepared: { readonly opened: OpenedStorage; readonly task: Task } | undefined
  let running: Promise<void> = Promise.resolve()
  return {
    get lines() {
      return lines
    },
    async prepare(address, task) {
      lines = []
      prepared = { opened: await openStorage(module, address), task }
    },
    begin() {
      if (prepared === undefined) return
      const { opened, task } = prepared
      running = runTask(task, opened, (line) => lines.push(line)).then(() => opened.close())
      // Whoever waits for it hears of it.
      running.catch(() => undefined)
    },
    async reached(count) {
      while (lines.length < count) await new Promise((resolve) => setImmediate(resolve))
    },
    finished: () => running,
    kill: () => running,
  }
}
