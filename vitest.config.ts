import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// Tests resolve workspace packages to their sources, so that a test run needs no build.
const conditions = ['@farebox/source']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    // Many tests wait for a server or a disk: two at a time are fast on two processors as well.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
})
