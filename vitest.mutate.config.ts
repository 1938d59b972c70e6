import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const conditions = ['@farebox/source']

// Mutants live in a copy of the workspace whose packages still link to the original: without the alias, the cases of the
// testkit would test the ledger that was not changed.
const core = fileURLToPath(new URL('packages/core/src/index.ts', import.meta.url))

/** By name: the tests beside the sources, then the cases, and random histories at last. A mutant ends with the first failure. */
class ByName extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => (a.moduleId < b.moduleId ? -1 : 1))
  }
}

export default defineConfig({
  resolve: { conditions, alias: [{ find: /^@farebox\/core$/, replacement: core }] },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      'packages/core/src/ledger/**/*.test.ts',
      'packages/core/src/money.test.ts',
      'packages/core/src/price.test.ts',
      'packages/testkit/src/ledger/memory.test.ts',
      'packages/testkit/src/ledger/model.test.ts',
      'packages/testkit/src/ledger/leases.test.ts',
      'packages/testkit/src/storage/memory.test.ts',
      'packages/testkit/src/storage/memory-counters.test.ts',
    ],
    testTimeout: 30_000,
    // Random histories find what the cases do not, and each of them is played for every mutant.
    env: { FAREBOX_RUNS: '40' },
    // One place for all files: loading them anew for every mutant takes longer than running them.
    isolate: false,
    sequence: { sequencer: ByName },
  },
})
