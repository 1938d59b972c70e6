import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import {
  type AuditReport,
  chainHash,
  createGateway,
  createLedger,
  decodeValue,
  encodeValue,
  fakeClock,
  type GatewayRequest,
  nano,
  planPreset,
  systemClock,
  usd,
  type Value,
} from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { sqlite } from '@farebox/sqlite'
import Database from 'libsql'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startSimulator } from '../../testkit/src/simulator/index.ts'

// The built command, as it is installed: plain Node knows no TypeScript.
const program = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const here = fileURLToPath(new URL('..', import.meta.url))
const fixture = (name: string) => join(here, 'src/__fixtures__', name)

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly error: string
}

function start(args: readonly string[], { folder = here, environment = {} } = {}): ChildProcess {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

async function farebox(args: readonly string[], options?: Parameters<typeof start>[1]): Promise<Ended> {
  const child = start(args, options)
  const outputs = Promise.all([text(child.stdout as never), text(child.stderr as never)])
  const [code] = (await once(child, 'exit')) as [number | null]
  const [out, error] = await outputs
  return { code, out, error }
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-cli-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

/** A closed file with two accounts: alice has a grant and a settled request, bob a grant. */
async function someBooks({ prefix = 'farebox_' } = {}): Promise<string> {
  const file = join(temporaryFolder(), 'ledger.db')
  const database = new Database(file)
  const { ledger: store } = sqlite(database, { prefix })
  const ledger = createLedger({ store, plans: planPreset('hf-2026-02-04'), clock: systemClock })
  for (const accountId of ['alice', 'bob']) {
    await ledger.grant({ accountId, grantId: 'g1', amount: usd('1.00') })
  }
  const subject = { model: 'model', costProviderIds: [], attemptsMax: 1 }
  const request = { accountId: 'alice', reservationId: 'r1' }
  await ledger.reserve({ ...request, amount: usd('0.05'), timeToLiveMs: 60_000, subject })
  await ledger.settle({
    ...request,
    attempts: [
      {
        attemptId: 'r1.1',
        providerId: 'provider',
        providerModel: 'model',
        outcome: 'served',
        costSource: 'provider',
        cost: usd('0.03'),
        payer: 'customer',
      },
    ],
  })
  await store.close()
  database.close()
  return file
}

/** Changes rows behind everybody's back. */
function tamper(file: string, ...statements: readonly string[]): void {
  const database = new Database(file)
  for (const sql of statements) database.exec(sql)
  database.close()
}

const reportsOf = (out: string): AuditReport[] =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditReport)

describe('farebox', () => {
  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8')) as { version: string }
    expect(await farebox(['--version'])).toEqual({ code: 0, out: `${version}\n`, error: '' })
  })

  it('exits with 2 when called wrongly', async () => {
    expect(await farebox(['audit'])).toEqual({
      code: 2,
      out: '',
      error: expect.stringContaining('either --gateway FILE or --sqlite FILE'),
    })
  })
})

describe('farebox audit', () => {
  it('proves every account of a file, and does not change a byte of it', async () => {
    const file = await someBooks()
    const hash = () => createHash('sha256').update(readFileSync(file)).digest('hex')
    const before = hash()

    const { code, out, error } = await farebox(['audit', '--sqlite', file])

    expect({ code, error }).toEqual({ code: 0, error: '' })
    expect(out).toContain('alice: sound. 3 entries, 2 grants, 1 attempt, 0 open holds.')
    expect(out).toContain('bob: sound. 2 entries, 2 grants, 0 attempts, 0 open holds.')
    expect(out).toContain('2 accounts: nothing found. Charged $0.03, absorbed $0.00.')
    expect(out).toContain(
      '0 costs verified, 1 told by providers (0 unlike the price book), 0 not verifiable.',
    )
    expect(hash()).toBe(before)
  })

  it('finds nothing while a server goes on writing to the file', async () => {
    const file = await someBooks()
    const database = new Database(file)
    const { ledger: store } = sqlite(database)
    const ledger = createLedger({ store, plans: planPreset('hf-2026-02-04'), clock: systemClock })
    const subject = { model: 'model', costProviderIds: [], attemptsMax: 1 }
    let isAuditing = true
    let written = 0
    const writing = (async () => {
      for (; isAuditing; written += 1) {
        const request = { accountId: 'alice', reservationId: `busy-${written}` }
        await ledger.reserve({ ...request, amount: nano(10n), timeToLiveMs: 60_000, subject })
        await ledger.settle({ ...request, attempts: [] })
        await ledger.grant({ accountId: 'bob', grantId: `busy-${written % 50}`, amount: nano(1n) })
      }
    })()

    const audits = [await farebox(['audit', '--sqlite', file]), await farebox(['audit', '--sqlite', file])]
    isAuditing = false
    await writing
    await store.close()
    database.close()

    expect(audits.map(({ code, out }) => (code === 0 ? 'sound' : out))).toEqual(['sound', 'sound'])
    expect(written).toBeGreaterThan(10)
  })

  it('names what is wrong, and exits with 1', async () => {
    const file = await someBooks()
    tamper(file, `UPDATE farebox_journal SET text = replace(text, '30000000n', '20000000n') WHERE seq = 3`)

    const { code, out } = await farebox(['audit', '--sqlite', file])

    expect(code).toBe(1)
    expect(out).toMatch(/^alice: \d findings in 3 entries/m)
    expect(out).toContain('  The text of entry 3 was changed: ')
    expect(out).toContain('[broken-chain]')
    expect(out).toContain('bob: sound.')
    expect(out).toContain('2 accounts: findings in 1.')
  })

  it('looks at the named accounts only, and says when there is no such account', async () => {
    const file = await someBooks()
    tamper(file, `DELETE FROM farebox_journal WHERE account = 'alice' AND seq = 2`)

    expect(await farebox(['audit', 'bob', '--sqlite', file])).toMatchObject({ code: 0 })
    expect(await farebox(['audit', 'alice', '--sqlite', file])).toMatchObject({ code: 1 })
    const unknown = await farebox(['audit', 'bob', 'carol', '--sqlite', file])
    expect(unknown.code).toBe(2)
    expect(unknown.out).toContain('carol: there is no such account.')
  })

  it('lists as many findings as asked for, and counts the rest', async () => {
    const file = await someBooks()
    tamper(file, `DELETE FROM farebox_journal WHERE account = 'alice'`)

    const { out } = await farebox(['audit', 'alice', '--sqlite', file, '--findings-max', '1'])

    expect(out).toMatch(/and \d more findings; --findings-max lists them/)
    expect(out.match(/\[[a-z-]+\]/g)).toHaveLength(1)
  })

  it('writes reports as lines of JSON, which a later audit takes to find a whole new chain', async () => {
    const file = await someBooks()
    const earlier = join(temporaryFolder(), 'audit.jsonl')
    const { out } = await farebox(['audit', '--sqlite', file, '--json'])
    writeFileSync(earlier, out)
    expect(reportsOf(out)).toMatchObject([
      { accountId: 'alice', isSound: true, seq: '3', totals: { charged: '30000000' } },
      { accountId: 'bob', isSound: true, seq: '2' },
    ])
    expect(await farebox(['audit', '--sqlite', file, '--since', earlier])).toMatchObject({ code: 0 })

    rewriteChain(file)
    expect(await farebox(['audit', '--sqlite', file])).toMatchObject({ code: 0 })
    const later = await farebox(['audit', '--sqlite', file, '--since', earlier])
    expect(later.code).toBe(1)
    expect(later.out).toContain('[rewritten-journal]')
  })

  it('misses an account that an earlier audit saw', async () => {
    const file = await someBooks()
    const earlier = join(temporaryFolder(), 'audit.jsonl')
    writeFileSync(earlier, (await farebox(['audit', '--sqlite', file, '--json'])).out)
    tamper(
      file,
      `DELETE FROM farebox_heads WHERE account = 'bob'`,
      `DELETE FROM farebox_journal WHERE account = 'bob'`,
    )

    const { code, out } = await farebox(['audit', '--sqlite', file, '--since', earlier])

    expect(code).toBe(1)
    expect(out).toContain('bob: 1 finding in 0 entries')
    expect(out).toContain('An earlier audit saw 2 entries; now there are 0. [rewritten-journal]')
  })

  it('reads tables of another prefix', async () => {
    const file = await someBooks({ prefix: 'my_' })
    expect(await farebox(['audit', '--sqlite', file])).toMatchObject({
      code: 3,
      error: expect.stringContaining('no tables whose names start with "farebox_"'),
    })
    expect(await farebox(['audit', '--sqlite', file, '--prefix', 'my_'])).toMatchObject({ code: 0 })
  })

  it.each([
    ['that is not there', () => 'nowhere.db', 'There is no file'],
    ['that is no database', () => fixture('gateway.js'), 'could not be read'],
  ])('of a file %s exits with 3', async (_what, file, message) => {
    const { code, error } = await farebox(['audit', '--sqlite', file()])
    expect(code).toBe(3)
    expect(error).toContain(message)
  })

  it('takes the driver of this Node where it has one, and says which there are where none is found', async () => {
    const { code, out, error } = await farebox(['audit', '--sqlite', await someBooks()], {
      folder: temporaryFolder(),
      // Package managers may point this at all packages of the workspace.
      environment: { NODE_PATH: '' },
    })
    if (process.getBuiltinModule?.('node:sqlite') === undefined) {
      expect(code).toBe(3)
      expect(error).toContain('neither better-sqlite3 nor libsql is installed')
    } else {
      expect(code).toBe(0)
      expect(out).toContain('2 accounts: nothing found')
    }
  })

  it('shows names of accounts without letting them steer the terminal', async () => {
    const file = await someBooks()
    tamper(file, `UPDATE farebox_heads SET account = char(27) || '[2Jbob' WHERE account = 'bob'`)
    const { out } = await farebox(['audit', '--sqlite', file])
    expect(out).not.toContain('\u001b')
    expect(out).toContain('\\u001b[2Jbob')
  })

  it('through the host’s gateway proves prices too, and ends although the module left a timer', async () => {
    const simulator = await startSimulator()
    onTestFinished(() => simulator.close())
    const file = join(temporaryFolder(), 'ledger.db')
    const baseUrl = simulator.baseUrl('cerebras')
    await askOnce(file, baseUrl)

    const { code, out } = await farebox(['audit', '--gateway', fixture('gateway.js')], {
      environment: { FAREBOX_TEST: JSON.stringify({ file, baseUrl }) },
    })

    expect(code).toBe(0)
    expect(out).toContain('1 cost verified')
    // The price is one that Farebox was released with, so the file alone is enough.
    expect((await farebox(['audit', '--sqlite', file])).out).toContain('1 cost verified')
  })

  it('proves a storage that a module exports, and stops reading at Ctrl-C, closing what it opened', async () => {
    const child = start(['audit', '--gateway', fixture('slow-storage.js')])
    let error = ''
    child.stderr?.on('data', (chunk) => {
      error += String(chunk)
    })
    await expect.poll(() => error).toContain('reading after 3')
    child.kill('SIGINT')
    const [code] = await once(child, 'close')

    expect(code).toBe(130)
    expect(error).toContain('closed')
    expect(error).toContain('farebox: interrupted')
    expect(error).not.toContain('reading after 60')
  })

  it.each([
    ['a module that is not there', 'nowhere.js', undefined, 'There is no file'],
    [
      'a module that exports something else',
      'other.js',
      'export const server = 1',
      'exports neither a `gateway`',
    ],
    [
      'a module that throws',
      'broken.js',
      'throw new Error("no database today")',
      'because: no database today',
    ],
  ])('of %s says so and exits with 3', async (_what, name, source, message) => {
    const folder = temporaryFolder()
    if (source !== undefined) writeFileSync(join(folder, name), source)
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    const { code, error } = await farebox(['audit', '--gateway', name], { folder })
    expect(code).toBe(3)
    expect(error).toContain(message)
  })
})

describe('farebox reconcile', () => {
  it('settles what a process that died has left behind, at its provider’s own count', async () => {
    const simulator = await startSimulator()
    onTestFinished(() => simulator.close())
    const file = join(temporaryFolder(), 'ledger.db')
    const baseUrl = simulator.baseUrl('cerebras')
    const environment = {
      FAREBOX_TEST: JSON.stringify({ file, baseUrl, costUrl: simulator.costUrl('cerebras') }),
    }
    await leaveBehind(file, baseUrl)

    const first = await farebox(['reconcile', '--gateway', fixture('gateway.js')], { environment })
    expect(first).toMatchObject({ code: 0, error: '' })
    expect(first.out).toContain('settled 1')
    const second = await farebox(['reconcile', '--gateway', fixture('gateway.js'), '--json'], { environment })
    expect(JSON.parse(second.out)).toMatchObject({ settled: 0, released: 0 })

    const [report] = reportsOf(
      (await farebox(['audit', '--gateway', fixture('gateway.js'), '--json'], { environment })).out,
    )
    expect(report).toMatchObject({
      isSound: true,
      totals: { charged: String(simulator.served[0]?.costNanoUsd) },
    })
  })
})

describe('farebox export', () => {
  it('adds every entry to the file once, chained as in the journal, and later only new ones', async () => {
    const file = await someBooks()
    const folder = temporaryFolder()
    const environment = { FAREBOX_TEST: JSON.stringify({ file, baseUrl: 'http://127.0.0.1:9' }) }
    const to = join(folder, 'journal.jsonl')
    const args = ['export', '--gateway', fixture('gateway.js'), '--consumer', 'warehouse', '--to', to]
    const first = await farebox(args, { environment })
    expect(first).toMatchObject({ code: 0, error: '' })
    expect(first.out).toMatch(/^\d+ entries of 2 accounts\.\n$/)
    const second = await farebox([...args, '--json'], { environment })
    expect(JSON.parse(second.out)).toEqual({ accounts: 2, entries: 0, failed: 0 })

    const lines = readFileSync(to, 'utf8').trimEnd().split('\n')
    const chains = new Map<string, string>()
    for (const line of lines) {
      const { account, seq, hash } = JSON.parse(line) as Record<'account' | 'seq' | 'hash', string>
      const entry = line.slice(line.indexOf('"entry":') + '"entry":'.length, -1)
      expect(chainHash(chains.get(account) ?? '', BigInt(seq), entry)).toBe(hash)
      chains.set(account, hash)
    }
    expect([...chains.keys()].sort()).toEqual(['alice', 'bob'])
    const everything = await farebox([...args.slice(0, 4), 'other', '--to', to, '--json'], { environment })
    expect(JSON.parse(everything.out)).toMatchObject({ entries: lines.length })
  })

  it('says whose entries the file did not take, and exits with 1', async () => {
    const file = await someBooks()
    const environment = { FAREBOX_TEST: JSON.stringify({ file, baseUrl: 'http://127.0.0.1:9' }) }
    const args = ['export', '--gateway', fixture('gateway.js'), '--consumer', 'w', '--to', '/dev/full']
    const { code, out, error } = await farebox(args, { environment })
    expect(code).toBe(1)
    expect(out).toBe('0 entries of 2 accounts; 2 accounts failed.\n')
    expect(error).toContain('farebox: alice: ENOSPC')
  })

  it('refuses a consumer that cannot be one, and exits with 2', async () => {
    const file = await someBooks()
    const environment = { FAREBOX_TEST: JSON.stringify({ file, baseUrl: 'http://127.0.0.1:9' }) }
    const to = join(temporaryFolder(), 'journal.jsonl')
    const args = ['export', '--gateway', fixture('gateway.js'), '--consumer', 'a b', '--to', to]
    const { code, error } = await farebox(args, { environment })
    expect(code).toBe(2)
    expect(error).toContain("A consumer's name has 1 to 64 letters")
  })
})

describe('farebox trim', () => {
  it('says what could go, takes it out when told to, and leaves books that the archive proves', async () => {
    const { environment, folder, to } = await oldBooks()
    const trim = ['trim', '--gateway', fixture('gateway.js'), '--consumer', 'archive']
    const waiting = await farebox([...trim, '--consumer', 'warehouse'], { environment })
    expect(waiting.out).toContain('alice: 0 entries could go; older ones wait for consumer "warehouse".\n')
    const asked = await farebox(trim, { environment })
    expect(asked).toMatchObject({ code: 0, error: '' })
    expect(asked.out).toBe(
      'alice: 151 entries could go.\n2 accounts looked at: 151 entries of 1 account could go. Say --apply to take them out.\n',
    )
    const done = await farebox([...trim, '--apply', '--json'], { environment })
    expect(
      done.out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      { accountId: 'alice', entries: 151 },
      { accounts: 2, trimmed: 1, entries: 151, waiting: 0, failed: 0 },
    ])

    const audit = ['audit', '--gateway', fixture('gateway.js')]
    const left = await farebox(audit, { environment })
    expect(left).toMatchObject({ code: 0 })
    expect(left.out).toMatch(/alice: sound\. .* 151 entries of them trimmed\.\n/)
    const proved = await farebox([...audit, '--archive', to], { environment })
    expect(proved.out).toMatch(/151 entries of them trimmed and proved by the archive\.\n/)
    writeFileSync(to, readFileSync(to, 'utf8').replace('"seats":2', '"seats":3'))
    const changed = await farebox([...audit, '--archive', to], { environment })
    expect(changed).toMatchObject({ code: 1 })
    expect(changed.out).toContain('[broken-chain]')

    // A new consumer begins with what is left only when it says so.
    const late = join(folder, 'late.jsonl')
    const args = ['export', '--gateway', fixture('gateway.js'), '--consumer', 'late', '--to', late]
    const refused = await farebox(args, { environment })
    expect(refused.code).toBe(1)
    expect(refused.error).toContain('farebox: alice: Entries 1 to 151 were trimmed')
    const accepted = await farebox([...args, '--accept-trimmed'], { environment })
    expect(accepted).toMatchObject({ code: 0, error: '' })
    expect(readFileSync(late, 'utf8')).toContain('"account":"alice","seq":"152"')
  })
})

/** Books of 401 days ago, of which everything is exported to a file. */
async function oldBooks(): Promise<{ environment: { FAREBOX_TEST: string }; folder: string; to: string }> {
  const folder = temporaryFolder()
  const file = join(folder, 'ledger.db')
  const to = join(folder, 'journal.jsonl')
  const environment = { FAREBOX_TEST: JSON.stringify({ file, baseUrl: 'http://127.0.0.1:9' }) }
  const database = new Database(file)
  const clock = fakeClock(Date.now() - 401 * 24 * 3_600_000)
  const { ledger: store } = sqlite(database, { clock })
  const ledger = createLedger({ store, plans: planPreset('hf-2026-02-04'), clock })
  await ledger.grant({ accountId: 'bob', grantId: 'g1', amount: usd('1.00') })
  for (let seats = 2; seats <= 151; seats += 1)
    await ledger.configure({ accountId: 'alice', planId: 'free', seats })
  await store.close()
  database.close()
  await farebox(['export', '--gateway', fixture('gateway.js'), '--consumer', 'archive', '--to', to], {
    environment,
  })
  return { environment, folder, to }
}

/** Another journal for alice, with hashes and a head to match. */
function rewriteChain(file: string): void {
  const database = new Database(file)
  const entries = database
    .prepare(`SELECT seq, text FROM farebox_journal WHERE account = 'alice' ORDER BY seq`)
    .all() as { seq: number; text: string }[]
  let chain = ''
  for (const { seq, text: written } of entries) {
    const forged = written.replace('"model":"model"', '"model":"other"')
    chain = chainHash(chain, BigInt(seq), forged)
    database
      .prepare(`UPDATE farebox_journal SET text = ?, hash = ? WHERE account = 'alice' AND seq = ?`)
      .run(forged, chain, seq)
  }
  const [row] = database.prepare(`SELECT head FROM farebox_heads WHERE account = 'alice'`).all() as {
    head: string
  }[]
  const head = { ...(decodeValue(row?.head ?? '') as { readonly [name: string]: Value }), chain }
  database.prepare(`UPDATE farebox_heads SET head = ? WHERE account = 'alice'`).run(encodeValue(head))
  database.close()
}

const question: GatewayRequest = {
  method: 'POST',
  path: '/v1/chat/completions',
  headers: {},
  body: {
    kind: 'parsed',
    value: {
      model: 'openai/gpt-oss-120b',
      messages: [{ role: 'user', content: 'say 5 tokens' }],
      max_tokens: 50,
    },
  },
  signal: new AbortController().signal,
}

async function askOnce(file: string, baseUrl: string): Promise<void> {
  const database = new Database(file)
  const gateway = createGateway({
    providers: [cerebras({ apiKey: 'k', baseUrl })],
    storage: sqlite(database),
    authenticate: () => ({ accountId: 'alice' }),
  })
  expect((await gateway.handle(question))?.status).toBe(200)
  await gateway.close()
  database.close()
}

/** A request that its provider served an hour ago, and that nobody settled. */
async function leaveBehind(file: string, baseUrl: string): Promise<void> {
  const response = await fetch(`${baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer k', 'content-type': 'application/json', 'x-request-id': 'left.1' },
    body: JSON.stringify({ model: 'gpt-oss-120b', messages: [{ role: 'user', content: 'say 5 tokens' }] }),
  })
  expect(response.status).toBe(200)
  await response.text()
  const database = new Database(file)
  const clock = fakeClock(Date.now() - 90_000)
  const { ledger: store } = sqlite(database, { clock })
  const ledger = createLedger({ store, plans: planPreset('hf-2026-02-04'), clock })
  await ledger.reserve({
    accountId: 'alice',
    reservationId: 'left',
    amount: nano(1_000_000n),
    timeToLiveMs: 1000,
    subject: { model: 'openai/gpt-oss-120b', costProviderIds: ['cerebras'], attemptsMax: 2 },
  })
  await store.close()
  database.close()
}
