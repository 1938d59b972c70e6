import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Count, type Cut, type Decision, fakeClock, type Put } from '@farebox/core'
import Database from 'libsql'
import { expect, it, onTestFinished } from 'vitest'
import { type SqliteDatabase, sqlite } from './index.ts'

function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'ledger.db')
}

/** A handle that remembers every statement it ran. */
function recorded(database: SqliteDatabase): SqliteDatabase & { readonly statements: string[] } {
  const statements: string[] = []
  return {
    statements,
    exec(sql) {
      statements.push(sql)
      return database.exec(sql)
    },
    prepare(sql) {
      const statement = database.prepare(sql)
      return {
        run(...parameters) {
          statements.push(sql)
          return statement.run(...parameters)
        },
        all(...parameters) {
          statements.push(sql)
          return statement.all(...parameters)
        },
      }
    },
  }
}

function increment(cut: Cut): Decision<number> {
  const count = Number(cut.head ?? 0) + 1
  return { result: count, write: { head: count } }
}

function count(statements: readonly string[], start: string): number {
  return statements.filter((sql) => sql.startsWith(start)).length
}

function limited(limit: number): Count {
  return { name: 'requests', amount: 1, least: 1, limit, untilMs: 60_000 }
}

it('commits the calls of one turn of the event loop together, whatever their accounts', async () => {
  const database = recorded(new Database(temporaryFile()))
  const { ledger } = sqlite(database)
  database.statements.length = 0

  await Promise.all(
    Array.from({ length: 200 }, (_, index) => ledger.transact(`a${index % 7}`, [], increment)),
  )

  expect(count(database.statements, 'COMMIT')).toBe(1)
})

it('writes the head of an account once a commit', async () => {
  const database = recorded(new Database(temporaryFile()))
  const { ledger } = sqlite(database)

  await Promise.all(Array.from({ length: 200 }, () => ledger.transact('alice', [], increment)))

  expect(count(database.statements, 'INSERT INTO farebox_heads')).toBe(1)
})

it('shares the event loop when very many calls wait', async () => {
  const database = recorded(new Database(temporaryFile()))
  const { ledger } = sqlite(database)
  database.statements.length = 0

  await Promise.all(Array.from({ length: 2000 }, () => ledger.transact('alice', [], increment)))

  expect(count(database.statements, 'COMMIT')).toBe(4)
})

it('reads the head of an account once while nobody else writes', async () => {
  const database = recorded(new Database(temporaryFile()))
  const { ledger } = sqlite(database)
  for (let round = 0; round < 10; round += 1) await ledger.transact('alice', [], increment)

  expect(count(database.statements, 'SELECT version, head')).toBe(1)
})

it('reads the head of an account once while its requests are counted and documents are written', async () => {
  const database = recorded(new Database(temporaryFile()))
  const { ledger, keys, counters } = sqlite(database)
  for (let round = 0; round < 10; round += 1) {
    await counters?.take({ accountId: 'alice', nowMs: 0, counts: [limited(5)] })
    await ledger.transact('alice', [], increment)
    await counters?.giveBack({ accountId: 'alice', counts: [{ name: 'requests', amount: 1 }] })
    await keys?.put(`answer/${round}`, 'text', null)
  }

  expect(count(database.statements, 'INSERT INTO farebox_counters')).toBe(10)
  expect(count(database.statements, 'SELECT version, head')).toBe(1)
})

it('reads the head of an account once also when a count was rolled back after it had changed something', async () => {
  const database = recorded(new Database(temporaryFile()))
  const { ledger, counters } = sqlite(database)
  await ledger.transact('alice', [], increment)
  const bad = { ...limited(5), name: 'bad', holder: {} as string }
  await expect(counters?.take({ accountId: 'alice', nowMs: 0, counts: [limited(5), bad] })).rejects.toThrow()

  expect(count(database.statements, 'INSERT INTO farebox_counters')).toBe(2)
  expect(await ledger.transact('alice', [], increment)).toBe(2)
  expect(count(database.statements, 'SELECT version, head')).toBe(1)
})

it('sees what another connection, and another store on the same handle, wrote while requests were counted', async () => {
  const file = temporaryFile()
  const handle = new Database(file)
  const stores = [sqlite(handle), sqlite(new Database(file)), sqlite(handle)]
  const totals: number[] = []
  for (let round = 0; round < 5; round += 1) {
    for (const { ledger, counters } of stores) {
      await counters?.take({ accountId: 'alice', nowMs: 0, counts: [limited(100)] })
      totals.push(await ledger.transact('alice', [], increment))
      await counters?.take({ accountId: 'alice', nowMs: 0, counts: [limited(100)] })
    }
  }

  expect(totals).toEqual(Array.from({ length: 15 }, (_, index) => index + 1))
})

it('does not read an open record again that it wrote itself', async () => {
  const database = recorded(new Database(temporaryFile()))
  const { ledger } = sqlite(database)
  const hold: Put = { key: 'hold', value: { amount: 5n }, mode: 'create', dueAt: Number.MAX_SAFE_INTEGER }
  await ledger.transact('alice', [], () => ({ result: 0, write: { head: 0, put: [hold] } }))
  database.statements.length = 0

  const held = await ledger.transact('alice', ['hold'], ({ records }) => ({ result: records.get('hold') }))

  expect(held).toEqual({ amount: 5n })
  expect(count(database.statements, 'SELECT key, value')).toBe(0)
})

it('sees what another connection wrote in between', async () => {
  const file = temporaryFile()
  const [one, other] = [sqlite(new Database(file)), sqlite(new Database(file))]
  const totals: number[] = []
  for (let round = 0; round < 5; round += 1) {
    totals.push(await one.ledger.transact('alice', [], increment))
    totals.push(await other.ledger.transact('alice', [], increment))
  }

  expect(totals).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
})

it('sees what another store wrote through the same handle', async () => {
  const database = new Database(temporaryFile())
  const [one, other] = [sqlite(database), sqlite(database)]
  const totals = await Promise.all(
    [one, other, one, other].map(({ ledger }) => ledger.transact('a', [], increment)),
  )
  totals.push(await one.ledger.transact('a', [], increment), await other.ledger.transact('a', [], increment))

  expect(totals.toSorted()).toEqual([1, 2, 3, 4, 5, 6])
})

it('does not take the write lock for calls that only read', async () => {
  const file = temporaryFile()
  await sqlite(new Database(file)).ledger.transact('alice', [], increment)
  const other = new Database(file)
  const { ledger } = sqlite(new Database(file))
  other.exec('BEGIN IMMEDIATE')

  expect(await ledger.transact('alice', [], ({ head }) => ({ result: head }))).toBe(1)
  other.exec('ROLLBACK')
})

it('applies nothing of a call whose record cannot be stored, and all of the others', async () => {
  const { ledger } = sqlite(new Database(temporaryFile()))
  const cyclic: { self?: unknown } = {}
  cyclic.self = cyclic
  const bad = (value: unknown, key = 'bad'): Promise<number> =>
    ledger.transact('alice', [], () => ({
      result: 0,
      write: {
        head: 'bad',
        put: [
          { key: 'good', value: 1, mode: 'replace' },
          { key, value: value as string, mode: 'create' },
        ],
      },
    }))

  const results = await Promise.allSettled([
    ledger.transact('alice', [], increment),
    bad(cyclic),
    bad(undefined),
    bad('', 'k'.repeat(513)),
    bad('', 'half \ud83d'),
    ledger.transact('alice', [], () => ({ result: 0, write: { head: undefined as never } })),
    ledger.transact('alice', [], increment),
  ])

  expect(results.map(({ status }) => status === 'fulfilled')).toEqual([
    true,
    false,
    false,
    false,
    false,
    false,
    true,
  ])
  const cut = await ledger.transact('alice', ['good', 'bad'], (cut) => ({ result: cut }))
  expect(cut.head).toBe(2)
  expect(cut.records.size).toBe(0)
})

it('refuses account ids and keys that SQLite would not give back as they are', async () => {
  const { ledger } = sqlite(new Database(temporaryFile()))

  for (const name of ['a\0b', 'half \ud83d', 'x'.repeat(513)]) {
    await expect(ledger.transact(name, [], increment)).rejects.toThrow(RangeError)
    await expect(ledger.transact('alice', [name], increment)).rejects.toThrow(RangeError)
  }
  expect(await ledger.transact('x'.repeat(512), [], increment)).toBe(1)
})

it('refuses a journal entry that does not follow the last one', async () => {
  const { ledger } = sqlite(new Database(temporaryFile()))
  const append = (...seqs: bigint[]): Promise<number> =>
    ledger.transact('alice', [], () => ({
      result: 0,
      write: { head: 0, append: seqs.map((seq) => ({ seq, text: '{}', hash: '' })) },
    }))

  await expect(append(2n)).rejects.toThrow('Journal entry 2 stands where 1 must follow.')
  await append(1n, 2n)
  await expect(append(2n)).rejects.toThrow('must follow')
  await expect(append(3n, 5n)).rejects.toThrow('must follow')
  await append(3n)
  expect((await ledger.journal('alice', 0n, 10)).map(({ seq }) => seq)).toEqual([1n, 2n, 3n])
})

it('forgets expired records in passing, a bounded number at a time', async () => {
  const clock = fakeClock(1_000_000)
  const database = new Database(temporaryFile())
  const { ledger } = sqlite(database, { clock })
  const put = (round: number, keepUntil?: number): Promise<number> =>
    ledger.transact('alice', [], () => ({
      result: 0,
      write: {
        head: 0,
        put: Array.from({ length: 300 }, (_, index) => ({
          key: `${round}:${index}`,
          value: 0,
          mode: 'create',
          keepUntil,
        })),
      },
    }))
  const stored = (): unknown => database.prepare('SELECT count(*) AS records FROM farebox_records').all()[0]

  for (let round = 0; round < 4; round += 1) await put(round, 1_000_100)
  expect(stored()).toEqual({ records: 1200 })
  clock.set(1_000_101)
  await put(4)
  expect(stored()).toEqual({ records: 900 })
  await put(5)
  expect(stored()).toEqual({ records: 600 })
})

it('reads the records that many accounts ask for at once with one statement', async () => {
  const database = recorded(new Database(temporaryFile()))
  const { ledger } = sqlite(database)
  const ids = Array.from({ length: 40 }, (_, index) => `account-${index}`)
  const put = (cut: Cut): Decision<number> => ({
    ...increment(cut),
    write: { head: 1, put: [{ key: 'a"b', value: cut.records.size, mode: 'replace', keepUntil: 5 }] },
  })
  await Promise.all(ids.map((id) => ledger.transact(id, ['a"b'], put)))
  database.statements.length = 0

  const found = await Promise.all(
    ids.map((id) => ledger.transact(id, ['a"b', `only ${id}`], ({ records }) => ({ result: [...records] }))),
  )
  expect(found).toEqual(ids.map(() => [['a"b', 0]]))
  expect(count(database.statements, 'SELECT key, value FROM farebox_records')).toBe(0)
  expect(count(database.statements, 'SELECT r.account')).toBe(1)
})
