import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const help = `Runs the tests that prove every store, at full length: 100,000 accounts that nobody used before, five seconds to the store
and back, ten minutes of mixed load, a million lines of a journal, 100,000 streams that are left in the middle.

  npm run soak:stores -- [options]

  --only TEXT   only tests whose name has it, such as "failure 21", "Redis Cluster" or "many processes on SQLite"
  --help

Memory, SQLite, PostgreSQL, Redis and Redis Cluster, one after the other. Exits with 1 when a test fails.
`

const { values } = parseArgs({ options: { only: { type: 'string' }, help: { type: 'boolean' } } })
if (values.help) {
  process.stdout.write(help)
} else {
  const files = ['load', 'store-failures', 'store-load', 'crash'].map((name) => `test/${name}.test.ts`)
  const only = values.only === undefined ? [] : ['-t', values.only]
  const args = ['vitest', 'run', '--max-workers=1', '--hook-timeout=120000', ...files, ...only]
  const { status } = spawnSync('npx', args, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, FAREBOX_LONG: '1' },
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
}
