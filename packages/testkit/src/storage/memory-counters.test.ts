import { memoryStorage } from '@farebox/core'
import { describe, it } from 'vitest'
import { counterCases } from './index.ts'

describe('the counters of memoryStorage', () => {
  for (const { name, run } of counterCases) {
    it(name, () =>
      run({
        async create(clock) {
          const storage = memoryStorage({ clock })
          return { storage, dispose: () => storage.ledger.close() }
        },
      }),
    )
  }
})
