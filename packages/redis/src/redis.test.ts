import type { Clock, Storage } from '@farebox/core'
import { describe, expect, it } from 'vitest'
import { hasRedis } from '../../testkit/src/servers/redis.ts'
import {
  type DurableStorageSubject,
  durableKeyCases,
  durableStorageCases,
  keyCases,
  storageCases,
  trimCases,
} from '../../testkit/src/storage/index.ts'
import { startedServer } from './__fixtures__/started.ts'
import { type RedisOptions, redis } from './index.ts'
import { keyNames } from './key-names.ts'

describe.skipIf(!hasRedis())('on a real server', () => {
  const started = startedServer({ appendonly: 'yes', appendfsync: 'always' })
  let count = 0

  function subject(options: RedisOptions = {}): DurableStorageSubject {
    return {
      async create(clock: Clock) {
        count += 1
        const prefix = `case-${count}`
        let storage: Storage = redis(started.client, { clock, prefix, ...options })
        return {
          storage,
          async reopen() {
            await storage.ledger.close()
            await started.server.crash()
            await started.server.start()
            storage = redis(started.client, { clock, prefix, ...options })
            return storage
          },
          dispose: () => storage.ledger.close(),
        }
      },
    }
  }

  describe('as any storage', () => {
    for (const { name, run } of [...storageCases, ...keyCases, ...trimCases]) it(name, () => run(subject()))
  })

  describe('after the server was killed and started again', () => {
    for (const { name, run } of [...durableStorageCases, ...durableKeyCases]) it(name, () => run(subject()))
  })

  describe('the index of accounts', () => {
    const { waiting, noted, accounts } = keyNames('indexed').bucketOf('alice')
    const hold = { key: 'hold', value: 1, mode: 'replace' as const, dueAt: 5 }

    it('names no account whose write never came, though it was noted before', async () => {
      await started.client.zAdd(accounts, { score: 0, value: 'alice' })
      const { ledger } = redis(started.client, { prefix: 'indexed' })

      expect((await ledger.scan('all', null, 10)).accountIds).toEqual([])
    })

    it('looks no more after an account with nothing waiting, once nobody relies on its note', async () => {
      const { ledger } = redis(started.client, { prefix: 'indexed' })
      await ledger.transact('alice', [], () => ({ result: 0, write: { head: 0, put: [hold] } }))
      const resolved = { key: 'hold', value: 2, mode: 'replace' as const }
      await ledger.transact('alice', [], () => ({ result: 0, write: { head: 0, put: [resolved] } }))

      expect((await ledger.scan({ dueBy: 10 }, null, 10)).accountIds).toEqual([])
      expect(await started.client.zRange(waiting, 0, -1)).toEqual(['alice'])
      await started.client.zAdd(noted, { score: Date.now() - 16 * 60_000, value: 'alice' })
      expect((await ledger.scan({ dueBy: 10 }, null, 10)).accountIds).toEqual([])
      expect(await started.client.zRange(waiting, 0, -1)).toEqual([])
      expect((await ledger.scan('all', null, 10)).accountIds).toEqual(['alice'])
    })

    it('keeps looking after an account whose note is old as long as something waits', async () => {
      const { ledger } = redis(started.client, { prefix: 'indexed' })
      await ledger.transact('alice', [], () => ({ result: 0, write: { head: 0, put: [hold] } }))
      await started.client.zAdd(noted, { score: 1, value: 'alice' })

      expect((await ledger.scan({ dueBy: 4 }, null, 10)).accountIds).toEqual([])
      expect((await ledger.scan({ dueBy: 5 }, null, 10)).accountIds).toEqual(['alice'])
    })
  })

  it('gives back numbers of money beyond what a script can count', async () => {
    const { ledger } = redis(started.client, { prefix: 'large' })
    const amount = 2n ** 63n - 1n
    const write = { head: { amount }, append: [{ seq: 1n, text: String(amount), hash: 'h' }] }
    await ledger.transact('alice', [], () => ({ result: 0, write }))

    expect(await ledger.transact('alice', [], ({ head }) => ({ result: head }))).toEqual({ amount })
    expect(await ledger.journal('alice', 0n, 1)).toEqual(write.append)
  })

  it('uses keys of its own prefix only, all of an account with one hash tag', async () => {
    const names = (await started.client.keys('*')).filter((key) => !/^\{[\w.-]+(:|\/index:\d+\})/.test(key))
    expect(names).toEqual([])
  })

  it('promises what an append-only file that is synced at once promises', async () => {
    const { storage } = await subject().create({ now: () => 0 } as Clock)
    await storage.ledger.scan('all', null, 1)

    expect(storage.ledger.traits).toEqual({ durability: 'local-fsync', sharedBy: 'network' })
  })
})
