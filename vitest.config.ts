import { availableParallelism } from 'node:os'
import { configDefaults, defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// Tests resolve workspace packages to their sources, so that a test run needs no build.
const conditions = ['@farebox/source']

/**
 * Tests of plain code, which start no other process and leave nothing open that does anything by itself. They share a process,
 * and with it the modules: loading these anew for each file takes longer than most of the tests. All others have a process of
 * their own, which takes along whatever a server, a socket or a driver still has to do.
 */
const shared = [
  'packages/{core,stripe}/src/**/*.test.ts',
  'packages/testkit/src/{ledger,prices,simulation,simulator,storage,stripe}/**/*.test.ts',
  'packages/redis/src/{account-index,commands,fault,sightings,write-memory}.test.ts',
  'packages/postgres/src/fault.test.ts',
  'packages/sqlite/src/{commit,commit-queue,fault,schema,sqlite}.test.ts',
]

/** What takes longest, the longest first. Begun last, it would keep one worker busy while the others have nothing left. */
const longest = [
  'packages/testkit/src/simulation/simulation.test.ts',
  'packages/testkit/src/simulation/small-scope.test.ts',
  'test/clients.test.ts',
  'test/load.test.ts',
  'test/crash-leases.test.ts',
  'packages/cli/src/main.test.ts',
  'test/storages.test.ts',
  'test/crash.test.ts',
  'test/store-failures.test.ts',
  'test/leases.test.ts',
  'packages/testkit/src/ledger/model.test.ts',
]

/** The longest files first, then those with a process of their own; the small ones that share theirs fill what is left. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId, project }: TestSpecification): number => {
      const place = longest.findIndex((path) => moduleId.endsWith(`/${path}`))
      if (place !== -1) return place
      return project.config.isolate ? longest.length : longest.length + 1
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    // Only what hangs is to meet these: a machine that is busy with something else takes its time to start a server.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000, interval: 10 } },
    pool: 'forks',
    // Many tests wait for a server or a disk: two at a time are fast on two processors as well. A third would save a sixth of the
    // time, and tests that start processes would have to share a processor with it.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'own process',
          include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...shared],
        },
      },
      {
        extends: true,
        test: {
          name: 'shared process',
          include: shared,
          isolate: false,
          setupFiles: ['test/fixed-chance.ts'],
        },
      },
    ],
  },
})
