import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Account,
  type AuditFindingKind,
  type AuditReport,
  chainHash,
  createLedger,
  encodeValue,
  type FakeClock,
  fakeClock,
  memoryStorage,
  nano,
  planPreset,
  type Reservation,
  type SettledAttempt,
  type Storage,
  type StoredEntry,
  usd,
  type Value,
} from '@farebox/core'
import { sqlite } from '@farebox/sqlite'
import Database from 'libsql'
import { describe, expect, it, onTestFinished } from 'vitest'

/** Everything that is stored of one account. */
interface Rows {
  readonly head: Value | null
  readonly journal: readonly StoredEntry[]
  readonly holds: readonly { readonly key: string; readonly value: Value }[]
}

/** A kind of storage whose rows can be changed behind the ledger's back. */
interface Tamperable {
  readonly storage: Storage
  /** A storage on the same rows after they were changed. */
  tamper(change: (rows: Rows) => Rows): Promise<Storage>
}

const startMs = Date.UTC(2026, 10, 10, 12)
const plans = planPreset('hf-2026-02-04')

async function readRows({ ledger }: Storage): Promise<Rows> {
  const { head, due } = await ledger.transact('alice', [], (cut) => ({ result: cut }), {
    dueBy: Number.MAX_SAFE_INTEGER,
    dueMax: 1000,
  })
  return { head, journal: await ledger.journal('alice', 0n, 1000), holds: due }
}

function inMemory(clock: FakeClock): Tamperable {
  const storage = memoryStorage({ clock })
  return {
    storage,
    async tamper(change) {
      const { head, journal, holds } = change(await readRows(storage))
      const cut = { head, records: new Map(), due: holds, moreDue: false, version: 1n, now: clock.now() }
      return {
        ledger: {
          ...storage.ledger,
          transact: async (_accountId, _keys, reduce) => reduce(cut).result,
          journal: async (_accountId, afterSeq, limit) =>
            journal.filter(({ seq }) => seq > afterSeq).slice(0, limit),
        },
      }
    },
  }
}

function inFile(clock: FakeClock): Tamperable {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-audit-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'ledger.db')
  const storage = sqlite(new Database(file), { clock })
  return {
    storage,
    async tamper(change) {
      const { head, journal, holds } = change(await readRows(storage))
      // Somebody else's connection, on which nobody keeps rules.
      const database = new Database(file)
      const run = (sql: string, ...values: readonly (string | number)[]) =>
        database.prepare(sql).run(...values)
      run('DELETE FROM farebox_journal')
      for (const { seq, text, hash } of journal) {
        run('INSERT INTO farebox_journal VALUES (?, ?, ?, ?)', 'alice', Number(seq), text, hash)
      }
      if (head === null) run('DELETE FROM farebox_heads')
      else run('UPDATE farebox_heads SET head = ?', encodeValue(head))
      for (const { key, value } of holds) {
        run('UPDATE farebox_records SET value = ? WHERE key = ?', encodeValue(value), key)
      }
      database.close()
      return storage
    },
  }
}

const served = (cost: bigint | null, attemptId: string): SettledAttempt => ({
  attemptId,
  providerId: 'provider',
  providerModel: 'model',
  outcome: 'served',
  costSource: 'provider',
  cost: cost === null ? null : nano(cost),
  payer: 'customer',
})

/**
 * An account with everything an audit looks at: terms, included and bought credit, credit that expired, pay-as-you-go,
 * something absorbed, a hold that was released, and two that are open.
 */
async function use(storage: Storage, clock: FakeClock): Promise<void> {
  const ledger = createLedger({ store: storage.ledger, plans, clock })
  const subject = { model: 'model', costProviderIds: [], attemptsMax: 2 }
  const hold = (reservationId: string, amount: bigint) =>
    ledger.reserve({ accountId: 'alice', reservationId, amount: nano(amount), timeToLiveMs: 60_000, subject })
  const settle = (reservationId: string, attempts: readonly SettledAttempt[]) =>
    ledger.settle({ accountId: 'alice', reservationId, attempts })

  await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: usd('1.00') })
  await ledger.configure({ accountId: 'alice', planId: 'pro', spendingLimit: usd('5.00') })
  await ledger.grant({ accountId: 'alice', grantId: 'g2', amount: usd('0.50'), expiresAtMs: startMs + 1000 })
  await hold('r1', 2_600_000_000n)
  await settle('r1', [
    { ...served(40n, 'r1.1'), outcome: 'failed', payer: 'operator' },
    served(2_400_000_000n, 'r1.2'),
  ])
  clock.advance(2000)
  await hold('r2', 1_500_000_000n)
  await settle('r2', [served(1_400_000_000n, 'r2.1')])
  await ledger.grant({ accountId: 'alice', grantId: 'g3', amount: usd('0.20') })
  await hold('left', 7n)
  clock.advance(200_000)
  await hold('r3', 500_000_000n)
  await settle('r3', [served(0n, 'r3.1')])
  await hold('r4', 9n)
  await hold('r5', 11n)
}

function auditOf(storage: Storage, clock: FakeClock): Promise<AuditReport> {
  return createLedger({ store: storage.ledger, plans, clock }).audit('alice')
}

/** Rows with one entry, the first that fits, replaced by others. */
function replace(
  rows: Rows,
  fits: (text: string) => boolean,
  by: (entry: StoredEntry) => readonly StoredEntry[],
): Rows {
  const index = rows.journal.findIndex(({ text }) => fits(text))
  const entry = rows.journal[index] as StoredEntry
  return { ...rows, journal: rows.journal.toSpliced(index, 1, ...by(entry)) }
}

/** Writes the hashes anew, the head's too, as somebody would who can write everything. */
function rechain(rows: Rows): Rows {
  let chain = ''
  const journal = rows.journal.map(({ text }, index) => {
    const seq = BigInt(index + 1)
    chain = chainHash(chain, seq, text)
    return { seq, text, hash: chain }
  })
  return {
    ...rows,
    journal,
    head: { ...(rows.head as Account), seq: BigInt(journal.length), chain } as Value,
  }
}

const editHead =
  (change: (account: Account) => Partial<Account>) =>
  (rows: Rows): Rows => {
    const account = rows.head as Account
    return { ...rows, head: { ...account, ...change(account) } as Value }
  }

const editGrants = (change: Partial<Account['grants'][number]>) =>
  editHead(({ grants }) => ({
    grants: grants.map((grant) => (grant.grantId === 'g1' ? { ...grant, ...change } : grant)),
  }))

const editHold =
  (change: Partial<Reservation>) =>
  (rows: Rows): Rows => {
    const [first, ...rest] = rows.holds as [Rows['holds'][number]]
    return {
      ...rows,
      holds: [{ key: first.key, value: { ...(first.value as Reservation), ...change } as Value }, ...rest],
    }
  }

const settles = (requestId: string) => (text: string) => text.includes(`"settle:${requestId}"`)
const swap = (text: string, from: string, to: string) => {
  expect(text).toContain(from)
  return text.replaceAll(from, to)
}

type Expected = {
  readonly kind: AuditFindingKind
  readonly seq?: bigint
  readonly requestId?: string
  readonly source?: string
}

const tamperings: readonly (readonly [string, (rows: Rows) => Rows, Expected])[] = [
  [
    'an amount changed in an entry',
    (rows) =>
      replace(rows, settles('r2'), (entry) => [
        { ...entry, text: swap(entry.text, '1400000000n', '1300000000n') },
      ]),
    { kind: 'broken-chain', seq: 8n },
  ],
  [
    'a hash changed in an entry',
    (rows) => replace(rows, settles('r2'), (entry) => [{ ...entry, hash: 'f'.repeat(64) }]),
    { kind: 'broken-chain', seq: 8n },
  ],
  ['an entry removed', (rows) => replace(rows, settles('r1'), () => []), { kind: 'missing-entry', seq: 6n }],
  [
    'the last entry removed',
    (rows) => ({ ...rows, journal: rows.journal.slice(0, -1) }),
    { kind: 'missing-entry', seq: 11n },
  ],
  ['the whole journal removed', (rows) => ({ ...rows, journal: [] }), { kind: 'missing-entry', seq: 1n }],
  [
    'an entry inserted behind the last',
    (rows) => {
      const last = rows.journal.at(-1) as StoredEntry
      const seq = last.seq + 1n
      return {
        ...rows,
        journal: [...rows.journal, { seq, text: last.text, hash: chainHash(last.hash, seq, last.text) }],
      }
    },
    { kind: 'misplaced-entry', seq: 12n },
  ],
  [
    'an entry inserted before others',
    (rows) => ({
      ...rows,
      journal: rows.journal.flatMap((entry) =>
        entry.seq < 8n
          ? [entry]
          : entry.seq === 8n
            ? [entry, { ...entry, seq: 9n }]
            : [{ ...entry, seq: entry.seq + 1n }],
      ),
    }),
    { kind: 'broken-chain', seq: 9n },
  ],
  [
    'two entries in each other’s place',
    (rows) => {
      const [a, b] = [rows.journal[5], rows.journal[7]] as [StoredEntry, StoredEntry]
      const journal = rows.journal.with(5, { ...b, seq: a.seq }).with(7, { ...a, seq: b.seq })
      return { ...rows, journal }
    },
    { kind: 'broken-chain', seq: 6n },
  ],
  [
    'an entry that is no entry',
    (rows) => rechain(replace(rows, settles('r2'), (entry) => [{ ...entry, text: '{"kind":"settled"}' }])),
    { kind: 'unreadable-entry', seq: 8n },
  ],
  [
    'an entry that is not even JSON',
    (rows) => rechain(replace(rows, settles('r2'), (entry) => [{ ...entry, text: '{"kind":' }])),
    { kind: 'unreadable-entry', seq: 8n },
  ],
  [
    'an entry of a kind nobody knows',
    (rows) =>
      rechain(
        replace(rows, settles('r2'), (entry) => [
          { ...entry, text: swap(entry.text, '"settled","opId"', '"gifted","opId"') },
        ]),
      ),
    { kind: 'unreadable-entry', seq: 8n, requestId: 'r2' },
  ],
  [
    'failures 5 and 19: a request settled twice, in a whole new chain',
    (rows) => rechain(replace(rows, settles('r2'), (entry) => [entry, entry])),
    { kind: 'repeated-operation', seq: 9n, requestId: 'r2' },
  ],
  [
    'failures 5 and 19: a settlement removed, in a whole new chain',
    (rows) => rechain(replace(rows, settles('r2'), () => [])),
    { kind: 'wrong-head' },
  ],
  [
    'a cost that nobody paid, in a whole new chain',
    (rows) =>
      rechain(
        replace(rows, settles('r1'), (entry) => [
          { ...entry, text: swap(entry.text, '"cost":"2400000000n"', '"cost":"2600000000n"') },
        ]),
      ),
    { kind: 'unbalanced-attempt', seq: 6n, requestId: 'r1' },
  ],
  [
    'a charge beyond what was drawn, in a whole new chain',
    (rows) =>
      rechain(
        replace(rows, settles('r1'), (entry) => [
          {
            ...entry,
            text: swap(
              swap(entry.text, '"cost":"2400000000n"', '"cost":"2600000000n"'),
              '"charged":"2400000000n"',
              '"charged":"2600000000n"',
            ),
          },
        ]),
      ),
    { kind: 'unbalanced-entry', seq: 6n, requestId: 'r1' },
  ],
  [
    'something absorbed without a reason, in a whole new chain',
    (rows) =>
      rechain(
        replace(rows, settles('r1'), (entry) => [
          { ...entry, text: swap(entry.text, ',"absorbedReason":"failed_attempt"', '') },
        ]),
      ),
    { kind: 'unbalanced-attempt', seq: 6n, requestId: 'r1' },
  ],
  [
    'credit drawn that was never issued, in a whole new chain',
    (rows) =>
      rechain(
        replace(rows, settles('r2'), (entry) => [
          { ...entry, text: swap(entry.text, 'grant:g1', 'grant:gx') },
        ]),
      ),
    { kind: 'impossible-posting', seq: 8n, source: 'grant:gx' },
  ],
  [
    'credit drawn twice, in a whole new chain',
    (rows) =>
      rechain(
        replace(rows, settles('r1'), (entry) => [
          { ...entry, text: swap(entry.text, '"from":"available"', '"from":"expired"') },
        ]),
      ),
    { kind: 'impossible-posting', seq: 6n },
  ],
  [
    'a grant of another amount, in a whole new chain',
    (rows) =>
      rechain(
        replace(
          rows,
          (text) => text.includes('"grant:g1"'),
          (entry) => [{ ...entry, text: swap(entry.text, '1000000000n', '2000000000n') }],
        ),
      ),
    { kind: 'wrong-head', source: 'grant:g1' },
  ],
  ['no head', (rows) => ({ ...rows, head: null }), { kind: 'wrong-head' }],
  ['a head that is no head', (rows) => ({ ...rows, head: { seq: 'many' } }), { kind: 'wrong-head' }],
  ['a head set back', editHead(() => ({ seq: 10n })), { kind: 'misplaced-entry', seq: 11n }],
  ['a head set forward', editHead(() => ({ seq: 13n })), { kind: 'missing-entry', seq: 12n }],
  [
    'a head with another end of the chain',
    editHead(() => ({ chain: 'f'.repeat(64) })),
    { kind: 'wrong-head', seq: 11n },
  ],
  [
    'a head with more credit',
    editGrants({ available: usd('9.00') }),
    { kind: 'wrong-head', source: 'grant:g1' },
  ],
  [
    'a head with more credit that adds up',
    editHead(({ grants }) => ({
      grants: grants.map((grant) =>
        grant.grantId === 'g1'
          ? { ...grant, available: nano(grant.available + 5n), issued: nano(grant.issued + 5n) }
          : grant,
      ),
    })),
    { kind: 'wrong-head', source: 'grant:g1' },
  ],
  [
    'a head with a later expiry',
    editGrants({ expiresAtMs: startMs * 2 }),
    { kind: 'wrong-head', source: 'grant:g1' },
  ],
  ['a head with another priority', editGrants({ priority: 1 }), { kind: 'wrong-head', source: 'grant:g1' }],
  [
    'a head with a grant nobody gave',
    editHead(({ grants: [first, ...rest] }) => ({
      grants: first === undefined ? rest : [first, { ...first, grantId: 'forged' }, ...rest],
    })),
    { kind: 'wrong-head', source: 'grant:forged' },
  ],
  [
    'a head that lost a grant',
    editHead(({ grants }) => ({ grants: grants.filter(({ grantId }) => grantId !== 'g3') })),
    { kind: 'wrong-head', source: 'grant:g3' },
  ],
  [
    'a head that forgot pay-as-you-go',
    editHead(({ overage }) => ({ overage: overage.map((line) => ({ ...line, used: nano(0n) })) })),
    { kind: 'wrong-head', source: 'overage:2026-11' },
  ],
  [
    'a head that lost pay-as-you-go',
    editHead(() => ({ overage: [] })),
    { kind: 'wrong-head', source: 'overage:2026-11' },
  ],
  ['a head with less charged', editHead(() => ({ charged: nano(1n) })), { kind: 'wrong-head' }],
  ['a head with less absorbed', editHead(() => ({ absorbed: nano(0n) })), { kind: 'wrong-head' }],
  ['a head on a better plan', editHead(() => ({ planId: 'enterprise' })), { kind: 'wrong-head' }],
  ['a head with more seats', editHead(() => ({ seats: 9 })), { kind: 'wrong-head' }],
  ['a head with another limit', editHead(() => ({ spendingLimit: null })), { kind: 'wrong-head' }],
  ['a head that carries cents on', editHead(() => ({ carry: nano(5n) })), { kind: 'wrong-head' }],
  ['a head that closed a period', editHead(() => ({ closedThrough: '2026-10' })), { kind: 'wrong-head' }],
  ['a head with an anchor day', editHead(() => ({ anchorDay: 5 })), { kind: 'wrong-head' }],
  [
    'a head that would issue included credit again by its target',
    editHead(() => ({ includedTarget: nano(0n) })),
    { kind: 'wrong-head' },
  ],
  [
    'a head that would issue included credit again by a shorter period',
    editHead(({ period }) => ({ period: { ...period, endMs: startMs } })),
    { kind: 'wrong-head' },
  ],
  [
    'a head that would issue included credit again',
    editHead(() => ({ includedIssued: nano(0n) })),
    { kind: 'wrong-head' },
  ],
  ['a head of an earlier time', editHead(() => ({ asOfMs: startMs - 1 })), { kind: 'wrong-head' }],
  [
    'a head that waits for costs nobody owes',
    editHead(() => ({ provisional: nano(5n) })),
    { kind: 'wrong-hold' },
  ],
  ['a hold of another amount', editHold({ amount: nano(8n) }), { kind: 'wrong-hold', requestId: 'r4' }],
  [
    'a hold that holds less',
    editHold({ amount: nano(0n), parts: [] }),
    { kind: 'wrong-hold', source: 'grant:g3' },
  ],
  [
    'a hold that holds what is not there',
    editHold({ parts: [{ source: 'grant:gx', amount: nano(9n) }] }),
    { kind: 'wrong-hold', source: 'grant:gx' },
  ],
  [
    'a hold that is over and still holds',
    editHold({ state: 'settled' }),
    { kind: 'wrong-hold', requestId: 'r4' },
  ],
]

describe.each([
  ['memory', inMemory],
  ['a SQLite file', inFile],
] as const)('the audit of an account in %s', (_name, open) => {
  it('finds nothing in an account that only the ledger has written', async () => {
    const clock = fakeClock(startMs)
    const { storage } = open(clock)
    await use(storage, clock)

    const report = await auditOf(storage, clock)

    expect(report.findings).toEqual([])
    expect(report).toMatchObject({
      isSound: true,
      seq: 11n,
      entries: { configured: 1, granted: 5, expired: 1, settled: 3, released: 1 },
      attempts: 4,
      holds: { compared: 2, isComplete: true },
      totals: {
        cost: 3_800_000_040n,
        charged: 3_800_000_000n,
        absorbed: 40n,
        absorbedBy: { failed_attempt: 40n },
      },
    })
    expect(report.chain).toBe((await storage.ledger.journal('alice', 10n, 1))[0]?.hash)
  })

  it.each(tamperings)('finds and names %s', async (_what, change, expected) => {
    const clock = fakeClock(startMs)
    const { storage, tamper } = open(clock)
    await use(storage, clock)

    const report = await auditOf(await tamper(change), clock)

    expect(report.isSound).toBe(false)
    expect(report.findings).toContainEqual(expect.objectContaining({ accountId: 'alice', ...expected }))
  })

  it('finds a whole new chain, with a head to match, by the report of an earlier audit alone', async () => {
    const clock = fakeClock(startMs)
    const { storage, tamper } = open(clock)
    await use(storage, clock)
    const earlier = await auditOf(storage, clock)
    const forged = await tamper((rows) =>
      rechain({
        ...rows,
        journal: rows.journal.map((entry) => ({
          ...entry,
          text: entry.text.replace('"model":"model"', '"model":"other"'),
        })),
      }),
    )
    const ledger = createLedger({ store: forged.ledger, plans, clock })

    expect((await ledger.audit('alice')).findings).toEqual([])
    expect((await ledger.audit('alice', { since: earlier })).findings).toMatchObject([
      { kind: 'rewritten-journal', seq: 11n },
    ])
  })
})
