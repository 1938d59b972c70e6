import { memoryStorage } from '@farebox/core'
import { describe, it } from 'vitest'
import { registerLedgerCases } from './index.ts'

describe('the ledger on memoryStorage', () => {
  registerLedgerCases(it, { createStore: async (clock) => memoryStorage({ clock }) })
})
