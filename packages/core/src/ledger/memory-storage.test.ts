import { describe, expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import { memoryStorage } from './memory-storage.ts'
import type { Put } from './storage.ts'

const put = (key: string, keepUntil?: number, dueAt?: number): Put => ({
  key,
  value: key,
  mode: 'replace',
  keepUntil,
  dueAt,
})

describe('memory', () => {
  it('forgets records past their time with every 4,096th write of an account, and no others', async () => {
    const clock = fakeClock(1000)
    const { ledger } = memoryStorage({ clock })
    const write = (...puts: Put[]) =>
      ledger.transact('alice', [], () => ({ result: 0, write: { head: 1, put: puts } }))
    const keys = ['past', 'due', 'now', 'for good']
    const kept = () => ledger.transact('alice', keys, ({ records }) => ({ result: [...records.keys()] }))

    await write(put('past', 1049), put('due', 1049, 1010), put('now', 1050), put('for good'))
    clock.advance(50)
    for (let count = 1; count < 4095; count += 1) await write()
    expect(await kept()).toEqual(keys)
    await write()
    expect(await kept()).toEqual(['now', 'for good'])
    const due = await ledger.transact('alice', [], (cut) => ({ result: cut.due }))
    expect(due).toEqual([])

    clock.advance(1)
    for (let count = 1; count < 4096; count += 1) await write()
    expect(await kept()).toEqual(['now', 'for good'])
    await write()
    expect(await kept()).toEqual(['for good'])
  })

  it('brings up records that are due at the same time by key, like every store', async () => {
    const { ledger } = memoryStorage({ clock: fakeClock(1000) })
    const puts = ['d', 'b', 'e', 'a', 'c'].map((key) => put(key, undefined, 10))
    await ledger.transact('alice', [], () => ({ result: 0, write: { head: 1, put: puts } }))
    const { due, moreDue } = await ledger.transact('alice', [], (cut) => ({ result: cut }), { dueMax: 4 })
    expect(due.map(({ key }) => key)).toEqual(['a', 'b', 'c', 'd'])
    expect(moreDue).toBe(true)
    await ledger.transact('bob', [], () => ({ result: 0, write: { head: 1, put: puts.slice(0, 2) } }))
    const { due: two } = await ledger.transact('bob', [], (cut) => ({ result: cut }))
    expect(two.map(({ key }) => key)).toEqual(['b', 'd'])
  })
})
