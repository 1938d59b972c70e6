import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Clock, Storage } from '@farebox/core'
import { registerLedgerCases } from '@farebox/testkit/ledger'
import {
  type CreatedDurableStorage,
  durableKeyCases,
  durableStorageCases,
  keyCases,
  storageCases,
} from '@farebox/testkit/storage'
import { describe, expect, it, onTestFinished } from 'vitest'

const folder = fileURLToPath(new URL('../examples/custom-storage', import.meta.url))
const program = fileURLToPath(new URL('../packages/cli/dist/main.js', import.meta.url))

interface Example {
  create(clock: Clock): Promise<CreatedDurableStorage>
}
interface LogStorageModule {
  openLogStorage(folder: string): Promise<Storage>
}
const { create } = (await import(join(folder, 'create.js'))) as Example
const { openLogStorage } = (await import(join(folder, 'log-storage.js'))) as LogStorageModule

function temporaryFolder(): string {
  const temporary = mkdtempSync(join(tmpdir(), 'farebox-custom-'))
  onTestFinished(() => rmSync(temporary, { recursive: true, force: true }))
  return temporary
}

const count = async ({ ledger }: Storage) =>
  ledger.transact('alice', [], ({ head }) => ({ result: (head as number | null) ?? 0 }))

const increment = async ({ ledger }: Storage) =>
  ledger.transact('alice', [], ({ head }) => {
    const next = ((head as number | null) ?? 0) + 1
    return { result: next, write: { head: next } }
  })

describe('the example of a custom storage', () => {
  for (const { name, run } of [...storageCases, ...keyCases]) it(name, () => run({ create }))
  for (const { name, run } of [...durableStorageCases, ...durableKeyCases]) it(name, () => run({ create }))
})

describe('the ledger on the example of a custom storage', () => {
  const disposers = new WeakMap<Storage, () => Promise<void>>()
  registerLedgerCases(it, {
    async createStore(clock) {
      const { storage, dispose } = await create(clock)
      disposers.set(storage, dispose)
      return storage
    },
    dispose: async (storage) => disposers.get(storage)?.(),
  })
})

describe('the log of the example', () => {
  it('has everything that was answered when its process is killed', async () => {
    const place = temporaryFolder()
    const script = `
      import { openLogStorage } from './log-storage.js'
      const { ledger } = await openLogStorage(${JSON.stringify(place)})
      for (;;) {
        const done = await ledger.transact('alice', [], ({ head }) => ({ result: (head ?? 0) + 1, write: { head: (head ?? 0) + 1 } }))
        console.log(done)
      }`
    for (let round = 0; round < 5; round += 1) {
      const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', script], {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let answered = 0
      for await (const line of createInterface({ input: child.stdout as never })) {
        answered = Number(line)
        if (answered % 40 >= 20 + round) child.kill('SIGKILL')
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      const storage = await openLogStorage(place)
      expect(await count(storage)).toBeGreaterThanOrEqual(answered)
      expect(answered).toBeGreaterThan(0)
      await storage.ledger.close()
    }
  })

  it.each<[string, (file: string) => void]>([
    ['that was cut off', (file) => truncateSync(file, readFileSync(file).length - 3)],
    ['that was written in part', (file) => appendFileSync(file, '0123456789abcdef {"account":"alice"}\n')],
    ['that has no end', (file) => appendFileSync(file, 'x'.repeat(3_000_000))],
  ])('drops a last line %s, and goes on behind what is whole', async (_what, damage) => {
    const place = temporaryFolder()
    const before = await openLogStorage(place)
    for (let writes = 0; writes < 3; writes += 1) await increment(before)
    await before.ledger.close()
    damage(join(place, 'log'))
    const after = await openLogStorage(place)
    const kept = await count(after)
    expect([2, 3]).toContain(kept)
    expect(await increment(after)).toBe(kept + 1)
    await after.ledger.close()
    const again = await openLogStorage(place)
    expect(await count(again)).toBe(kept + 1)
    await again.ledger.close()
  })

  it('belongs to one process, until that has died', async () => {
    const place = temporaryFolder()
    const first = await openLogStorage(place)
    await expect(openLogStorage(place)).rejects.toThrow(`Process ${process.pid} has`)
    await first.ledger.close()
    // No process has this number: Linux gives none above 4,194,304.
    writeFileSync(join(place, 'lock'), '99999999')
    await (await openLogStorage(place)).ledger.close()
  })
})

describe('farebox conformance', () => {
  const conformance = async (args: readonly string[]) => {
    const call = promisify(execFile)(process.execPath, [program, 'conformance', ...args], { cwd: folder })
    return call.then(
      ({ stdout }) => ({ code: 0, out: stdout }),
      (error: { code: number; stdout: string; stderr: string }) => ({
        code: error.code,
        out: error.stdout,
        error: error.stderr,
      }),
    )
  }

  it('passes the example', async () => {
    const { code, out } = await conformance(['create.js', '--no-ledger'])
    expect(out).toMatch(
      /^storage (\d+) of \1, trim none, keys (\d+) of \2, counters none, durability (\d+) of \3, ledger none: keeps the contract\.\n$/,
    )
    expect(code).toBe(0)
  })

  it('runs the rules of the ledger too, and writes a line of JSON for each case', async () => {
    const { code, out } = await conformance(['create.js', '--only', 'failure 1', '--json'])
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines.length).toBeGreaterThan(1)
    for (const line of lines) expect(line).toMatchObject({ group: 'ledger', passed: true })
    expect(code).toBe(0)
  })

  it('names the cases that a broken storage fails, gives up those that hang, and exits with 1', async () => {
    const place = temporaryFolder()
    const file = join(place, 'broken.mjs')
    writeFileSync(
      file,
      `import { create as good } from ${JSON.stringify(join(folder, 'create.js'))}
      export async function create(clock) {
        const { storage: { ledger }, dispose } = await good(clock)
        const broken = {
          ...ledger,
          // Forgets that it was asked for records, and never answers a call with a due time.
          transact: (id, keys, reduce, options) =>
            options?.dueMax === 5 ? new Promise(() => {}) : ledger.transact(id, [], reduce, options),
        }
        return { storage: { ledger: broken }, dispose }
      }`,
    )
    const { code, out } = await conformance([file, '--no-ledger', '--timeout', '2000'])
    expect(code).toBe(1)
    expect(out).toContain('FAILED storage: applies head, records and journal of one write together')
    expect(out).toMatch(/keys none, counters none, durability none, ledger none: \d+ cases failed\.\n$/)
  })

  it('says what a module lacks, and exits with 3', async () => {
    const file = join(temporaryFolder(), 'empty.mjs')
    writeFileSync(file, 'export const create = () => ({})')
    expect(await conformance([file])).toMatchObject({
      code: 3,
      error: expect.stringContaining('gave no storage that can be closed'),
    })
    writeFileSync(file, '')
    expect(await conformance([join(temporaryFolder(), 'none.mjs')])).toMatchObject({ code: 3 })
  })
})
