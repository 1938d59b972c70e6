import { fileURLToPath } from 'node:url'
import { createLedger, fakeClock, nano, planPreset, systemClock, usd } from '@farebox/core'
import { type RedisClient, type RedisCluster, redis } from '@farebox/redis'
import { createClient, createCluster } from 'redis'
import { afterEach, describe, expect, it } from 'vitest'
import { keyNames } from '../../redis/src/key-names.ts'
import { hasRedis, startRedis, startRedisCluster } from '../../testkit/src/servers/redis.ts'
import { run } from './run.ts'

const here = fileURLToPath(new URL('..', import.meta.url))

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

async function audit(...args: readonly string[]) {
  const written = { out: '', error: '' }
  const code = await run({
    args: ['audit', ...args],
    folder: here,
    out: { write: (text) => (written.out += text) },
    error: { write: (text) => (written.error += text) },
    signal: new AbortController().signal,
    clock: fakeClock(0),
  })
  return { code, ...written }
}

it('says that no server answers, and does not show the password', async () => {
  const { code, error } = await audit('--redis', 'redis://farebox:secret@127.0.0.1:1')

  expect(code).toBe(3)
  expect(error).toContain('The Redis server at 127.0.0.1:1 cannot be reached.')
  expect(error).toContain('ECONNREFUSED')
  expect(error).not.toContain('secret')
})

/** Credit and a request for each account. */
async function spend(client: RedisClient | RedisCluster, accountIds: readonly string[]): Promise<void> {
  const { ledger: store } = redis(client, { prefix: 'money' })
  const ledger = createLedger({ store, plans: planPreset('hf-latest'), clock: systemClock })
  for (const accountId of accountIds) {
    await ledger.grant({ accountId, grantId: 'g', amount: usd('5.00') })
    const subject = { model: 'model', costProviderIds: [], attemptsMax: 1 }
    await ledger.reserve({ accountId, reservationId: 'r', amount: nano(9n), timeToLiveMs: 60_000, subject })
  }
}

describe.skipIf(!hasRedis())('farebox audit --redis, on a real server', () => {
  it('audits every account of a server, and finds what was changed by hand', async () => {
    const server = await startRedis()
    undo.push(() => server.stop())
    await server.ask('ACL', 'SETUSER', 'auditor', 'on', '>s3cret', '~*', '&*', '+@all')
    const client = createClient({ url: server.url })
    await client.connect()
    undo.push(() => client.destroy())
    await spend(client, ['alice', 'bob'])
    const changes = async () =>
      /rdb_changes_since_last_save:\d+/.exec(await server.ask('INFO', 'persistence'))?.[0]
    const before = await changes()
    const url = server.url.replace('//', '//auditor:s3cret@')

    const { code, out } = await audit('--redis', url, '--prefix', 'money')
    expect(code).toBe(0)
    expect(out).toContain('alice: sound.')
    expect(out).toContain('2 accounts: nothing found.')
    expect(before).toMatch(/[1-9]/)
    expect(await changes()).toBe(before)
    expect(await audit('--redis', url)).toMatchObject({ code: 0, out: 'There are no accounts.\n' })

    const { account } = keyNames('money').of('alice')
    const head = (await client.hGet(account, 'head')) ?? ''
    expect(head).toContain('4999999991')
    await client.hSet(account, 'head', head.replace('4999999991', '5999999991'))
    const changed = await audit('alice', '--redis', url, '--prefix', 'money', '--json')
    expect(changed.code).toBe(1)
    expect(JSON.parse(changed.out)).toMatchObject({ accountId: 'alice', isSound: false })
  })

  it('audits every account of a cluster, told of one of its nodes', async () => {
    const cluster = await startRedisCluster()
    undo.push(() => cluster.stop())
    const client = createCluster({ rootNodes: cluster.urls.map((url) => ({ url })) })
    await client.connect()
    undo.push(() => client.destroy())
    const accountIds = Array.from({ length: 12 }, (_, index) => `account-${index}`)
    await spend(client, accountIds)

    const { code, out } = await audit('--redis', cluster.urls[1] ?? '', '--prefix', 'money')

    expect(code).toBe(0)
    expect(out).toContain('12 accounts: nothing found.')
  })

  it('says that the server wants a password', async () => {
    const server = await startRedis()
    undo.push(() => server.stop())
    await server.ask('CONFIG', 'SET', 'requirepass', 's3cret')
    const { code, error } = await audit('--redis', server.url)

    expect(code).toBe(3)
    expect(error).toContain('NOAUTH')
  })

  it('says which prefix cannot be one', async () => {
    const server = await startRedis()
    undo.push(() => server.stop())
    const { code, error } = await audit('--redis', server.url, '--prefix', 'a:b')

    expect(code).toBe(2)
    expect(error).toContain('prefix')
  })
})
