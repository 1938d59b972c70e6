import { memoryStorage } from '@farebox/core'
import { describe, it } from 'vitest'
import { keyCases, type StorageSubject, storageCases, trimCases } from './index.ts'

const memory: StorageSubject = {
  async create(clock) {
    const storage = memoryStorage({ clock })
    return { storage, dispose: () => storage.ledger.close() }
  },
}

describe('memoryStorage', () => {
  for (const { name, run } of [...storageCases, ...keyCases, ...trimCases]) it(name, () => run(memory))
})
