import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isUnavailable } from '@farebox/core'
import Database from 'libsql'
import { expect, it, onTestFinished } from 'vitest'
import { sqlite } from './index.ts'

function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'ledger.db')
}

it('keeps a write-ahead log and syncs every commit', () => {
  const database = new Database(temporaryFile())
  const { ledger } = sqlite(database)

  expect(database.prepare('PRAGMA journal_mode').all()).toEqual([{ journal_mode: 'wal' }])
  expect(database.prepare('PRAGMA synchronous').all()).toEqual([{ synchronous: 2 }])
  expect(ledger.traits).toEqual({ durability: 'local-fsync', sharedBy: 'host' })
})

it('raises a lower synchronous setting of the host and leaves a higher one', () => {
  const [low, high] = [new Database(temporaryFile()), new Database(temporaryFile())]
  low.exec('PRAGMA synchronous = OFF')
  high.exec('PRAGMA synchronous = EXTRA')
  sqlite(low)
  sqlite(high)

  expect(low.prepare('PRAGMA synchronous').all()).toEqual([{ synchronous: 2 }])
  expect(high.prepare('PRAGMA synchronous').all()).toEqual([{ synchronous: 3 }])
})

it('keeps pages for commits of many accounts in memory, unless the host has set how many', () => {
  const [usual, small, counted] = [temporaryFile(), temporaryFile(), temporaryFile()].map(
    (file) => new Database(file),
  )
  small?.exec('PRAGMA cache_size = -500')
  counted?.exec('PRAGMA cache_size = 9000')
  const sizes = [usual, small, counted].map((database) => {
    sqlite(database as Database.Database)
    return database?.prepare('PRAGMA cache_size').all()
  })

  expect(sizes).toEqual([[{ cache_size: -16_000 }], [{ cache_size: -500 }], [{ cache_size: 9000 }]])
})

it('refuses a file whose journal mode cannot become a write-ahead log', () => {
  const database = new Database(temporaryFile())
  const stubborn = {
    exec: (sql: string) => database.exec(sql),
    prepare: (sql: string) =>
      database.prepare(sql.startsWith('PRAGMA journal_mode') ? `SELECT 'delete' AS journal_mode` : sql),
  }

  expect(() => sqlite(stubborn)).toThrow(/write-ahead log.*"delete"/)
})

it('leaves the user version of the host alone', () => {
  const database = new Database(temporaryFile())
  database.exec('PRAGMA user_version = 7')
  sqlite(database)

  expect(database.prepare('PRAGMA user_version').all()).toEqual([{ user_version: 7 }])
})

it('names all its tables by the prefix and shares nothing with another prefix', async () => {
  const database = new Database(temporaryFile())
  const [one, other] = [sqlite(database, { prefix: 'one_' }), sqlite(database, { prefix: 'other_' })]
  await one.ledger.transact('alice', [], () => ({ result: 0, write: { head: 'one' } }))

  expect(await other.ledger.transact('alice', [], ({ head }) => ({ result: head }))).toBeNull()
  const names = database.prepare(`SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'`).all() as {
    name: string
  }[]
  expect(names.every(({ name }) => /^(one|other)_/.test(name))).toBe(true)
})

it.each(['', '1st_', 'a-b', 'x; DROP TABLE users; --', 'sqlite_x'])(
  'refuses the table prefix %j',
  (prefix) => {
    expect(() => sqlite(new Database(':memory:'), { prefix })).toThrow(/prefix/)
  },
)

it('refuses tables that another version of the package made', () => {
  const database = new Database(temporaryFile())
  sqlite(database)
  database.exec('UPDATE farebox_schema SET version = 2')

  expect(() => sqlite(database)).toThrow(/have version 2/)
})

it('adds the table of documents to a file from before there were any, and leaves its version', async () => {
  const database = new Database(temporaryFile())
  await sqlite(database).ledger.transact('alice', [], () => ({ result: 0, write: { head: 'kept' } }))
  database.exec('DROP TABLE farebox_documents')

  const { ledger, keys } = sqlite(database)

  expect(await keys?.put('a', 'new', null)).toBe(true)
  expect(await ledger.transact('alice', [], ({ head }) => ({ result: head }))).toBe('kept')
  // An older release, which knows version 1 only, still opens it.
  expect(database.prepare('SELECT version FROM farebox_schema').all()).toEqual([{ version: 1 }])
})

it('reads a read-only file from before there were documents, and is unavailable for documents only', async () => {
  const file = temporaryFile()
  const writer = new Database(file)
  await sqlite(writer).ledger.transact('alice', [], () => ({ result: 0, write: { head: 'kept' } }))
  writer.exec('DROP TABLE farebox_documents')

  const { ledger, keys } = sqlite(new Database(`file:${file}?mode=ro`))

  expect(await ledger.transact('alice', [], ({ head }) => ({ result: head }))).toBe('kept')
  await expect(keys?.get('a')).rejects.toSatisfy(isUnavailable)
})

it('says that a file is not a database', () => {
  const file = temporaryFile()
  writeFileSync(file, 'This is not a database. '.repeat(500))

  expect(() => sqlite(new Database(file))).toThrow(
    expect.toSatisfy(
      (error) => isUnavailable(error) && /damaged, or is not a SQLite database/.test(error.message),
    ),
  )
})

it('opens a read-only database that has the tables, for reading', async () => {
  const file = temporaryFile()
  const writer = new Database(file)
  await sqlite(writer).ledger.transact('alice', [], () => ({ result: 0, write: { head: 'kept' } }))

  const { ledger } = sqlite(new Database(`file:${file}?mode=ro`))

  expect(await ledger.transact('alice', [], ({ head }) => ({ result: head }))).toBe('kept')
  await expect(ledger.transact('alice', [], () => ({ result: 0, write: { head: 'new' } }))).rejects.toThrow(
    'The database is read-only.',
  )
})
