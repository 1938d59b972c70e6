import { memoryStorage } from '@farebox/core'
import { describe, it } from 'vitest'
import { everyMonthBoundaryCase } from './month-boundary-cases.ts'

describe('the ledger on memoryStorage, at ends of months', () => {
  for (const { name, run } of everyMonthBoundaryCase) {
    it(name, () => run({ createStore: async (clock) => memoryStorage({ clock }) }))
  }
})
