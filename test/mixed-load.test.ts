import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { hasPostgres } from '../packages/testkit/src/servers/postgres.ts'

const program = fileURLToPath(new URL('../bench/mixed.js', import.meta.url))

// The short form of `npm run bench:mixed`, which runs for as long as one likes.
describe.skipIf(!hasPostgres())('a mixed load of several processes on PostgreSQL', () => {
  it('failure 21: meets no deadlock, takes no more connections than its pools have, and leaves books that are what callers were told', async () => {
    const args = ['--seconds', '4', '--processes', '2', '--in-flight', '24', '--accounts', '60', '--json']
    const { stdout } = await promisify(execFile)(process.execPath, [program, ...args])
    const figures = JSON.parse(stdout) as Record<string, number> & { readonly errors: object }
    expect(figures).toMatchObject({ wrong: [], errors: {}, deadlocks: 0, findings: [], unequal: [] })
    expect(figures['connectionsMost']).toBeLessThanOrEqual(8)
    expect(figures['done']).toBeGreaterThan(100)
    expect(figures['entries']).toBeGreaterThan(50)
  })
})
