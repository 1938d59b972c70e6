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
  },
})
