import assert from 'node:assert/strict'
import { chainHash, type Ledger, type LedgerStore, nano, type StoredEntry, usd } from '@farebox/core'
import { checkChain, readJournal } from './check-invariants.ts'
import { caseStartMs, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  failed,
  give,
  granted,
  holdOf,
  hour,
  readHead,
  refused,
  reserved,
  served,
  spend,
} from './requests.ts'

async function history(ledger: Ledger, store: LedgerStore): Promise<readonly StoredEntry[]> {
  await ledger.configure({ accountId: 'alice', planId: 'free' })
  await give(ledger, 'g1', 100n)
  await spend(ledger, 'r1', usd('0.05'))
  await spend(ledger, 'r2', usd('0.05') + 7n)
  return readJournal(store, 'alice')
}

/** What was booked, for ever. */
export const journalCases: readonly LedgerCase[] = [
  ledgerCase(
    'numbers the journal without gaps and chains every entry to the one before',
    async ({ ledger, store }) => {
      const entries = await history(ledger, store)
      assert.deepEqual(
        entries.map(({ seq }) => seq),
        [1n, 2n, 3n, 4n, 5n],
      )
      let chain = ''
      for (const { seq, text, hash } of entries) {
        assert.equal(hash, chainHash(chain, seq, text))
        chain = hash
      }
      const head = await readHead(store)
      assert.deepEqual([head.seq, head.chain], [5n, chain])
    },
  ),

  ledgerCase('shows when an entry was changed, removed, moved or added', async ({ ledger, store }) => {
    const entries = await history(ledger, store)
    const [first, , third, fourth] = entries as readonly [StoredEntry, StoredEntry, StoredEntry, StoredEntry]
    checkChain(entries)
    const cheaper = { ...fourth, text: fourth.text.replace('50000000n', '40000000n') }
    assert.notEqual(cheaper.text, fourth.text)
    const rehashed = { ...cheaper, hash: chainHash(third.hash, fourth.seq, cheaper.text) }
    const forgeries = [
      entries.with(3, cheaper),
      entries.with(3, rehashed),
      entries.toSpliced(2, 1),
      entries.slice(1),
      entries.with(1, third).with(2, first),
      entries.toSpliced(3, 0, fourth),
    ]
    for (const forged of forgeries) assert.throws(() => checkChain(forged), assert.AssertionError)
  }),

  ledgerCase('adds up to the balance, posting by posting', async ({ ledger, store, clock }) => {
    const expiresAtMs = caseStartMs + hour
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    granted(await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: nano(100n), expiresAtMs }))
    await give(ledger, 'g2', 50n)
    await spend(ledger, 'r1', 30n)
    clock.advance(hour)
    await spend(ledger, 'r2', 60n)
    const sums = new Map<string, bigint>()
    const entries = await ledger.journal('alice', 0n, 100)
    assert.deepEqual(
      entries.map(({ opId }) => opId),
      ['configure:1', 'grant:g1', 'grant:g2', 'settle:r1', 'expire:5', 'settle:r2'],
    )
    for (const { postings } of entries) {
      for (const { source, from, to, amount } of postings) {
        sums.set(`${source} ${from}`, (sums.get(`${source} ${from}`) ?? 0n) - amount)
        sums.set(`${source} ${to}`, (sums.get(`${source} ${to}`) ?? 0n) + amount)
      }
    }

    assert.deepEqual(Object.fromEntries(sums), {
      'grant:g1 issued': -100n,
      'grant:g1 available': 0n,
      'grant:g1 settled': 30n,
      'grant:g1 expired': 70n,
      'grant:g2 issued': -50n,
      'grant:g2 available': 0n,
      'grant:g2 settled': 50n,
      'overage:2026-11 limit': -10n,
      'overage:2026-11 used': 10n,
    })
    const { charged, spendable } = await ledger.balance('alice')
    assert.deepEqual([charged, spendable], [90n, usd('1.00') - 10n])
    assert.equal((await readHead(store)).seq, 6n)
  }),

  ledgerCase('failure 15: books every attempt with its cost and who paid it', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100n)
    const subject = { model: 'model', memberId: 'bob', costProviderIds: [], attemptsMax: 2 }
    reserved(await ledger.reserve(holdOf('r1', 60n, { subject })))
    clock.advance(1000)
    const usage = { quantities: { input_token: 12n, compute_second: '1.25' }, certainty: 'exact' as const }
    const attempts = [failed(3n, 'r1.1'), { ...served(70n, 'r1.2'), usage, priceVersion: 'v1' }]
    await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts })
    const entry = (await ledger.journal('alice', 1n, 10))[0]

    assert.equal(entry?.kind, 'settled')
    assert.equal(entry?.opId, 'settle:r1')
    assert.equal(entry?.requestId, 'r1')
    assert.equal(entry?.memberId, 'bob')
    assert.equal(entry?.effectiveAtMs, caseStartMs)
    assert.equal(entry?.recordedAtMs, caseStartMs + 1000)
    assert.deepEqual(
      entry?.attempts?.map(({ attemptId, cost, charged, absorbed }) => [attemptId, cost, charged, absorbed]),
      [
        ['r1.1', 3n, 0n, 3n],
        ['r1.2', 70n, 70n, 0n],
      ],
    )
    assert.deepEqual({ ...entry?.attempts?.[1]?.usage?.quantities }, usage.quantities)
    assert.equal(entry?.attempts?.[1]?.priceVersion, 'v1')
  }),

  ledgerCase('books holds nowhere: only what moved money', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    refused(await ledger.reserve(holdOf('r2', 60n)))
    await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts: [] })

    assert.equal((await readJournal(store, 'alice')).length, 1)
  }),

  ledgerCase('gives the journal page by page', async ({ ledger, store }) => {
    await history(ledger, store)
    const seqs = async (afterSeq: bigint, limit: number): Promise<bigint[]> =>
      (await ledger.journal('alice', afterSeq, limit)).map(({ seq }) => seq)

    assert.deepEqual(await seqs(0n, 2), [1n, 2n])
    assert.deepEqual(await seqs(2n, 2), [3n, 4n])
    assert.deepEqual(await seqs(4n, 2), [5n])
    assert.deepEqual(await seqs(5n, 2), [])
  }),

  ledgerCase('keeps ids and names that look like numbers as they are', async ({ ledger }) => {
    granted(await ledger.grant({ accountId: 'alice', grantId: '12n', amount: nano(100n) }))
    const subject = { model: '7n', memberId: '~9n', costProviderIds: [], attemptsMax: 1 }
    reserved(await ledger.reserve(holdOf('-3n', 60n, { subject })))
    await ledger.settle({ accountId: 'alice', reservationId: '-3n', attempts: [served(1n, '1n')] })
    const receipt = await ledger.receipt('alice', '-3n')
    const entry = (await ledger.journal('alice', 1n, 1))[0]

    assert.deepEqual([receipt?.model, receipt?.memberId, receipt?.requestId], ['7n', '~9n', '-3n'])
    assert.deepEqual(
      [entry?.memberId, entry?.requestId, entry?.attempts?.[0]?.attemptId],
      ['~9n', '-3n', '1n'],
    )
    assert.equal(entry?.postings[0]?.source, 'grant:12n')
  }),
]
