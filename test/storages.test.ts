import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStorage } from '@farebox/core'
import { sqlite } from '@farebox/sqlite'
import { registerLedgerCases } from '@farebox/testkit/ledger'
import Database from 'libsql'
import { afterAll, describe, it } from 'vitest'

// The storage cases themselves run in the package of each store: here, the ledger runs on each of them.

const folder = mkdtempSync(join(tmpdir(), 'farebox-storages-'))
const open: { close(): void }[] = []
afterAll(() => {
  for (const database of open) database.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('the ledger on memory', () => {
  registerLedgerCases(it, { createStore: async (clock) => memoryStorage({ clock }) })
})

describe('the ledger on SQLite', () => {
  registerLedgerCases(it, {
    async createStore(clock) {
      const database = new Database(join(folder, `${open.length}.db`))
      open.push(database)
      return sqlite(database, { clock })
    },
  })
})
