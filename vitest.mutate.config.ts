import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const conditions = ['@farebox/source']

// Mutants live in a copy of the workspace whose packages still link to the original: without the alias, the cases of the
// testkit would test the ledger that was not changed.
const core = fileURLToPath(new URL('packages/core/src/index.ts', import.meta.url))

export default defineConfig({
  resolve: { conditions, alias: [{ find: /^@farebox\/core$/, replacement: core }] },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      'packages/core/src/ledger/*.test.ts',
      'packages/testkit/src/ledger/memory.test.ts',
      'packages/testkit/src/ledger/model.test.ts',
    ],
    testTimeout: 30_000,
    // Random histories find what the cases do not, and each of them is played for every mutant.
    env: { FAREBOX_RUNS: '100' },
    pool: 'forks',
  },
})
