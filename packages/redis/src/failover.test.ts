import {
  type Cut,
  createLedger,
  type Decision,
  decodeValue,
  encodeValue,
  isOutcomeUnknown,
  isUnavailable,
  planPreset,
  systemClock,
  type Value,
} from '@farebox/core'
import { createClient, createCluster } from 'redis'
import { afterEach, describe, expect, it } from 'vitest'
import { hasRedis, type RedisServer, startRedis, startRedisCluster } from '../../testkit/src/servers/redis.ts'
import { startTcpProxy, type TcpProxy } from '../../testkit/src/servers/tcp-proxy.ts'
import {
  type RedisClient,
  type RedisEvent,
  type RedisOptions,
  type RedisStorage,
  type RememberedWrite,
  redis,
} from './index.ts'

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

/** Long after these tests: as long as nothing is due, a write is decided on what is remembered. */
const later = 10_000_000_000_000

/** Adds one, and leaves a record and an entry of it. */
function count(cut: Cut): Decision<number> {
  const total = Number(cut.head ?? 0) + 1
  return {
    result: total,
    write: {
      head: total,
      put: [{ key: `op:${total}`, value: total, mode: 'create', dueAt: later + total }],
      append: [{ seq: BigInt(total), text: `entry ${total}`, hash: String(total) }],
    },
  }
}

function look(cut: Cut): Decision<Cut> {
  return { result: cut }
}

function isRegressed(error: unknown): boolean {
  return error instanceof Error && error.name === 'StoreRegressed' && isUnavailable(error)
}

interface Process extends RedisStorage {
  readonly events: RedisEvent[]
  add(): Promise<number>
}

interface Pair {
  readonly primary: RedisServer
  readonly replica: RedisServer
  readonly link: TcpProxy
  /** A storage as a process of its own would have it. */
  start(options?: RedisOptions): Promise<Process>
  /** From now on the replica misses everything. */
  cutOff(): Promise<void>
  /** The primary is gone, and the replica takes its place. */
  failOver(): Promise<void>
}

async function startPair(): Promise<Pair> {
  const primary = await startRedis()
  undo.push(() => primary.stop())
  const link = await startTcpProxy(primary.port)
  undo.push(() => link.close())
  const replica = await startRedis({ replicaof: `127.0.0.1 ${link.port}` })
  undo.push(() => replica.stop())
  await expect.poll(() => replica.ask('INFO', 'replication')).toContain('master_link_status:up')

  async function clientOf(port: number) {
    const client = createClient({ url: `redis://127.0.0.1:${port}`, socket: { reconnectStrategy: 20 } })
    client.on('error', () => {})
    await client.connect()
    undo.push(() => client.destroy())
    return client
  }
  let port = primary.port
  const isSynced = async (): Promise<boolean> => {
    const [here, there] = await Promise.all(
      [primary, replica].map((server) => server.ask('INFO', 'replication')),
    )
    const offset = (text = '') => /master_repl_offset:(\d+)/.exec(text)?.[1]
    return offset(here) === offset(there)
  }

  return {
    primary,
    replica,
    link,
    async start(options = {}) {
      // Whoever moves the address to the new primary: the clients follow.
      const clients = new Map<number, ReturnType<typeof clientOf>>()
      const client: RedisClient = {
        async sendCommand(args, commandOptions) {
          const current = clients.get(port) ?? clientOf(port)
          clients.set(port, current)
          return (await current).sendCommand([...args], commandOptions)
        },
      }
      const events: RedisEvent[] = []
      const storage = redis(client, {
        waitTimeoutMs: 1000,
        onEvent: (event) => events.push(event),
        ...options,
      })
      return { ...storage, events, add: () => storage.ledger.transact('alice', [], count) }
    },
    async cutOff() {
      await expect.poll(isSynced).toBe(true)
      link.swallow(true)
    },
    async failOver() {
      await primary.crash()
      await replica.ask('REPLICAOF', 'NO', 'ONE')
      port = replica.port
    },
  }
}

async function add(process: Process, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) await process.add()
}

/** Everything there is of the account: head, version, records, entries. */
async function stateOf({ ledger }: RedisStorage): Promise<unknown> {
  const keys = Array.from({ length: 12 }, (_, index) => `op:${index + 1}`)
  const { head, version, records, due } = await ledger.transact('alice', keys, look, { dueBy: 2 * later })
  return {
    head,
    version,
    records: [...records],
    due: due.length,
    entries: await ledger.journal('alice', 0n, 100),
  }
}

function wholeState(total: number): unknown {
  const numbers = Array.from({ length: total }, (_, index) => index + 1)
  return {
    head: total,
    version: BigInt(total),
    records: numbers.map((number) => [`op:${number}`, number]),
    due: total,
    entries: numbers.map((number) => ({
      seq: BigInt(number),
      text: `entry ${number}`,
      hash: String(number),
    })),
  }
}

describe.skipIf(!hasRedis())('a replica that takes over without the last writes', () => {
  it('failure 19: is given them again by the process that made them, to the letter, and says so', async () => {
    const pair = await startPair()
    const process = await pair.start()
    await add(process, 5)
    await pair.cutOff()
    await add(process, 4)
    await pair.failOver()

    expect(await process.add()).toBe(10)

    expect(await stateOf(process)).toEqual(wholeState(10))
    expect(process.events).toMatchObject([
      { kind: 'account-regressed', accountId: 'alice', seen: 9n, found: 5n },
      { kind: 'account-repaired', accountId: 'alice', version: 9n, replayed: 4 },
    ])
  })

  it('failure 19: is given a whole account again that it never had', async () => {
    const pair = await startPair()
    const process = await pair.start()
    await pair.cutOff()
    await add(process, 3)
    await pair.failOver()

    expect(await process.add()).toBe(4)
    expect(await stateOf(process)).toEqual(wholeState(4))
  })

  it('failure 19: serves nobody until every process has given back its part', async () => {
    const pair = await startPair()
    const [first, second, third] = await Promise.all([pair.start(), pair.start(), pair.start()])
    await add(first, 5)
    await pair.cutOff()
    await first.add()
    await second.add()
    await first.add()
    await pair.failOver()

    await expect(first.add()).rejects.toSatisfy(isRegressed)
    await expect(third.add()).rejects.toSatisfy(isRegressed)
    await expect(third.ledger.transact('alice', [], look)).rejects.toSatisfy(isRegressed)
    await expect(second.add()).rejects.toSatisfy(isRegressed)
    expect(await first.add()).toBe(9)
    expect(await third.add()).toBe(10)
    expect(await stateOf(second)).toEqual(wholeState(10))
  })

  it('refuses requests of the stopped account as unavailable, and of no other', async () => {
    const pair = await startPair()
    const [writer, reader] = await Promise.all([pair.start(), pair.start()])
    await writer.ledger.transact('bob', [], count)
    await pair.cutOff()
    await add(writer, 2)
    await reader.ledger.transact('alice', [], look)
    await pair.failOver()

    const ledger = createLedger({ store: reader.ledger, plans: planPreset('hf-latest'), clock: systemClock })
    await expect(ledger.balance('alice')).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(await reader.ledger.transact('bob', [], count)).toBe(2)
    expect(reader.events.map(({ kind }) => kind)).toEqual(['account-regressed'])
  })

  it('failure 19: is repaired from writes that were kept elsewhere, when their process is gone', async () => {
    const pair = await startPair()
    const kept: string[] = []
    const gone = await pair.start({ onWrite: (write) => kept.push(encodeValue(write as unknown as Value)) })
    const witness = await pair.start()
    await add(gone, 5)
    await pair.cutOff()
    await add(gone, 3)
    await witness.ledger.transact('alice', [], look)
    await pair.failOver()
    await expect(witness.add()).rejects.toSatisfy(isRegressed)
    const writes = kept.map((text) => decodeValue(text) as unknown as RememberedWrite)
    const operator = await pair.start()

    expect(await operator.recovery.repair('alice', writes.slice(0, 7))).toMatchObject({
      outcome: 'stopped',
      replayed: 2,
      version: 7n,
      reason: expect.stringContaining('version 8'),
    })
    expect(await operator.recovery.repair('alice', writes)).toEqual({
      outcome: 'whole',
      replayed: 1,
      version: 8n,
    })
    expect(await operator.recovery.repair('alice', writes)).toEqual({
      outcome: 'whole',
      replayed: 0,
      version: 8n,
    })
    expect(await witness.add()).toBe(9)
    expect(await stateOf(witness)).toEqual(wholeState(9))
  })

  it('is stopped when others have written in place of what was lost, until somebody accepts the loss', async () => {
    const pair = await startPair()
    const [first, second] = await Promise.all([pair.start(), pair.start()])
    await add(first, 5)
    await second.add()
    await pair.cutOff()
    await add(first, 2)
    await pair.failOver()
    // It has not seen what was lost, so it can not know.
    expect(await second.add()).toBe(7)
    await add(second, 2)

    await expect(first.add()).rejects.toSatisfy(isRegressed)
    await expect(second.add()).rejects.toSatisfy(isRegressed)
    expect(first.events).toMatchObject([
      { kind: 'account-regressed', reason: expect.stringContaining('in their place') },
    ])
    expect(await first.recovery.repair('alice')).toMatchObject({ outcome: 'stopped', replayed: 0 })
    expect(
      first.recovery
        .remembered('alice')
        .map(({ entries }) => entries[0]?.text)
        .slice(-2),
    ).toEqual(['entry 7', 'entry 8'])
    const operator = await pair.start()
    await operator.recovery.acceptLoss('alice')

    expect(await first.add()).toBe(10)
    expect(await second.add()).toBe(11)
    expect(await stateOf(first)).toEqual(wholeState(11))
  })

  it('does not write on what it remembers when another write has the same version', async () => {
    const pair = await startPair()
    const [first, second] = await Promise.all([pair.start(), pair.start()])
    await first.add()
    await pair.cutOff()
    await first.add()
    await pair.failOver()
    await second.ledger.transact('alice', [], () => ({ result: 0, write: { head: 'other' } }))

    await expect(first.add()).rejects.toSatisfy(isRegressed)
    expect(await pair.replica.ask('HGET', '{farebox:alice}:account', 'head')).toContain('"other"')
  })
})

describe.skipIf(!hasRedis())('waiting for replicas', () => {
  it('answers when enough replicas have confirmed a write, and does not know the outcome otherwise', async () => {
    const pair = await startPair()
    const process = await pair.start({ wait: { replicas: 1, timeoutMs: 30_000 }, answerTimeoutMs: 60_000 })
    expect(await process.add()).toBe(1)
    expect(process.ledger.traits.durability).toBe('async-replica')
    await pair.cutOff()

    const hasty = await pair.start({ wait: { replicas: 1, timeoutMs: 50 } })
    await Promise.all([
      expect(hasty.add()).rejects.toSatisfy(isOutcomeUnknown),
      expect(hasty.keys?.put('a', 1, null)).rejects.toSatisfy(isOutcomeUnknown),
    ])
  })

  it('failure 19: loses nothing in a cluster whose node is killed, and goes on with its replica', async () => {
    const cluster = await startRedisCluster({ hasReplicas: true })
    undo.push(() => cluster.stop())
    const client = createCluster({
      rootNodes: cluster.nodes.map(({ url }) => ({ url })),
      defaults: { socket: { reconnectStrategy: 50 } },
    })
    client.on('error', () => {})
    await client.connect()
    undo.push(() => client.destroy())
    const careful = redis(client, { wait: { replicas: 1, timeoutMs: 30_000 }, answerTimeoutMs: 60_000 })
    const ids = Array.from({ length: 12 }, (_, index) => `account-${index}`)
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(ids.map((id) => careful.ledger.transact(id, [], count)))
    }
    await cluster.nodes[0]?.crash()

    // The replica that took over has no replica of its own that could confirm anything.
    const { ledger } = redis(client, { waitTimeoutMs: 500, answerTimeoutMs: 4000 })
    for (const id of ids) {
      const again = (): Promise<number | undefined> => ledger.transact(id, [], count).catch(() => undefined)
      let total: number | undefined
      await expect.poll(async () => (total = await again())).toBeGreaterThanOrEqual(4)
      expect(await ledger.journal(id, 0n, 100)).toHaveLength(total ?? 0)
    }
  })
})
