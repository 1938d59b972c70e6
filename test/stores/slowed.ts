import { setTimeout as delay } from 'node:timers/promises'
import { type LedgerStore, Unavailable } from '@farebox/core'
import type { OpenedStorage } from '@farebox/testkit/load'
import Database from 'libsql'
import type { DisturbedStorage } from './store-kinds.ts'

/** A store of this very process, as if it were far away: there is no network to make long. */
export function slowed({ storage, close }: OpenedStorage): DisturbedStorage {
  let delayMs = 0
  let isCut = false
  const { ledger } = storage
  const far = async <T>(call: () => Promise<T>): Promise<T> => {
    if (isCut) throw new Unavailable('The store is out of reach.')
    if (delayMs > 0) await delay(delayMs)
    try {
      return await call()
    } finally {
      if (delayMs > 0) await delay(delayMs)
    }
  }
  const distant: LedgerStore = {
    ...ledger,
    transact: (...call) => far(() => ledger.transact(...call)),
    journal: (...call) => far(() => ledger.journal(...call)),
    scan: (...call) => far(() => ledger.scan(...call)),
  }
  return {
    storage: { ...storage, ledger: distant },
    delay(ms) {
      delayMs = ms
    },
    async cutOff(cut) {
      isCut = cut
    },
    close,
  }
}

/** A SQLite store that is cut off by another connection, which keeps the file locked for itself. */
export function lockedOut(disturbed: DisturbedStorage, file: string): DisturbedStorage {
  const other = new Database(file)
  return {
    ...disturbed,
    async cutOff(isCut) {
      other.exec(isCut ? 'BEGIN IMMEDIATE' : 'ROLLBACK')
    },
    async close() {
      await disturbed.close()
      other.close()
    },
  }
}
