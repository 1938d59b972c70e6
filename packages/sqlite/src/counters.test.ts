import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { isUnavailable } from '@farebox/core'
import Database from 'libsql'
import { describe, expect, it, onTestFinished } from 'vitest'
import { one, startMs } from '../../testkit/src/storage/counter-case.ts'
import { counterCases } from '../../testkit/src/storage/index.ts'
import { sqlite } from './index.ts'

function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'ledger.db')
}

describe('the counters of a file', () => {
  for (const { name, run } of counterCases) {
    it(name, () =>
      run({
        async create(clock) {
          const database = new Database(temporaryFile())
          const storage = sqlite(database, { clock })
          return {
            storage,
            async dispose() {
              await storage.ledger.close()
              database.close()
            },
          }
        },
      }),
    )
  }

  it('failure 24: admit exactly the limit between two processes', async () => {
    // The process runs the built package: plain Node knows no TypeScript.
    const program = fileURLToPath(new URL('./__fixtures__/count.js', import.meta.url))
    const file = temporaryFile()
    const admitted = await Promise.all(
      [1, 2].map(() => {
        const child = spawn(process.execPath, [program, file, '70', '60'], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        onTestFinished(() => void child.kill('SIGKILL'))
        return text(child.stdout)
      }),
    )

    expect(admitted.reduce((sum, count) => sum + Number(count), 0)).toBe(70)
  })

  it('let go of what is over', async () => {
    const database = new Database(temporaryFile())
    const { counters, ledger } = sqlite(database)
    for (let minute = 0; minute < 300; minute += 1) {
      const nowMs = startMs + minute * 60_000
      const count = one(`requests@${minute}`, 5, { untilMs: nowMs + 60_000 })
      await counters?.take({ accountId: 'alice', nowMs, counts: [count] })
    }

    const rows = database.prepare('SELECT name FROM farebox_counters').all()
    expect(rows.length).toBeLessThan(60)
    await ledger.close()
    database.close()
  })

  it('are unavailable once the handle is closed', async () => {
    const database = new Database(temporaryFile())
    const { counters } = sqlite(database)
    database.close()

    await expect(
      counters?.take({ accountId: 'alice', nowMs: startMs, counts: [one('a', 1)] }),
    ).rejects.toSatisfy(isUnavailable)
  })
})
