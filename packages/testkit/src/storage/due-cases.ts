import assert from 'node:assert/strict'
import type { Cut, Put } from '@farebox/core'
import { readCut, write } from './reducers.ts'
import { type StorageCase, storageCase } from './storage-case.ts'

function waiting(key: string, dueAt: number): Put {
  return { key, value: { key }, mode: 'create', dueAt }
}

function dueKeys(cut: Cut): readonly string[] {
  return cut.due.map(({ key }) => key)
}

/** What is due comes up by itself. */
export const dueCases: readonly StorageCase[] = [
  storageCase('tells the time of its clock', async ({ ledger, clock }) => {
    assert.equal((await readCut(ledger, 'alice')).now, 1_000_000)
    clock.advance(1234)
    assert.equal((await readCut(ledger, 'alice')).now, 1_001_234)
  }),

  storageCase('brings up a record from the moment it is due, and not before', async ({ ledger, clock }) => {
    await ledger.transact('alice', [], write(0, { put: [waiting('hold', 1_000_100)] }))

    clock.set(1_000_099)
    assert.deepEqual(dueKeys(await readCut(ledger, 'alice')), [])
    clock.set(1_000_100)
    const cut = await readCut(ledger, 'alice')
    assert.deepEqual(dueKeys(cut), ['hold'])
    assert.deepEqual({ ...(cut.due[0]?.value as object) }, { key: 'hold' })
    assert.equal(cut.moreDue, false)
  }),

  storageCase('brings up a record that was due already when it was written', async ({ ledger }) => {
    await ledger.transact('alice', [], write(0, { put: [waiting('late', 5)] }))

    assert.deepEqual(dueKeys(await readCut(ledger, 'alice')), ['late'])
  }),

  storageCase('brings up the oldest first', async ({ ledger, clock }) => {
    await ledger.transact('alice', [], write(0, { put: [waiting('c', 1_000_030), waiting('a', 1_000_010)] }))
    await ledger.transact('alice', [], write(1, { put: [waiting('d', 1_000_040), waiting('b', 1_000_020)] }))

    clock.advance(35)
    assert.deepEqual(dueKeys(await readCut(ledger, 'alice')), ['a', 'b', 'c'])
  }),

  storageCase('brings up at most 16 and says that more are due', async ({ ledger, clock }) => {
    const puts = Array.from({ length: 17 }, (_, index) => waiting(`hold:${index}`, 1_000_001 + index))
    await ledger.transact('alice', [], write(0, { put: puts }))

    clock.advance(16)
    const sixteen = await readCut(ledger, 'alice')
    assert.deepEqual(
      dueKeys(sixteen),
      puts.slice(0, 16).map(({ key }) => key),
    )
    assert.equal(sixteen.moreDue, false)
    clock.advance(1)
    const more = await readCut(ledger, 'alice')
    assert.deepEqual(
      dueKeys(more),
      puts.slice(0, 16).map(({ key }) => key),
    )
    assert.equal(more.moreDue, true)
  }),

  storageCase('brings up as many as were asked for', async ({ ledger, clock }) => {
    const puts = Array.from({ length: 40 }, (_, index) => waiting(`hold:${index}`, 1_000_001 + index))
    await ledger.transact('alice', [], write(0, { put: puts }))
    clock.advance(1000)

    const thirty = await readCut(ledger, 'alice', [], { dueMax: 30 })
    assert.deepEqual(
      dueKeys(thirty),
      puts.slice(0, 30).map(({ key }) => key),
    )
    assert.equal(thirty.moreDue, true)
    const forty = await readCut(ledger, 'alice', [], { dueMax: 40 })
    assert.equal(forty.due.length, 40)
    assert.equal(forty.moreDue, false)
  }),

  storageCase('also counts what becomes due by a later time that was asked for', async ({ ledger }) => {
    await ledger.transact(
      'alice',
      [],
      write(0, { put: [waiting('soon', 1_000_010), waiting('later', 1_000_020)] }),
    )

    assert.deepEqual(dueKeys(await readCut(ledger, 'alice', [], { dueBy: 1_000_009 })), [])
    const cut = await readCut(ledger, 'alice', [], { dueBy: 1_000_010 })
    assert.deepEqual(dueKeys(cut), ['soon'])
    assert.equal(cut.now, 1_000_000)
  }),

  storageCase(
    'does not lose what is due by its clock when an earlier time was asked for',
    async ({ ledger, clock }) => {
      await ledger.transact('alice', [], write(0, { put: [waiting('hold', 1_000_010)] }))
      clock.advance(10)

      assert.deepEqual(dueKeys(await readCut(ledger, 'alice', [], { dueBy: 5 })), ['hold'])
    },
  ),

  storageCase(
    'no longer brings up a record that was replaced by one without a due time',
    async ({ ledger, clock }) => {
      await ledger.transact('alice', [], write(0, { put: [waiting('hold', 1_000_010)] }))
      await ledger.transact(
        'alice',
        [],
        write(1, { put: [{ key: 'hold', value: 'settled', mode: 'replace' }] }),
      )
      clock.advance(1000)

      const cut = await readCut(ledger, 'alice', ['hold'])
      assert.deepEqual(dueKeys(cut), [])
      assert.equal(cut.records.get('hold'), 'settled')
    },
  ),

  storageCase('follows a due time that is moved, later or earlier', async ({ ledger, clock }) => {
    await ledger.transact('alice', [], write(0, { put: [waiting('hold', 1_000_010)] }))
    const move = (dueAt: number) => write(1, { put: [{ ...waiting('hold', dueAt), mode: 'replace' }] })

    await ledger.transact('alice', [], move(1_000_500))
    clock.advance(100)
    assert.deepEqual(dueKeys(await readCut(ledger, 'alice')), [])
    await ledger.transact('alice', [], move(1_000_050))
    assert.deepEqual(dueKeys(await readCut(ledger, 'alice')), ['hold'])
  }),

  storageCase('shows concurrent calls what the ones before them released', async ({ ledger, clock }) => {
    const puts = Array.from({ length: 100 }, (_, index) => waiting(`hold:${index}`, 1_000_001 + index))
    await ledger.transact('alice', [], write(0, { put: puts }))
    clock.advance(1000)

    const released = await Promise.all(
      Array.from({ length: 10 }, () =>
        ledger.transact('alice', [], (cut) => ({
          result: dueKeys(cut),
          write: {
            head: Number(cut.head) + cut.due.length,
            put: cut.due.map(({ key }) => ({ key, value: 'released', mode: 'replace' as const })),
          },
        })),
      ),
    )

    assert.equal(new Set(released.flat()).size, 100)
    assert.equal(released.flat().length, 100)
    const cut = await readCut(ledger, 'alice')
    assert.equal(cut.head, 100)
    assert.deepEqual(cut.due, [])
  }),

  storageCase('does not bring up the records of another account', async ({ ledger, clock }) => {
    await ledger.transact('alice', [], write(0, { put: [waiting('hold', 1_000_001)] }))
    await ledger.transact('bob', [], write(0))
    clock.advance(10)

    assert.deepEqual((await readCut(ledger, 'bob')).due, [])
  }),

  storageCase('keeps a record until the time it was to be kept', async ({ ledger, clock }) => {
    await ledger.transact(
      'alice',
      [],
      write(0, { put: [{ key: 'op', value: 'done', mode: 'create', keepUntil: 1_000_100 }] }),
    )
    clock.set(1_000_100)
    for (let round = 0; round < 10; round += 1) {
      const put = Array.from({ length: 100 }, (_, index) => ({
        key: `${round}:${index}`,
        value: 0,
        mode: 'create' as const,
      }))
      await ledger.transact('alice', [], write(round, { put }))
    }

    assert.equal((await readCut(ledger, 'alice', ['op'])).records.get('op'), 'done')
  }),
]
