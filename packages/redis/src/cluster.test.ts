import { fakeClock } from '@farebox/core'
import { createCluster } from 'redis'
import { describe, expect, it } from 'vitest'
import { hasRedis, startRedisCluster } from '../../testkit/src/servers/redis.ts'
import { keyCases, type StorageSubject, storageCases, trimCases } from '../../testkit/src/storage/index.ts'
import { increment, readCut } from '../../testkit/src/storage/reducers.ts'
import { startedCluster } from './__fixtures__/started.ts'
import { redis } from './index.ts'
import { keyNames } from './key-names.ts'
import { slotOf } from './slot.ts'

describe.skipIf(!hasRedis())('on a cluster of three nodes', () => {
  const started = startedCluster()
  let count = 0

  const subject: StorageSubject = {
    async create(clock) {
      count += 1
      const storage = redis(started.client, { clock, prefix: `case-${count}` })
      return { storage, dispose: () => storage.ledger.close() }
    },
  }

  for (const { name, run } of [...storageCases, ...keyCases, ...trimCases]) it(name, () => run(subject))

  it('keeps accounts on all nodes, and lists all of them', async () => {
    const { ledger } = redis(started.client, { clock: fakeClock(0), prefix: 'spread' })
    const ids = Array.from({ length: 200 }, (_, index) => `account-${index}`)
    await Promise.all(ids.map((id) => ledger.transact(id, [], increment)))

    const sizes = await Promise.all(started.server.nodes.map((node) => node.ask('DBSIZE')))
    expect(sizes.every((size) => Number(size.slice(1)) > 100)).toBe(true)
    expect((await ledger.scan('all', null, 1000)).accountIds).toEqual(ids.toSorted())
  })

  it('keeps accounts apart whose ids hold braces, and each in one slot', async () => {
    const { ledger } = redis(started.client, { clock: fakeClock(0), prefix: 'braces' })
    const ids = ['', '{', '}', '{}', '{a}', '}a{', 'a}b', 'a%7Db', '{{a}}', '%', 'é}😀']
    await Promise.all(
      ids.map((id) =>
        ledger.transact(id, [], () => ({
          result: 0,
          write: { head: id, put: [{ key: 'k', value: id, mode: 'create', dueAt: 5 }] },
        })),
      ),
    )

    for (const id of ids) expect((await readCut(ledger, id, ['k'])).head).toBe(id)
    expect((await ledger.scan({ dueBy: 10 }, null, 100)).accountIds.toSorted()).toEqual(ids.toSorted())
    for (const id of ids) {
      expect(new Set(Object.values(keyNames('braces').of(id)).map(slotOf)).size).toBe(1)
    }
  })

  it('computes the slot of a key as the cluster does', async () => {
    for (const id of ['alice', '{a}', 'é}😀', '']) {
      const { account } = keyNames('farebox').of(id)
      expect(await started.server.nodes[0]?.ask('CLUSTER', 'KEYSLOT', account)).toBe(
        `:${slotOf(account)}\r\n`,
      )
    }
  })

  it('goes on counting on a node that has forgotten every script', async () => {
    const { ledger } = redis(started.client, { clock: fakeClock(0), prefix: 'flushed' })
    const ids = Array.from({ length: 12 }, (_, index) => `account-${index}`)
    for (let round = 1; round <= 3; round += 1) {
      await Promise.all(started.server.nodes.map((node) => node.ask('SCRIPT', 'FLUSH')))
      const results = await Promise.all(ids.map((id) => ledger.transact(id, [], increment)))
      expect(results).toEqual(ids.map(() => round))
    }
  })
})

describe.skipIf(!hasRedis())('while a slot of the cluster moves', () => {
  it('loses no write and counts none twice', async () => {
    const cluster = await startRedisCluster()
    const client = createCluster({ rootNodes: cluster.urls.map((url) => ({ url })) })
    client.on('error', () => {})
    await client.connect()
    try {
      const { ledger } = redis(client, { clock: fakeClock(0) })
      const { account } = keyNames('farebox').of('alice')
      const slot = String(slotOf(account))
      let isOver = false
      const answered: number[] = []
      const refused: unknown[] = []
      const work = async (): Promise<void> => {
        while (!isOver) {
          await ledger.transact('alice', [], increment).then(
            (total) => answered.push(total),
            (error: unknown) => refused.push(error),
          )
        }
      }
      const working = Promise.all(Array.from({ length: 8 }, work))
      const nodes = cluster.nodes
      const ids = await Promise.all(
        nodes.map(async (node) => /\r\n(\w+)/.exec(await node.ask('CLUSTER', 'MYID'))?.[1] ?? ''),
      )
      while (answered.length < 10) await new Promise((resolve) => setTimeout(resolve, 5))
      let from = nodes.findIndex((_, index) => Number(slot) <= ([5460, 10922, 16383][index] ?? 0))
      for (let move = 0; move < 4; move += 1) {
        const to = (from + 1) % 3
        await nodes[to]?.ask('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from] ?? '')
        await nodes[from]?.ask('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to] ?? '')
        for (const key of Object.values(keyNames('farebox').of('alice'))) {
          // Long enough to be met in parts, and over before a call gives up, which tries for most of a second.
          await new Promise((resolve) => setTimeout(resolve, 5))
          const moved = await nodes[from]?.ask(
            'MIGRATE',
            '127.0.0.1',
            String(nodes[to]?.port),
            key,
            '0',
            '5000',
          )
          expect(moved).toBe('+OK\r\n')
        }
        for (const node of nodes) await node.ask('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to] ?? '')
        from = to
      }
      const soFar = answered.length
      while (answered.length < soFar + 50) await new Promise((resolve) => setTimeout(resolve, 5))
      isOver = true
      await working

      expect(refused).toEqual([])
      expect(new Set(answered).size).toBe(answered.length)
      expect((await readCut(ledger, 'alice')).head).toBe(answered.length)
    } finally {
      client.destroy()
      await cluster.stop()
    }
  })
})
