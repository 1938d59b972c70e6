// Does tasks on stores in a process of its own: node worker.js. Each line of its input is a job; it writes `ready` when the store
// is open, waits for an empty line, does the task, and writes `done`. It ends with whoever started it.
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { openStorage } from './store-place.ts'
import { runTask } from './task.ts'
import { type Job, signals } from './workers.ts'

async function main(): Promise<void> {
  const input = createInterface({ input: process.stdin })
  input.once('close', () => process.exit(1))
  const lines = input[Symbol.asyncIterator]()
  for (;;) {
    const { module, address, task } = JSON.parse((await lines.next()).value) as Job
    const opened = await openStorage(new URL(module), address)
    write(signals.ready)
    await lines.next()
    await runTask(task, opened, write)
    await opened.close()
    write(signals.done)
  }
}

/** Unbuffered, so that everything that was answered is told before this process can be killed. */
function write(line: string): void {
  const bytes = Buffer.from(`${line}\n`)
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(1, bytes, written)
    } catch (error) {
      // The pipe is full, and its reader will come.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
}

void main()
