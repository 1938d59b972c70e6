import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { claimPort } from './port.ts'

/** A Redis server of a test's own, on a folder of its own. It ends with the process that started it, however that ends. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  /** Asks the server itself, on a connection of its own. Gives the raw answer. */
  ask(...command: readonly string[]): Promise<string>
  /** Ends at once, as a crash would, and stays down until it is started. */
  crash(): Promise<void>
  start(): Promise<void>
  /** Stops answering without ending, and goes on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
  stop(): Promise<void>
}

export interface RedisCluster {
  /** Of the first three nodes, which have the slots in thirds. */
  readonly urls: readonly string[]
  readonly nodes: readonly RedisServer[]
  stop(): Promise<void>
}

const program = process.env['FAREBOX_REDIS_SERVER'] ?? 'redis-server'

/**
 * Whether the server's program is on this machine. Where it has to be, with `CI` set, this throws; elsewhere the tests that
 * need it are left out and say what to install.
 */
export function hasRedis(): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    const message =
      'No Redis server found. Install it (Debian: apt-get install redis-server, macOS: brew install redis), or name it in ' +
      'FAREBOX_REDIS_SERVER. It does not have to run.'
    if (process.env['CI']) throw new Error(message)
    console.warn(`${message} Tests that need it are skipped.`)
    return false
  }
}

/** Starts a server. `settings` are directives of its configuration, such as `{ appendonly: 'yes' }`. */
export async function startRedis(settings: Readonly<Record<string, string>> = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-redis-'))
  const endFolder = guard('cat > /dev/null; rm -rf "$1"', [folder]).end
  const port = await claimPort()
  // Replicas are served at once, instead of after five seconds in which others might come.
  const usual = { bind: '127.0.0.1', save: '', 'repl-diskless-sync-delay': '0' }
  const all = { ...usual, port: String(port), dir: folder, ...settings }
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, ...value.split(' ')])
  let pid = 0
  let end = (): void => {}

  async function start(): Promise<void> {
    const running = guard('"$@" > /dev/null & echo $!; cat > /dev/null; kill -9 0', [program, ...args])
    end = running.end
    // The one thing to wait for: a program that has nothing else to do would end here.
    running.output.ref()
    pid = Number((await once(createInterface(running.output), 'line'))[0])
    running.output.unref()
    await answering()
  }

  async function answering(): Promise<void> {
    await until('Redis answers', async () => (await ask('PING').catch(() => '')).includes('PONG'))
  }

  function ask(...command: readonly string[]): Promise<string> {
    return askOnce(port, command)
  }

  async function crash(): Promise<void> {
    end()
    // Gone is who refuses connections. One that is merely cut may have been taken by a server that still ends.
    await until('Redis has ended', () =>
      ask('PING').then(
        () => false,
        (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
      ),
    )
  }

  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    ask,
    crash,
    start,
    signal: (signal) => process.kill(pid, signal),
    async stop() {
      await crash()
      endFolder()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

export interface RedisClusterOptions {
  /** @default false */
  readonly hasReplicas?: boolean
  /** Directives of the configuration of each node. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Starts a cluster: three nodes with a third of the slots each, and a replica for each if wanted. */
export async function startRedisCluster({
  hasReplicas = false,
  settings = {},
}: RedisClusterOptions = {}): Promise<RedisCluster> {
  const count = hasReplicas ? 6 : 3
  // Only where replicas are to take over is it told soon that a node is gone. Elsewhere a node that did not get its turn on a
  // busy machine would be taken for gone, and the cluster for down.
  const nodeTimeoutMs = hasReplicas ? '2000' : '60000'
  const nodes = await Promise.all(
    Array.from({ length: count }, () =>
      startRedis({ 'cluster-enabled': 'yes', 'cluster-node-timeout': nodeTimeoutMs, ...settings }),
    ),
  )
  const ranges = [
    ['0', '5460'],
    ['5461', '10922'],
    ['10923', '16383'],
  ] as const
  for (const [index, [from, to]] of ranges.entries()) {
    await nodes[index]?.ask('CLUSTER', 'ADDSLOTSRANGE', from, to)
  }
  for (const [index, node] of nodes.entries())
    await node.ask('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
  // Every node meets every other: meeting through the first alone takes longer.
  for (const node of nodes) {
    for (const { port } of nodes) {
      if (port !== node.port) await node.ask('CLUSTER', 'MEET', '127.0.0.1', String(port))
    }
  }
  await Promise.all(
    nodes.map((node) =>
      until(
        'nodes know each other',
        async () => (await node.ask('CLUSTER', 'NODES')).trim().split('\n').length > count,
      ),
    ),
  )
  if (hasReplicas) {
    for (const index of [0, 1, 2]) {
      const id = /^\$\d+\r\n(\w+)/.exec((await nodes[index]?.ask('CLUSTER', 'MYID')) ?? '')?.[1] ?? ''
      const replica = nodes[index + 3]
      await until(
        'a node becomes a replica',
        async () => (await replica?.ask('CLUSTER', 'REPLICATE', id))?.startsWith('+OK') === true,
      )
    }
    for (const replica of nodes.slice(3)) {
      await until('a replica follows', async () =>
        (await replica.ask('INFO', 'replication')).includes('master_link_status:up'),
      )
    }
  }
  await Promise.all(
    nodes.map((node) =>
      until('the cluster is up', async () =>
        (await node.ask('CLUSTER', 'INFO')).includes('cluster_state:ok'),
      ),
    ),
  )
  return {
    nodes,
    urls: nodes.slice(0, 3).map(({ url }) => url),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()))
    },
  }
}

/** Looks for a minute at least, and only hangs are to meet that. */
async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 6000; attempt += 1) {
    if (await isTrue()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`This should have happened by now: ${what}.`)
}

/** Runs a script of the shell until `end` is called or this process is gone, whichever is first. */
function guard(script: string, args: readonly string[]): { readonly output: Readable & Waited; end(): void } {
  // A group of its own, so that the script can end what it started and nothing else.
  const child = spawn('sh', ['-c', script, 'guard', ...args], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  child.unref()
  const [input, output] = [child.stdin, child.stdout] as unknown as [Writable & Waited, Readable & Waited]
  // They keep nothing waiting.
  for (const stream of [input, output]) stream.unref()
  return { output, end: () => input.end() }
}

/** A pipe, of which the types do not know this. */
interface Waited {
  ref(): void
  unref(): void
}

/** One command on a connection of its own, and everything that comes within the answer. */
function askOnce(port: number, command: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.setTimeout(30_000, () => socket.destroy(new Error('Redis does not answer.')))
    socket.on('data', (data) => {
      answer += data.toString()
      if (isWhole(answer)) socket.end()
    })
    socket.once('error', reject)
    socket.once('close', () => resolve(answer))
    const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`)
    socket.write(`*${command.length}\r\n${parts.join('')}`)
  })
}

/** Status, error, number, text, and lists of these. */
function isWhole(answer: string): boolean {
  return lengthOf(answer, 0) !== undefined
}

function lengthOf(answer: string, from: number): number | undefined {
  const end = answer.indexOf('\r\n', from)
  if (end === -1) return undefined
  const count = Number(answer.slice(from + 1, end))
  if (answer[from] === '$') {
    const last = count < 0 ? end + 2 : end + 2 + count + 2
    return last <= answer.length ? last : undefined
  }
  if (answer[from] !== '*') return end + 2
  let at: number | undefined = end + 2
  for (let index = 0; index < count && at !== undefined; index += 1) at = lengthOf(answer, at)
  return at
}
