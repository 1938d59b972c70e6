// Does one task on a store in a process of its own: node worker.js <module> <address>. Writes `ready` when the store is open, and
// begins when it is given the task, as a line of JSON. It ends with whoever started it.
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { openStorage } from './store-place.ts'
import { runTask, type Task } from './task.ts'

async function main([module = '', address = '']: readonly string[]): Promise<void> {
  const opened = await openStorage(new URL(module), address)
  const input = createInterface({ input: process.stdin })
  input.once('close', () => process.exit(1))
  const given = new Promise<string>((resolve) => input.once('line', resolve))
  write('ready')
  await runTask(JSON.parse(await given) as Task, opened, write)
  await opened.close()
  process.exit()
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

void main(process.argv.slice(2))
