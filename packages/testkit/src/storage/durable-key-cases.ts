import assert from 'node:assert/strict'
import { type DurableStorageCase, durableKeyCase } from './storage-case.ts'

/** For documents that outlive the store: what was answered is still there. */
export const durableKeyCases: readonly DurableStorageCase[] = [
  durableKeyCase('shows documents with their versions after it is opened anew', async ({ keys, reopen }) => {
    await keys.put('a:1', { amount: 5n }, null)
    await keys.put('a:2', 'second', null)
    const before = await keys.list('a:', null, 10)

    const reopened = await reopen()

    assert.deepEqual(await reopened.list('a:', null, 10), before)
    assert.deepEqual((await reopened.get('a:1'))?.value, { amount: 5n })
  }),

  durableKeyCase('goes on with versions where it stopped', async ({ keys, reopen }) => {
    await keys.put('a', 'first', null)
    const first = (await keys.get('a'))?.version ?? 0n
    await keys.put('a', 'second', first)
    const second = (await keys.get('a'))?.version ?? 0n
    await keys.delete('a', second)

    const reopened = await reopen()
    await reopened.put('a', 'third', null)

    assert.equal(await reopened.put('a', 'stale', first), false)
    assert.equal(await reopened.put('a', 'stale', second), false)
    assert.equal((await reopened.get('a'))?.value, 'third')
  }),
]
