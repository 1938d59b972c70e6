import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cut, type Decision, isOutcomeUnknown, isUnavailable } from '@farebox/core'
import Database from 'libsql'
import { expect, it, onTestFinished } from 'vitest'
import { type SqliteDatabase, sqlite } from './index.ts'

function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'ledger.db')
}

function increment(cut: Cut): Decision<number> {
  const count = Number(cut.head ?? 0) + 1
  return { result: count, write: { head: count } }
}

function look(cut: Cut): Decision<Cut['head']> {
  return { result: cut.head }
}

function unavailable(message: string): unknown {
  return expect.toSatisfy(
    (error) => isUnavailable(error) && error.message === message && error.cause instanceof Error,
  )
}

/** A handle whose next statement that starts so fails once, after `before` was done. */
function failing(database: SqliteDatabase): SqliteDatabase & {
  failNext(start: string, code: string, before?: () => void): void
} {
  let fault: { start: string; code: string; before: () => void } | undefined
  const check = (sql: string): void => {
    if (fault === undefined || !sql.startsWith(fault.start)) return
    const { code, before } = fault
    fault = undefined
    before()
    throw Object.assign(new Error('SELECT secret FROM users: failed'), { code })
  }
  return {
    failNext(start, code, before = () => {}) {
      fault = { start, code, before }
    },
    exec(sql) {
      check(sql)
      return database.exec(sql)
    },
    prepare(sql) {
      const statement = database.prepare(sql)
      return {
        run(...parameters) {
          check(sql)
          return statement.run(...parameters)
        },
        all(...parameters) {
          check(sql)
          return statement.all(...parameters)
        },
      }
    },
  }
}

it('waits for a lock without stopping the event loop', async () => {
  const file = temporaryFile()
  const other = new Database(file)
  const { ledger } = sqlite(new Database(file))
  other.exec('BEGIN IMMEDIATE')
  let turns = 0
  const turning = setInterval(() => {
    turns += 1
    if (turns === 10) other.exec('COMMIT')
  }, 2)

  expect(await ledger.transact('alice', [], increment)).toBe(1)
  clearInterval(turning)
  expect(turns).toBeGreaterThanOrEqual(10)
})

it('is unavailable when a lock is held too long, and works again when it is gone', async () => {
  const file = temporaryFile()
  const other = new Database(file)
  const { ledger } = sqlite(new Database(file), { busyTimeoutMs: 30 })
  other.exec('BEGIN IMMEDIATE')

  await expect(ledger.transact('alice', [], increment)).rejects.toThrow(
    unavailable('The database stayed locked for 30 ms.') as Error,
  )
  other.exec('COMMIT')
  expect(await ledger.transact('alice', [], increment)).toBe(1)
})

it('decides anew when another connection was faster', async () => {
  const file = temporaryFile()
  const [mine, other] = [sqlite(new Database(file)), sqlite(new Database(file))]
  await mine.ledger.transact('alice', [], look)
  const database = new Database(file)
  let runs = 0

  const total = await mine.ledger.transact('alice', [], (cut) => {
    runs += 1
    // The first run is in a transaction that has not asked for the lock yet.
    if (runs === 1) database.exec(`INSERT INTO farebox_heads VALUES ('alice', 10, '10')`)
    return increment(cut)
  })

  expect(total).toBe(11)
  expect(runs).toBe(2)
  expect(await other.ledger.transact('alice', [], look)).toBe(11)
})

it('waits for a transaction that the host has open on the same handle, and leaves it whole', async () => {
  const database = new Database(temporaryFile())
  const { ledger } = sqlite(database)
  database.exec('CREATE TABLE notes (text TEXT)')
  database.exec('BEGIN')
  database.exec(`INSERT INTO notes VALUES ('mine')`)
  setTimeout(() => database.exec('COMMIT'), 10)

  expect(await ledger.transact('alice', [], increment)).toBe(1)
  expect(database.prepare('SELECT text FROM notes').all()).toEqual([{ text: 'mine' }])
})

it('is unavailable for writes while the database is read-only, and goes on reading', async () => {
  const database = new Database(temporaryFile())
  const { ledger } = sqlite(database)
  await ledger.transact('alice', [], increment)
  database.exec('PRAGMA query_only = ON')

  for (let round = 0; round < 2; round += 1) {
    await expect(ledger.transact('alice', [], increment)).rejects.toThrow(
      unavailable('The database is read-only.') as Error,
    )
    expect(await ledger.transact('alice', [], look)).toBe(1)
  }
  database.exec('PRAGMA query_only = OFF')
  expect(await ledger.transact('alice', [], increment)).toBe(2)
})

it('is unavailable while the disk is full, loses nothing, and works again when there is room', async () => {
  const database = new Database(temporaryFile())
  const { ledger } = sqlite(database)
  await ledger.transact('alice', [], increment)
  database.exec('PRAGMA max_page_count = 1')
  const large = (key: string): Promise<string> =>
    ledger.transact('alice', [], () => ({
      result: 'stored',
      write: { head: 99, put: [{ key, value: 'x'.repeat(100_000), mode: 'create' }] },
    }))

  const full = unavailable('The disk is full, or the database has reached its largest size.') as Error
  await expect(large('one')).rejects.toThrow(full)
  expect(
    await ledger.transact('alice', ['one'], ({ head, records }) => ({ result: [head, records.size] })),
  ).toEqual([1, 0])
  database.exec('PRAGMA max_page_count = 1000000')
  expect(await large('one')).toBe('stored')
})

it('is unavailable for all calls of a batch when a statement fails, and applies none of them', async () => {
  const database = failing(new Database(temporaryFile()))
  const { ledger } = sqlite(database)
  await ledger.transact('alice', [], increment)
  database.failNext('INSERT INTO farebox_heads', 'SQLITE_IOERR_WRITE')

  const results = await Promise.allSettled(
    ['alice', 'alice', 'bob'].map((id) => ledger.transact(id, [], increment)),
  )

  for (const result of results) {
    expect(result).toEqual({
      status: 'rejected',
      reason: unavailable('The database file cannot be read or written.'),
    })
  }
  expect(await ledger.transact('alice', [], increment)).toBe(2)
  expect(await ledger.transact('bob', [], increment)).toBe(1)
})

it.each([
  ['SQLITE_CORRUPT', 'The database file is damaged.'],
  ['SQLITE_CANTOPEN', 'The database file cannot be opened.'],
  ['SQLITE_NOMEM', 'The database failed.'],
])('tells %s without quoting a statement', async (code, message) => {
  const database = failing(new Database(temporaryFile()))
  const { ledger } = sqlite(database)
  database.failNext('BEGIN', code)
  await expect(ledger.transact('alice', [], increment)).rejects.toThrow(unavailable(message) as Error)

  database.failNext('SELECT seq', code)
  await expect(ledger.journal('alice', 0n, 1)).rejects.toThrow(unavailable(message) as Error)
  expect(await ledger.journal('alice', 0n, 1)).toEqual([])
})

it('does not know the outcome when the commit fails and SQLite has ended the transaction', async () => {
  const handle = new Database(temporaryFile())
  const database = failing(handle)
  const { ledger } = sqlite(database)
  await ledger.transact('alice', [], increment)
  database.failNext('COMMIT', 'SQLITE_IOERR_FSYNC', () => handle.exec('ROLLBACK'))

  await expect(ledger.transact('alice', [], increment)).rejects.toSatisfy(isOutcomeUnknown)
  expect(await ledger.transact('alice', [], increment)).toBe(2)
})

it('believes the file after a commit that happened although it was reported as failed', async () => {
  const handle = new Database(temporaryFile())
  const database = failing(handle)
  const { ledger } = sqlite(database)
  await ledger.transact('alice', [], increment)
  database.failNext('COMMIT', 'SQLITE_IOERR', () => handle.exec('COMMIT'))

  await expect(ledger.transact('alice', [], increment)).rejects.toSatisfy(isOutcomeUnknown)
  expect(await ledger.transact('alice', [], increment)).toBe(3)
})

it('is unavailable when the commit fails and was surely rolled back', async () => {
  const database = failing(new Database(temporaryFile()))
  const { ledger } = sqlite(database)
  database.failNext('COMMIT', 'SQLITE_CONSTRAINT')

  await expect(ledger.transact('alice', [], increment)).rejects.toThrow(
    unavailable('The database failed.') as Error,
  )
  expect(await ledger.transact('alice', [], increment)).toBe(1)
})

it('commits again when the lock was lost at the commit', async () => {
  const database = failing(new Database(temporaryFile()))
  const { ledger } = sqlite(database)
  database.failNext('COMMIT', 'SQLITE_BUSY')

  expect(await ledger.transact('alice', [], increment)).toBe(1)
})

it('is unavailable when the host has closed the handle', async () => {
  const database = new Database(temporaryFile())
  const { ledger } = sqlite(database)
  database.close()

  await expect(ledger.transact('alice', [], increment)).rejects.toThrow(
    unavailable('The database handle is closed.') as Error,
  )
})

it('does not let more than 10,000 calls wait', async () => {
  const { ledger } = sqlite(new Database(temporaryFile()))
  const calls = Array.from({ length: 10_000 }, () => ledger.transact('alice', [], look))

  await expect(ledger.transact('alice', [], look)).rejects.toSatisfy(isUnavailable)
  await Promise.all(calls)
  expect(await ledger.transact('alice', [], look)).toBeNull()
})

it('waits for a lock that another connection holds before it writes a document', async () => {
  const file = temporaryFile()
  const other = new Database(file)
  const { keys } = sqlite(new Database(file))
  other.exec('BEGIN IMMEDIATE')
  setTimeout(() => other.exec('COMMIT'), 20)

  expect(await keys?.put('a', 1, null)).toBe(true)
})

it('is unavailable for a document while a lock is held too long, and writes nothing later', async () => {
  const file = temporaryFile()
  const other = new Database(file)
  const { keys } = sqlite(new Database(file), { busyTimeoutMs: 30 })
  other.exec('BEGIN IMMEDIATE')

  await expect(keys?.put('a', 1, null)).rejects.toSatisfy(isUnavailable)
  other.exec('COMMIT')
  expect(await keys?.get('a')).toBeUndefined()
})

it('does not know whether a document was written when its commit fails and SQLite has ended the transaction', async () => {
  const handle = new Database(temporaryFile())
  const database = failing(handle)
  const { keys } = sqlite(database)
  database.failNext('COMMIT', 'SQLITE_IOERR', () => handle.exec('COMMIT'))

  await expect(keys?.put('a', 1, null)).rejects.toSatisfy(isOutcomeUnknown)
  expect((await keys?.get('a'))?.value).toBe(1)
})

it('is unavailable for documents without quoting a statement or a value', async () => {
  const database = failing(new Database(temporaryFile()))
  const { keys } = sqlite(database)
  database.failNext('INSERT INTO farebox_documents', 'SQLITE_FULL')

  await expect(keys?.put('a', 'secret', null)).rejects.toThrow(
    unavailable('The disk is full, or the database has reached its largest size.') as Error,
  )
  expect(await keys?.get('a')).toBeUndefined()
})
