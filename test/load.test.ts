import { processCases, spendCases, usualSize } from '@farebox/testkit/load'
import { it } from 'vitest'
import { isLong } from './stores/is-long.ts'
import { describeStores, storeKinds } from './stores/store-kinds.ts'

const size = isLong ? { ...usualSize, requests: 10_000, coldAccounts: 100_000, holds: 2_000 } : usualSize
const timeoutMs = isLong ? 3_600_000 : 60_000

describeStores('many processes', (server) => {
  for (const { name, run } of spendCases(size)) it(name, () => run(server()), timeoutMs)
})

describeStores(
  'processes that are killed',
  (server) => {
    for (const { name, run } of processCases) it(name, () => run(server()), timeoutMs)
  },
  { isDurable: true, kinds: storeKinds.filter(({ name }) => name !== 'memory') },
)
