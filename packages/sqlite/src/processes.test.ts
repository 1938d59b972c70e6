import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import Database from 'libsql'
import { expect, it, onTestFinished } from 'vitest'
import { sqlite } from './index.ts'

// These processes run the built package: plain Node knows no TypeScript.
const program = fileURLToPath(new URL('./__fixtures__/increment.js', import.meta.url))

function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'ledger.db')
}

interface Incrementing {
  /** Every number the process got so far. */
  readonly totals: number[]
  readonly finished: Promise<unknown>
  kill(): void
  /** Resolves when it has got so many. */
  reached(count: number): Promise<void>
}

function incrementing(file: string, { count, inFlight }: { count: number; inFlight: number }): Incrementing {
  const child = spawn(process.execPath, [program, file, String(count), String(inFlight)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const totals: number[] = []
  const lines = createInterface(child.stdout)
  lines.on('line', (line) => totals.push(Number(line)))
  return {
    totals,
    // The last lines may come after the process is gone.
    finished: Promise.all([once(child, 'close'), once(lines, 'close')]).then(([exit]) => exit),
    kill: () => child.kill('SIGKILL'),
    async reached(wanted) {
      while (totals.length < wanted) await once(lines, 'line')
    },
  }
}

function read(file: string): Promise<unknown> {
  return sqlite(new Database(file)).ledger.transact('shared', [], ({ head }) => ({ result: head }))
}

it('lets two processes that start at once on a new file add 500 each, without losing any', async () => {
  const file = temporaryFile()
  const processes = [1, 2].map(() => incrementing(file, { count: 500, inFlight: 8 }))

  const exits = await Promise.all(processes.map(({ finished }) => finished))

  expect(exits).toEqual([
    [0, null],
    [0, null],
  ])
  expect(processes.map(({ totals }) => totals.length)).toEqual([500, 500])
  expect(new Set(processes.flatMap(({ totals }) => totals)).size).toBe(1000)
  expect(await read(file)).toBe(1000)
})

it('lets three processes add to one document by compare-and-set, without losing any', async () => {
  const file = temporaryFile()
  const script = fileURLToPath(new URL('./__fixtures__/add-to-document.js', import.meta.url))
  const exits = await Promise.all(
    [1, 2, 3].map(() => once(spawn(process.execPath, [script, file, '100'], { stdio: 'ignore' }), 'close')),
  )

  expect(exits).toEqual([
    [0, null],
    [0, null],
    [0, null],
  ])
  expect((await sqlite(new Database(file)).keys?.get('shared'))?.value).toBe(300)
})

it('lets a process in while another writes without a pause', async () => {
  const file = temporaryFile()
  const busy = incrementing(file, { count: 1_000_000, inFlight: 64 })
  await busy.reached(100)

  const guest = incrementing(file, { count: 50, inFlight: 1 })

  expect(await guest.finished).toEqual([0, null])
  const soFar = busy.totals.length
  await busy.reached(soFar + 100)
})

it('keeps everything it had answered when it is killed in the middle of writing', async () => {
  const file = temporaryFile()
  const inFlight = 16
  const victim = incrementing(file, { count: 1_000_000, inFlight })
  await victim.reached(300)
  victim.kill()
  await victim.finished

  const database = new Database(file)
  expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
  const stored = Number(await read(file))
  const answered = Math.max(...victim.totals)
  expect(stored).toBeGreaterThanOrEqual(answered)
  expect(stored).toBeLessThanOrEqual(answered + inFlight)
})
