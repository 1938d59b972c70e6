import assert from 'node:assert/strict'
import { type GrantRequest, nano, usd } from '@farebox/core'
import { caseStartMs, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  counters,
  day,
  give,
  granted,
  holdOf,
  hour,
  readHead,
  refused,
  reserved,
  settleAt,
  sources,
  spend,
} from './requests.ts'

/** Credit, without the account and the id. */
type Credit = Partial<Omit<GrantRequest, 'accountId' | 'grantId'>>

const soon = caseStartMs + day
const later = caseStartMs + 2 * day

/** Why the first of two grants is drawn before the second. Both were granted in the other order. */
const drawOrder: readonly (readonly [rule: string, first: Credit, second: Credit])[] = [
  [
    'the lower priority number first, however late it expires',
    { priority: 1 },
    { priority: 2, expiresAtMs: soon },
  ],
  ['what expires soonest', { expiresAtMs: soon }, { expiresAtMs: later }],
  ['what expires before what never does', { expiresAtMs: later }, {}],
  [
    'what was given before what was bought',
    { kind: 'courtesy', priority: 50, amount: nano(900n) },
    { kind: 'purchased', priority: 50, amount: nano(100n) },
  ],
  ['the smaller grant before the larger', { amount: nano(100n) }, { amount: nano(101n) }],
  [
    'the older grant before the newer',
    { effectiveAtMs: caseStartMs - 2 },
    { effectiveAtMs: caseStartMs - 1 },
  ],
  ['promotional credit before purchased credit by default', { kind: 'promotional' }, { expiresAtMs: soon }],
]

const drawOrderCases = drawOrder.map(([rule, first, second]) =>
  ledgerCase(`draws ${rule}`, async ({ ledger }) => {
    const amount = nano(200n)
    granted(await ledger.grant({ accountId: 'alice', grantId: 'a-second', amount, ...second }))
    granted(await ledger.grant({ accountId: 'alice', grantId: 'b-first', amount, ...first }))
    const firstAmount = first.amount ?? amount
    const hold = reserved(await ledger.reserve(holdOf('r1', firstAmount + 1n)))

    assert.deepEqual(sources(hold.parts), [
      ['grant:b-first', firstAmount],
      ['grant:a-second', 1n],
    ])
  }),
)

/** Credit that is added, used in order, and expires. */
export const grantCases: readonly LedgerCase[] = [
  ...drawOrderCases,

  ledgerCase('draws grants that are alike in the order of their ids', async ({ ledger }) => {
    for (const grantId of ['b', 'c', 'a']) await give(ledger, grantId, 10n)
    const hold = reserved(await ledger.reserve(holdOf('r1', 25n)))

    assert.deepEqual(sources(hold.parts), [
      ['grant:a', 10n],
      ['grant:b', 10n],
      ['grant:c', 5n],
    ])
  }),

  ledgerCase('keeps the draw order while the grants are used up', async ({ ledger }) => {
    await give(ledger, 'large', 100n)
    await give(ledger, 'small', 60n)
    await spend(ledger, 'r1', 1n)
    await give(ledger, 'medium', 70n)
    const hold = reserved(await ledger.reserve(holdOf('r2', 200n)))

    // By what was issued, not by what is left: the small grant now has 59 left.
    assert.deepEqual(sources(hold.parts), [
      ['grant:small', 59n],
      ['grant:medium', 70n],
      ['grant:large', 71n],
    ])
  }),

  ledgerCase('offers credit from the moment it becomes effective', async ({ ledger, clock }) => {
    granted(await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: nano(5n), effectiveAtMs: soon }))
    clock.set(soon - 1)
    assert.equal((await ledger.balance('alice')).spendable, 0n)
    refused(await ledger.reserve(holdOf('r1', 1n)))

    clock.set(soon)
    assert.equal((await ledger.balance('alice')).spendable, 5n)
    reserved(await ledger.reserve(holdOf('r1', 5n)))
  }),

  ledgerCase('offers credit until just before it expires', async ({ ledger, store, clock }) => {
    granted(await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: nano(5n), expiresAtMs: soon }))
    clock.set(soon - 1)
    await spend(ledger, 'r1', 1n)
    clock.set(soon)
    assert.equal((await ledger.balance('alice')).spendable, 0n)
    refused(await ledger.reserve(holdOf('r2', 1n)))

    await give(ledger, 'g2', 1n)
    assert.deepEqual(await counters(store, 'g1'), { available: 0n, held: 0n, settled: 1n, expired: 4n })
  }),

  ledgerCase(
    'failure 29: grants once for one id, however often and however late it is sent',
    async ({ ledger, store, clock }) => {
      const request = { accountId: 'alice', grantId: 'g1', amount: usd('1.00'), expiresAtMs: soon }
      const first = await ledger.grant(request)
      await spend(ledger, 'r1', usd('1.00'))
      clock.set(later)

      assert.deepEqual(await changesNothing(store, () => ledger.grant(request)), first)
    },
  ),

  ledgerCase('failure 29: grants one id once when it is sent twenty times at once', async ({ ledger }) => {
    const request = { accountId: 'alice', grantId: 'g1', amount: usd('1.00') }
    const results = await Promise.all(Array.from({ length: 20 }, () => ledger.grant(request)))

    assert.equal(new Set(results.map(({ outcome }) => outcome)).size, 1)
    assert.equal((await ledger.balance('alice')).purchased, usd('1.00'))
  }),

  ledgerCase('reports a conflict when an id comes back with other content', async ({ ledger, store }) => {
    const request = { accountId: 'alice', grantId: 'g1', amount: nano(10n) }
    granted(await ledger.grant(request))
    const others = [
      { amount: nano(11n) },
      { kind: 'courtesy' as const },
      { priority: 7 },
      { expiresAtMs: soon },
      { effectiveAtMs: soon },
    ]
    for (const other of others) {
      const result = await changesNothing(store, () => ledger.grant({ ...request, ...other }))
      assert.equal(result.outcome, 'conflict')
    }
  }),

  ledgerCase('takes the same grant id for two accounts as two grants', async ({ ledger }) => {
    await give(ledger, 'g1', 10n)
    granted(await ledger.grant({ accountId: 'bob', grantId: 'g1', amount: nano(3n) }))

    assert.equal((await ledger.balance('alice')).spendable, 10n)
    assert.equal((await ledger.balance('bob')).spendable, 3n)
  }),

  ledgerCase('refuses grants of nothing, of less, and of no time', async ({ ledger, store, clock }) => {
    await give(ledger, 'g0', 1n)
    const now = clock.now()
    const wrong: Credit[] = [
      { amount: nano(0n) },
      { amount: nano(-1n) },
      { expiresAtMs: now },
      { expiresAtMs: now - hour },
      { effectiveAtMs: soon, expiresAtMs: soon },
      { effectiveAtMs: later, expiresAtMs: soon },
    ]
    await changesNothing(store, async () => {
      for (const [index, credit] of wrong.entries()) {
        const request = { accountId: 'alice', grantId: `w${index}`, amount: nano(1n), ...credit }
        await assert.rejects(() => ledger.grant(request), RangeError)
      }
    })
  }),

  ledgerCase('refuses times and priorities that are no numbers', async ({ ledger, store }) => {
    await give(ledger, 'g0', 1n)
    const wrong: Credit[] = [
      { priority: Number.NaN },
      { priority: Number.POSITIVE_INFINITY },
      { effectiveAtMs: Number.NaN },
      { effectiveAtMs: Number.NEGATIVE_INFINITY },
      { expiresAtMs: Number.NaN },
      { expiresAtMs: Number.POSITIVE_INFINITY },
    ]
    await changesNothing(store, async () => {
      for (const [index, credit] of wrong.entries()) {
        const request = { accountId: 'alice', grantId: `w${index}`, amount: nano(1n), ...credit }
        await assert.rejects(() => ledger.grant(request), RangeError)
      }
    })
  }),

  ledgerCase(
    'refuses the ids that included credit is issued under, so that none is ever taken twice',
    async ({ ledger, store }) => {
      await ledger.configure({ accountId: 'alice', planId: 'free' })
      const grantId = 'incl:2026-11:2000000000'
      await changesNothing(store, () =>
        assert.rejects(() => ledger.grant({ accountId: 'alice', grantId, amount: nano(1n) }), RangeError),
      )
      await ledger.configure({ accountId: 'alice', planId: 'pro' })
      assert.equal((await ledger.balance('alice')).included, usd('2.00'))
    },
  ),

  ledgerCase('holds 64 open grants and not one more, until one is used up', async ({ ledger, store }) => {
    for (let index = 1; index <= 64; index += 1) await give(ledger, `g${index}`, 10n)
    const request = { accountId: 'alice', grantId: 'g65', amount: nano(10n) }
    const result = await changesNothing(store, () => ledger.grant(request))
    assert.deepEqual(result, { outcome: 'too-many-grants', max: 64 })

    await spend(ledger, 'r1', 9n)
    assert.equal((await ledger.grant(request)).outcome, 'too-many-grants')
    await spend(ledger, 'r2', 1n)
    granted(await ledger.grant(request))
    assert.equal((await ledger.balance('alice')).spendable, 640n)
  }),

  ledgerCase(
    'lets a team buy credit that has grown by one seat seventy times in a month',
    async ({ ledger }) => {
      for (let seats = 1; seats <= 70; seats += 1) {
        await ledger.configure({ accountId: 'alice', planId: 'team', seats })
      }
      await give(ledger, 'g1', 10n)
      assert.equal((await ledger.balance('alice')).included, usd('140.00'))
    },
  ),

  ledgerCase(
    'remembers the last sixteen used-up grants, and every one that still holds credit',
    async ({ ledger, store, clock }) => {
      await give(ledger, 'held', 5n)
      reserved(await ledger.reserve(holdOf('r0', 5n, { timeToLiveMs: 40 * day })))
      for (let index = 1; index <= 30; index += 1) {
        clock.advance(1)
        // Ever smaller, so that the oldest is the last in draw order.
        await give(ledger, `g${index}`, BigInt(100 - index))
        await spend(ledger, `r${index}`, BigInt(100 - index))
      }
      const ids = async (): Promise<string[]> => (await readHead(store)).grants.map(({ grantId }) => grantId)
      const latest = Array.from({ length: 17 }, (_, index) => `g${index + 14}`)
      assert.deepEqual(
        (await ids()).toSorted(),
        [...latest, 'held'].toSorted(),
        'sixteen, and the last grant',
      )

      clock.set(Date.UTC(2026, 11, 1))
      await settleAt(ledger, 'r0', 5n)
      assert.deepEqual((await ids()).toSorted(), [...latest.slice(1), 'held'].toSorted())
    },
  ),

  ledgerCase('keeps the head small however many grants one month uses up', async ({ ledger, store }) => {
    for (let index = 1; index <= 120; index += 1) {
      await give(ledger, `g${index}`, 10n)
      await spend(ledger, `r${index}`, 10n)
    }

    const { grants } = await readHead(store)
    assert.ok(grants.length <= 64 + 16 + 1, `the head has ${grants.length} grants`)
    assert.equal(
      (await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: nano(11n) })).outcome,
      'conflict',
    )
  }),
]
