import { type Cut, type Decision, isUnavailable } from '@farebox/core'
import { createClient } from 'redis'
import { createClient as createClient5 } from 'redis5'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { hasRedis, type RedisServer, startRedis } from '../../testkit/src/servers/redis.ts'
import { type RedisEvent, type RedisOptions, redis } from './index.ts'

function increment(cut: Cut): Decision<number> {
  const count = Number(cut.head ?? 0) + 1
  return { result: count, write: { head: count } }
}

function look(cut: Cut): Decision<Cut['head']> {
  return { result: cut.head }
}

function unavailable(message: RegExp): Error {
  return expect.toSatisfy((error) => isUnavailable(error) && message.test(error.message)) as Error
}

describe.skipIf(!hasRedis())('Redis out of reach', () => {
  let server: RedisServer
  let count = 0
  beforeAll(async () => {
    server = await startRedis({ appendonly: 'yes' })
  })
  afterAll(() => server.stop())

  async function clientOf(port: number = server.port) {
    const client = createClient({
      url: `redis://127.0.0.1:${port}`,
      socket: { reconnectStrategy: 10 },
    })
    client.on('error', () => {})
    await client.connect()
    onTestFinished(() => client.destroy())
    return client
  }

  async function storeOn(port: number = server.port, options: RedisOptions = {}) {
    count += 1
    return redis(await clientOf(port), { prefix: `outage-${count}`, ...options }).ledger
  }

  it.each([
    ['6', createClient],
    ['5', createClient5],
  ] as const)('works with version %s of the driver, with both protocols', async (_version, create) => {
    for (const RESP of [2, 3] as const) {
      const client = (create as typeof createClient)({ url: server.url, RESP })
      client.on('error', () => {})
      await client.connect()
      onTestFinished(() => client.destroy())
      count += 1
      const { ledger, keys } = redis(client, { prefix: `outage-${count}` })
      const put = [{ key: 'k', value: 5n, mode: 'create' as const, dueAt: 1 }]
      await ledger.transact('alice', [], () => ({ result: 0, write: { head: 1, put } }))

      const cut = await ledger.transact('alice', ['k', 'none'], (found) => ({ result: found }))
      expect([cut.head, cut.records.get('k'), cut.records.size, cut.due]).toMatchObject([
        1,
        5n,
        1,
        [{ key: 'k' }],
      ])
      expect((await ledger.scan({ dueBy: 5 }, null, 10)).accountIds).toEqual(['alice'])
      expect(await keys?.put('a', 'document', null)).toBe(true)
      expect((await keys?.list('', null, 10))?.documents).toHaveLength(1)
    }
  })

  it('failure 4: is unavailable while the server is down, and goes on by itself afterwards', async () => {
    const own = await startRedis({ appendonly: 'yes', appendfsync: 'always' })
    onTestFinished(() => own.stop())
    // Not to be sent is given up soon. An answer of a server that is up is waited for as usual, however busy it is.
    const ledger = await storeOn(own.port, { waitTimeoutMs: 100 })
    await ledger.transact('alice', [], increment)
    await own.crash()

    // Who looks is the first to notice: a write might have been sent just before.
    await expect(ledger.transact('alice', [], look)).rejects.toSatisfy(isUnavailable)
    await expect(ledger.transact('alice', [], increment)).rejects.toSatisfy(isUnavailable)
    await expect(ledger.scan('all', null, 1)).rejects.toSatisfy(isUnavailable)
    await own.start()
    await expect.poll(() => ledger.transact('alice', [], look).catch(() => undefined)).toBe(1)
    expect(await ledger.transact('alice', [], increment)).toBe(2)
  })

  it('is unavailable when its client was never connected', async () => {
    const { ledger } = redis(createClient({ url: server.url }))

    await expect(ledger.transact('alice', [], increment)).rejects.toThrow(unavailable(/connect\(\) it first/))
  })

  it('is unavailable when the memory of the server is full, and applies nothing', async () => {
    const own = await startRedis()
    onTestFinished(() => own.stop())
    const ledger = await storeOn(own.port)
    await ledger.transact('alice', [], increment)
    await own.ask('CONFIG', 'SET', 'maxmemory', '1')

    await expect(ledger.transact('alice', [], increment)).rejects.toThrow(unavailable(/out of memory/))
    expect(await ledger.transact('alice', [], look)).toBe(1)
    await own.ask('CONFIG', 'SET', 'maxmemory', '0')
    expect(await ledger.transact('alice', [], increment)).toBe(2)
  })

  it('is unavailable when the server has fewer replicas than it must have', async () => {
    const own = await startRedis()
    onTestFinished(() => own.stop())
    const ledger = await storeOn(own.port)
    await ledger.transact('alice', [], increment)
    await own.ask('CONFIG', 'SET', 'min-replicas-to-write', '1')

    await expect(ledger.transact('alice', [], increment)).rejects.toThrow(unavailable(/not enough replicas/))
    await expect(ledger.transact('alice', [], look)).rejects.toThrow(unavailable(/not enough replicas/))
  })

  it.each(['allkeys-lru', 'volatile-ttl', 'allkeys-random'])(
    'refuses a server that would throw keys away (%s), and says what to set',
    async (policy) => {
      await server.ask('CONFIG', 'SET', 'maxmemory-policy', policy)
      onTestFinished(async () => void (await server.ask('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')))
      const ledger = await storeOn()

      await expect(ledger.transact('alice', [], increment)).rejects.toThrow(unavailable(/noeviction/))
      await expect(ledger.transact('alice', [], look)).rejects.toThrow(unavailable(/noeviction/))
      await server.ask('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
      expect(await ledger.transact('alice', [], increment)).toBe(1)
    },
  )

  it('warns once when the server does not tell whether it throws keys away', async () => {
    const client = await clientOf()
    const events: RedisEvent[] = []
    const secretive = {
      sendCommand: async (args: readonly (string | Buffer)[], options?: object) => {
        if (args[0] === 'CONFIG')
          throw new Error("NOPERM this user has no permissions to run the 'config' command")
        return args[0] === 'INFO' ? '# Server\r\nrole:master\r\n' : client.sendCommand([...args], options)
      },
    }
    const { ledger } = redis(secretive, { prefix: 'secretive', onEvent: (event) => events.push(event) })

    expect(await ledger.transact('alice', [], increment)).toBe(1)
    expect(events.map(({ kind }) => kind)).toEqual(['settings-unknown'])
    expect(ledger.traits.durability).toBe('none')
  })

  it('decides anew when the time it decided by is not the time of the server', async () => {
    const ledger = await storeOn()
    const tell = (cut: Cut): Decision<number> => ({ result: cut.now, write: { head: 1 } })
    await ledger.transact('alice', [], tell)
    // As after a sleep, or when the server's clock was set: counting on was wrong.
    const real = performance.now.bind(performance)
    vi.spyOn(performance, 'now').mockImplementation(() => real() + 60_000)
    onTestFinished(() => void vi.restoreAllMocks())

    expect(Math.abs((await ledger.transact('alice', [], tell)) - Date.now())).toBeLessThan(10_000)
  })

  it('refuses a prefix that could be mistaken for another one', () => {
    const client = createClient({ url: server.url })
    for (const prefix of ['', 'a:b', 'a{b', 'a}', 'a/b', 'x'.repeat(65)]) {
      expect(() => redis(client, { prefix })).toThrow(/prefix/)
    }
  })
})
