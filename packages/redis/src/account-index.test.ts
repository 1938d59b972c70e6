import { afterEach, expect, it, vi } from 'vitest'
import { accountIndex } from './account-index.ts'
import type { Accounts } from './accounts.ts'
import type { Commands } from './commands.ts'
import { indexReader } from './index-reader.ts'
import { keyNames } from './key-names.ts'

const minute = 60_000
let now = 0
afterEach(() => vi.restoreAllMocks())

function open() {
  now = 1_000_000
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  const noted: unknown[][] = []
  const state = { isDown: false }
  const commands: Commands = {
    read: async () => [],
    async write(_script, _keys, args) {
      if (state.isDown) throw new Error('down')
      noted.push([...args])
      return 1
    },
  }
  const names = keyNames('farebox')
  const accounts = {} as Accounts
  return {
    index: accountIndex({ names, commands, accounts, reader: indexReader(names, commands) }),
    noted,
    state,
  }
}

it('notes an account before its first write, and again before the first one that leaves something waiting', async () => {
  const { index, noted } = open()

  await index.note('alice', false)
  expect(index.note('alice', false)).toBeUndefined()
  await index.note('alice', true)
  expect(index.note('alice', true)).toBeUndefined()
  expect(index.note('alice', false)).toBeUndefined()
  expect(noted).toEqual([
    ['alice', '0'],
    ['alice', '1'],
  ])
})

it('renews a note after five minutes without anybody waiting, once at a time', async () => {
  const { index, noted } = open()
  await index.note('alice', true)
  now += 5 * minute + 1

  expect(index.note('alice', true)).toBeUndefined()
  expect(index.note('alice', false)).toBeUndefined()
  expect(noted).toHaveLength(2)
  await Promise.resolve()
  expect(index.note('alice', true)).toBeUndefined()
  expect(noted).toHaveLength(2)
})

it('relies on a note for nine minutes while the node of the index is down, and no longer', async () => {
  const { index, state } = open()
  await index.note('alice', true)
  state.isDown = true
  now += 9 * minute

  expect(index.note('alice', true)).toBeUndefined()
  now += 1
  await expect(index.note('alice', true)).rejects.toThrow('down')
})

it('notes everything again after a server has forgotten something', async () => {
  const { index, noted } = open()
  await index.note('alice', true)
  index.forgetNotes()

  await index.note('alice', true)
  expect(noted).toHaveLength(2)
})
