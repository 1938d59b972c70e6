import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { openStorage, type StorePlace } from './store-place.ts'
import { runTask, type Task } from './task.ts'

/** A process that does one task on a store. */
export interface Worker {
  /** What it has written so far. */
  readonly lines: readonly string[]
  /** Lets it begin. */
  begin(): void
  /** Resolves when it has written so many lines. @throws Error when it ends before. */
  reached(count: number): Promise<void>
  /** Resolves when it has done its task. @throws Error when it could not. */
  finished(): Promise<void>
  /** Ends it at once, wherever it is, and resolves when all it had written is read. */
  kill(): Promise<void>
}

// Plain Node knows no TypeScript: the built program runs, also when this file is read from its source.
const program = fileURLToPath(new URL('../../dist/load/worker.js', import.meta.url))

/**
 * Starts a process for each task, all on one store, and waits until each of them has it open. A store that only one process
 * can see gets workers in this one, which cannot be killed.
 */
export async function startWorkers(
  { module }: StorePlace,
  address: string,
  tasks: readonly Task[],
): Promise<readonly Worker[]> {
  const probe = await openStorage(module, address)
  const { sharedBy } = probe.storage.ledger.traits
  await probe.close()
  const start = sharedBy === 'process' ? startHere : startProcess
  return Promise.all(tasks.map((task) => start(module, address, task)))
}

/** Starts a process for each task, lets all begin at once, and gives what each wrote when it was done. */
export async function runWorkers(
  place: StorePlace,
  address: string,
  tasks: readonly Task[],
): Promise<readonly (readonly string[])[]> {
  const workers = await startWorkers(place, address, tasks)
  try {
    for (const worker of workers) worker.begin()
    await Promise.all(workers.map((worker) => worker.finished()))
    return workers.map(({ lines }) => lines)
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()))
  }
}

async function startProcess(module: URL, address: string, task: Task): Promise<Worker> {
  const child = spawn(process.execPath, [program, module.href, address], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  // Whoever was killed cannot be told to begin.
  child.stdin.on('error', () => undefined)
  const lines: string[] = []
  const reader = createInterface(child.stdout)
  let onLine = (): void => {}
  // The last lines may come after the process is gone.
  const ended = Promise.all([once(child, 'close'), once(reader, 'close')]).then(([[code]]) => {
    onLine()
    return code as number | null
  })
  let isReady = false
  let isOver = false
  void ended.then(() => {
    isOver = true
  })
  reader.on('line', (line) => {
    if (isReady) lines.push(line)
    isReady = true
    onLine()
  })
  const until = async (isThere: () => boolean): Promise<void> => {
    while (!isThere()) {
      if (isOver) throw new Error(`A worker ended before its time, at: ${task.kind}.`)
      await new Promise<void>((resolve) => {
        onLine = resolve
      })
    }
  }
  await until(() => isReady)
  return {
    lines,
    begin: () => void child.stdin.write(`${JSON.stringify(task)}\n`),
    reached: (count) => until(() => lines.length >= count),
    async finished() {
      const code = await ended
      if (code !== 0) throw new Error(`A worker ended with ${code}, at: ${task.kind}.`)
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function startHere(module: URL, address: string, task: Task): Promise<Worker> {
  const opened = await openStorage(module, address)
  const lines: string[] = []
  let running = Promise.resolve()
  return {
    lines,
    begin() {
      running = runTask(task, opened, (line) => lines.push(line))
      running.catch(() => undefined)
    },
    async reached(count) {
      while (lines.length < count) await new Promise((resolve) => setImmediate(resolve))
    },
    finished: () => running,
    async kill() {
      await running
      await opened.close()
    },
  }
}
