import {
  processCases,
  spendCases,
  startWorkers,
  stopWorkers,
  usualSize,
  type Worker,
} from '@farebox/testkit/load'
import { afterAll, beforeAll, it } from 'vitest'
import { isLong } from './stores/is-long.ts'
import { describeStores } from './stores/store-kinds.ts'

const size = isLong ? { ...usualSize, requests: 10_000, coldAccounts: 100_000, holds: 2_000 } : usualSize
const timeoutMs = isLong ? 3_600_000 : 120_000

describeStores(
  'many processes',
  (server, { name: kind }) => {
    let workers: readonly Worker[] = []
    beforeAll(() => {
      workers = startWorkers(server(), size.processes)
    })
    afterAll(() => stopWorkers(workers))

    // What lives in one process ends with it.
    const cases = [...spendCases(size), ...(kind === 'memory' ? [] : processCases)]
    for (const { name, run } of cases) it(name, () => run(server(), workers), timeoutMs)
  },
  { isDurable: true },
)
