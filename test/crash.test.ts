import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Clock, createGateway, type JournalEntry, type Storage, systemClock } from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { together } from '@farebox/core/providers/together'
import { migrate, postgres } from '@farebox/postgres'
import { sqlite } from '@farebox/sqlite'
import { hasPostgres, startPostgres } from '@farebox/testkit/servers'
import { startSimulator } from '@farebox/testkit/simulator'
import Database from 'libsql'
import pg from 'pg'
import { expect, it } from 'vitest'
import { type ServerProcess, startServer } from './servers/child.ts'

const inFlight = 24

/** Where the accounts are, for the servers that are killed and for who looks afterwards. */
interface Place {
  readonly environment: { readonly database: string } | { readonly postgresUrl: string }
  open(clock: Clock): Storage
  close(): Promise<void>
}

async function inFile(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-crash-'))
  const database = join(folder, 'credits.db')
  let handle: Database.Database | undefined
  return {
    environment: { database },
    open(clock) {
      handle = new Database(database)
      return sqlite(handle, { clock })
    },
    async close() {
      handle?.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function inPostgres(): Promise<Place> {
  const server = await startPostgres()
  const pool = new pg.Pool({ connectionString: server.url, max: 4 })
  await migrate(pool)
  return {
    environment: { postgresUrl: server.url },
    open: (clock) => postgres(pool, { clock }),
    async close() {
      await pool.end()
      await server.stop()
    },
  }
}

/** A seeded sequence in [0, 1): the same kills in every run. */
function sequence(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

it('failures 3, 5 and 19: after kill -9 at any point of 1,000 requests, every request is charged once, at the provider’s own count', async () => {
  await expectChargedOnce(await inFile(), 1_000)
}, 180_000)

it.skipIf(!hasPostgres())(
  'failures 3, 5 and 19: after kill -9 at any point of 200 requests on PostgreSQL, every request is charged once as well',
  async () => {
    await expectChargedOnce(await inPostgres(), 200)
  },
  180_000,
)

async function expectChargedOnce(place: Place, requests: number): Promise<void> {
  const simulator = await startSimulator({ pace: { firstTokenMs: 4, tokenMs: 1 } })
  const options = (provider: 'cerebras' | 'together') => ({
    apiKey: 'k',
    baseUrl: simulator.baseUrl(provider),
    costUrl: simulator.costUrl(provider),
  })
  const providers = { cerebras: options('cerebras'), together: options('together') }
  const environment = { FAREBOX_TEST: JSON.stringify({ ...place.environment, providers, planId: 'pro' }) }
  const script = fileURLToPath(new URL('servers/app.js', import.meta.url))
  const random = sequence(7)
  let server: ServerProcess | undefined
  try {
    let sent = 0
    let answered = 0
    let kills = 0
    while (sent < requests) {
      server = await startServer(script, environment)
      const { baseUrl } = server
      // Counted in answers, not in time, so that a slow machine is killed at the same points of the work.
      const lifetime = 20 + Math.floor(random() * 100)
      let isUp = true
      let answeredNow = 0
      let onEnough: (() => void) | undefined
      const enough = new Promise<void>((resolve) => {
        onEnough = resolve
      })
      const clients = Array.from({ length: inFlight }, async () => {
        while (isUp && sent < requests) {
          sent += 1
          if (await ask(baseUrl, sent)) answeredNow += 1
          if (answeredNow >= lifetime) onEnough?.()
        }
      })
      await Promise.race([enough, Promise.all(clients)])
      answered += answeredNow
      isUp = false
      await server.stop('SIGKILL')
      kills += 1
      await Promise.all(clients)
    }
    expect(kills).toBeGreaterThan(requests / 200)
    expect(answered).toBeGreaterThan(requests / 2)
    await simulator.idle()

    // An hour later every hold has expired, and the providers are asked.
    const clock = { ...systemClock, now: () => Date.now() + 3_600_000 }
    const gateway = createGateway({
      providers: [cerebras(providers.cerebras), together(providers.together)],
      storage: place.open(clock),
      clock,
      authenticate: () => undefined,
    })
    const first = await gateway.reconcile()
    expect(first.settled).toBeGreaterThan(0)
    // Holds whose request never reached a provider are released once the time to ask is over.
    await gateway.reconcile()
    expect(await gateway.reconcile()).toMatchObject({ pending: 0, settled: 0, released: 0 })
    expect((await gateway.accounts.balance('alice')).held).toBe(0n)

    const charged = new Map<string, bigint>()
    for await (const entry of journal(gateway)) {
      for (const attempt of entry.attempts ?? []) {
        expect(charged.has(attempt.attemptId), `${attempt.attemptId} was settled twice`).toBe(false)
        charged.set(attempt.attemptId, attempt.charged + attempt.absorbed)
      }
    }
    const counted = new Map(simulator.served.map((served) => [served.requestId, served.costNanoUsd]))
    expect(charged).toEqual(counted)
    const { findings, totals } = await gateway.audit('alice')
    expect(findings).toEqual([])
    expect(totals.cost).toBe([...counted.values()].reduce((sum, cost) => sum + cost, 0n))
    await gateway.close()
  } finally {
    await server?.stop('SIGKILL')
    await simulator.close()
    await place.close()
  }
}

/** Whether the whole answer arrived. */
async function ask(baseUrl: string, index: number): Promise<boolean> {
  const isStream = index % 2 === 0
  try {
    const response = await fetch(`${baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer alice' },
      body: JSON.stringify({
        model: 'openai/gpt-oss-120b',
        max_tokens: 40,
        stream: isStream,
        messages: [{ role: 'user', content: `question ${index}` }],
      }),
    })
    const text = await response.text()
    return response.status === 200 && (!isStream || text.includes('[DONE]'))
  } catch {
    return false
  }
}

async function* journal(gateway: ReturnType<typeof createGateway>): AsyncGenerator<JournalEntry> {
  for (let afterSeq = 0n; ; ) {
    const entries = await gateway.accounts.journal({ accountId: 'alice', afterSeq })
    yield* entries
    const last = entries.at(-1)
    if (last === undefined) return
    afterSeq = last.seq
  }
}
