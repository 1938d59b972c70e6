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

interface Incremented {
  /** Every number the process got. */
  readonly totals: readonly number[]
  readonly exit: unknown
}

async function incremented(file: string, count: number): Promise<Incremented> {
  const child = spawn(process.execPath, [program, file, String(count), '8'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const totals: number[] = []
  const lines = createInterface(child.stdout)
  lines.on('line', (line) => totals.push(Number(line)))
  // The last lines may come after the process is gone.
  const [exit] = await Promise.all([once(child, 'close'), once(lines, 'close')])
  return { totals, exit }
}

function read(file: string): Promise<unknown> {
  return sqlite(new Database(file)).ledger.transact('shared', [], ({ head }) => ({ result: head }))
}

it('lets two processes that start at once on a new file add 500 each, without losing any', async () => {
  const file = temporaryFile()
  const processes = await Promise.all([1, 2].map(() => incremented(file, 500)))

  expect(processes.map(({ exit }) => exit)).toEqual([
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
