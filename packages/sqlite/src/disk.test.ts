import { closeSync, mkdtempSync, openSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cut, type Decision, isUnavailable, type StoredEntry } from '@farebox/core'
import Database from 'libsql'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hasSmallDisks, makeSmallDisk } from '../../testkit/src/servers/small-disk.ts'
import { sqlite } from './index.ts'

/** Adds one to the head, and an entry of about a page to the journal. */
function book(cut: Cut): Decision<number> {
  const count = Number(cut.head ?? 0) + 1
  const entry: StoredEntry = { seq: BigInt(count), text: 'x'.repeat(4000), hash: 'f'.repeat(64) }
  return { result: count, write: { head: count, append: [entry] } }
}

function look(cut: Cut): Decision<Cut['head']> {
  return { result: cut.head }
}

function unavailable(message: RegExp): unknown {
  return expect.toSatisfy((error) => isUnavailable(error) && message.test(error.message))
}

describe.skipIf(!hasSmallDisks())('a file on a disk that is full', () => {
  it('is unavailable and says why, loses nothing that was answered, and works again when there is room', async () => {
    const disk = makeSmallDisk(4)
    onTestFinished(() => disk.remove())
    const file = join(disk.folder, 'ledger.db')
    const database = new Database(file)
    const { ledger } = sqlite(database)
    for (let count = 1; count <= 20; count += 1) expect(await ledger.transact('alice', [], book)).toBe(count)
    disk.fill()
    // The write-ahead log is used again from its beginning for as long as it was checkpointed.
    let answered = 20
    let failure: unknown
    for (; failure === undefined && answered < 5000; answered += 1)
      failure = await ledger.transact('alice', [], book).then(
        () => undefined,
        (error: unknown) => error,
      )
    answered -= 1
    // It fails as it commits. Nothing was applied, but only what is read next proves it.
    const full = 'The commit failed. The disk is full, or the database has reached its largest size.'
    expect(failure).toMatchObject({ name: 'OutcomeUnknown', message: full })
    await expect(ledger.transact('alice', [], book)).rejects.toThrow('The disk is full')
    expect(await ledger.transact('alice', [], look)).toBe(answered)

    disk.free()
    expect(await ledger.transact('alice', [], book)).toBe(answered + 1)
    await ledger.close()
    database.close()
    const again = sqlite(new Database(file)).ledger
    expect(await again.transact('alice', [], look)).toBe(answered + 1)
    expect(await again.journal('alice', 0n, 10_000)).toHaveLength(answered + 1)
  })

  it('says so at the start', () => {
    const disk = makeSmallDisk(1)
    onTestFinished(() => disk.remove())
    disk.fill()
    expect(() => sqlite(new Database(join(disk.folder, 'ledger.db')))).toThrow(
      unavailable(/disk is full/) as Error,
    )
  })
})

describe('a file that is damaged', () => {
  /** A file of hundreds of pages that nobody has open, without a write-ahead log. */
  async function writtenFile(): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'farebox-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const database = new Database(join(folder, 'ledger.db'))
    const { ledger } = sqlite(database)
    await Promise.all(ids.map((id) => ledger.transact(id, [], book)))
    const file = join(folder, 'copy.db')
    database.exec(`VACUUM INTO '${file}'`)
    return file
  }

  const ids = Array.from({ length: 500 }, (_, index) => `account-${index}`)
  const damaged = unavailable(/^The database file is damaged/) as Error

  it('is unavailable to everyone who needs what is broken, and never answers as if nothing were there', async () => {
    const file = await writtenFile()
    const handle = openSync(file, 'r+')
    // All pages but the first ones, with which the tables begin.
    for (let page = 12 * 4096; page < statSync(file).size; page += 4096)
      writeSync(handle, Buffer.alloc(4096, 0xa5), 0, 4096, page)
    closeSync(handle)

    const { ledger } = sqlite(new Database(file))
    await expect(ledger.transact('account-1', [], look)).rejects.toThrow(damaged)
    await expect(ledger.transact('account-1', [], book)).rejects.toThrow(damaged)
    await expect(ledger.journal('account-1', 0n, 1)).rejects.toThrow(damaged)
    await expect(ledger.scan('all', null, 10)).rejects.toThrow(damaged)
  })

  it('is unavailable where a part was cut off', async () => {
    const file = await writtenFile()
    truncateSync(file, Math.floor(statSync(file).size / 2 / 4096) * 4096)
    const readAll = async () => {
      const { ledger } = sqlite(new Database(file))
      for (const id of ids) expect(await ledger.journal(id, 0n, 1)).toHaveLength(1)
    }
    await expect(readAll()).rejects.toThrow(damaged)
  })

  it('says that it is no database at the start when its first page is broken', async () => {
    const file = await writtenFile()
    const handle = openSync(file, 'r+')
    writeSync(handle, Buffer.alloc(100, 0xa5), 0, 100, 0)
    closeSync(handle)
    expect(() => sqlite(new Database(file))).toThrow(damaged)
  })
})
