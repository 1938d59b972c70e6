import assert from 'node:assert/strict'
import { networkCases } from '@farebox/testkit/load'
import { it } from 'vitest'
import { describeStores, storeKinds } from './stores/store-kinds.ts'

describeStores(
  'a long way to the store, or a broken one,',
  (server) => {
    for (const { name, run } of networkCases) {
      it(name, () =>
        run({
          async create() {
            const { create, detour } = server()
            assert.ok(detour, 'there is no network')
            return detour(await create())
          },
        }),
      )
    }
  },
  { kinds: storeKinds.filter(({ name }) => name !== 'memory' && name !== 'SQLite') },
)
