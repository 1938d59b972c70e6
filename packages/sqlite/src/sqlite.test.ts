import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock, Storage } from '@farebox/core'
import Database from 'libsql'
import { describe, expect, it } from 'vitest'
import {
  type DurableStorageSubject,
  durableKeyCases,
  durableStorageCases,
  keyCases,
  storageCases,
  trimCases,
} from '../../testkit/src/storage/index.ts'
import { type SqliteDatabase, sqlite } from './index.ts'

type Handle = SqliteDatabase & { close(): unknown }
type Open = (file: string) => Handle

const nodeSqlite = process.getBuiltinModule?.('node:sqlite') as unknown as
  | { readonly DatabaseSync: new (file: string, options?: object) => Handle }
  | undefined

const drivers: Record<string, Open> = {
  libsql: (file) => new Database(file),
  'libsql reading integers as bigints': (file) => new Database(file).defaultSafeIntegers(true),
  // Only from Node 22.13 on.
  ...(nodeSqlite && { 'node:sqlite': (file) => new nodeSqlite.DatabaseSync(file) }),
}

function subject(open: Open, fileName: string): DurableStorageSubject {
  return {
    async create(clock: Clock) {
      const folder = mkdtempSync(join(tmpdir(), 'farebox-'))
      const opened: { handle: Handle; storage: Storage }[] = []
      const openStorage = (): Storage => {
        const handle = open(fileName === ':memory:' ? fileName : join(folder, fileName))
        const storage = sqlite(handle, { clock })
        opened.push({ handle, storage })
        return storage
      }
      const close = async (): Promise<void> => {
        for (const { handle, storage } of opened.splice(0)) {
          await storage.ledger.close()
          handle.close()
        }
      }
      return {
        storage: openStorage(),
        async reopen() {
          await close()
          return openStorage()
        },
        async dispose() {
          await close()
          rmSync(folder, { recursive: true })
        },
      }
    },
  }
}

for (const [driver, open] of Object.entries(drivers)) {
  describe(`a file opened by ${driver}`, () => {
    for (const { name, run } of [...storageCases, ...keyCases, ...trimCases])
      it(name, () => run(subject(open, 'ledger.db')))
    for (const { name, run } of [...durableStorageCases, ...durableKeyCases])
      it(name, () => run(subject(open, 'ledger.db')))
  })
}

describe('a database in memory', () => {
  for (const { name, run } of [...storageCases, ...keyCases, ...trimCases])
    it(name, () => run(subject((file) => new Database(file), ':memory:')))

  it('does not promise that anything survives', () => {
    expect(sqlite(new Database(':memory:')).ledger.traits).toEqual({
      durability: 'none',
      sharedBy: 'process',
    })
  })
})
