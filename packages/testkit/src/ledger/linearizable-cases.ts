import { fakeClock } from '@farebox/core'
import { seededRandom } from '../simulation/random.ts'
import { playHistory } from './history/run.ts'
import { casePlans, caseStartMs, type LedgerCase } from './ledger-case.ts'

/** How many histories are made, each on a store of its own. */
const histories = 12

/** What callers who come at once are answered is what they would be answered one after the other. */
export const linearizableCases: readonly LedgerCase[] = [
  {
    name: 'answers callers who come at once as if they had come one after the other',
    async run(subject) {
      for (let seed = 1; seed <= histories; seed += 1) {
        const clock = fakeClock(caseStartMs)
        const storage = await subject.createStore(clock)
        const store = storage.ledger
        try {
          const stores = [store, store, store, store]
          await playHistory({ stores, clock, plans: casePlans, random: seededRandom(seed), requests: 6 })
        } catch (cause) {
          throw new Error(`The history of seed ${seed} is not in order: ${String(cause)}`, { cause })
        } finally {
          await store.close()
          await subject.dispose?.(storage)
        }
      }
    },
  },
]
