import assert from 'node:assert/strict'
import {
  createLedger,
  type Ledger,
  type LedgerStore,
  nano,
  type Quantities,
  type SettledAttempt,
  type UsageRow,
  usd,
} from '@farebox/core'
import { charging, expected, tell, waitMs } from './late-requests.ts'
import { casePlans, type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  day,
  deed,
  failed,
  give,
  graceMs,
  granted,
  holdOf,
  hour,
  minute,
  refunded,
  reserved,
  resolveWithinMs,
  served,
  settled,
  spend,
  traceable,
} from './requests.ts'

const today = '2026-11-10'

/** Usage as it is kept: what was booked, added up by day. */
export const usageCases: readonly LedgerCase[] = [
  ledgerCase('adds up the requests of a day', async ({ ledger }) => {
    await give(ledger, 'g1', 200n)
    await ask(ledger, 'r1', [used(30n, { input_token: 12n, output_token: 5n })])
    await ask(ledger, 'r2', [used(21n, { input_token: 8n, compute_second: '0.25' })])
    await ask(ledger, 'r3', [used(1n, { compute_second: '1.5' })])

    const [row, ...others] = await usageOf(ledger, today)
    assert.deepEqual(others, [])
    assert.deepEqual([row?.requests, row?.attempts, row?.cost, row?.charged], [3, 3, 52n, 52n])
    assert.deepEqual({ ...row?.quantities }, { input_token: 20n, output_token: 5n, compute_second: '1.75' })
    assert.deepEqual({ ...row?.paidFrom }, { purchased: 52n })
    assert.deepEqual([row?.periodKey, row?.model, row?.providerId], ['2026-11', 'model', 'provider'])
  }),

  ledgerCase('adds a refund to a day whose requests were added up before', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 200n)
    await ask(ledger, 'r1', [served(30n)])
    await usageOf(ledger, today)
    refunded(await ledger.refund({ ...deed('o1'), requestId: 'r1', attemptId: 'attempt', amount: nano(10n) }))
    const [row, ...others] = await usageOf(ledger, today)
    assert.deepEqual(others, [])
    assert.deepEqual([row?.requests, row?.charged, row?.refunded], [1, 30n, 10n])
    assert.deepEqual({ ...row?.paidFrom }, { purchased: 20n })

    clock.advance(day)
    await ask(ledger, 'r2', [served(7n)])
    await usageOf(ledger, '2026-11-11')
    refunded(await ledger.refund({ ...deed('o2'), requestId: 'r1', attemptId: 'attempt' }))
    const [next] = await usageOf(ledger, '2026-11-11')
    assert.deepEqual([next?.requests, next?.charged, next?.refunded], [1, 7n, 20n])
  }),

  ledgerCase('keeps models, providers and members apart', async ({ ledger }) => {
    await give(ledger, 'g1', 1000n)
    const subjects = [
      { model: 'a', memberId: 'ada', costProviderIds: [], attemptsMax: 1 },
      { model: 'a', memberId: 'bob', costProviderIds: [], attemptsMax: 1 },
      { model: 'b', costProviderIds: [], attemptsMax: 1 },
    ]
    for (const [index, subject] of subjects.entries()) {
      await ask(ledger, `r${index}`, [served(10n)], { subject })
      await ask(ledger, `s${index}`, [{ ...served(1n), providerId: 'other' }], { subject })
    }
    assert.deepEqual(
      (await usageOf(ledger, today)).map((row) => [row.model, row.memberId, row.providerId, row.charged]),
      [
        ['a', 'ada', 'provider', 10n],
        ['a', 'ada', 'other', 1n],
        ['a', 'bob', 'provider', 10n],
        ['a', 'bob', 'other', 1n],
        ['b', undefined, 'provider', 10n],
        ['b', undefined, 'other', 1n],
      ],
    )
  }),

  ledgerCase(
    'counts a request where it was served, and every attempt where it was made',
    async ({ ledger }) => {
      await give(ledger, 'g1', 100n)
      const first = { ...failed(3n, 'r1.1'), providerId: 'broken' }
      await ask(ledger, 'r1', [first, used(40n, { input_token: 7n }, 'estimate')])
      const rows = await usageOf(ledger, today)

      assert.deepEqual(
        rows.map(({ providerId, requests, attempts, estimates, cost, charged, absorbed }) => ({
          ...{ providerId, requests, attempts, estimates, cost, charged, absorbed: { ...absorbed } },
        })),
        [
          {
            ...{ providerId: 'broken', requests: 0, attempts: 1, estimates: 0, cost: 3n, charged: 0n },
            absorbed: { failed_attempt: 3n },
          },
          {
            providerId: 'provider',
            requests: 1,
            attempts: 1,
            estimates: 1,
            cost: 40n,
            charged: 40n,
            absorbed: {},
          },
        ],
      )
    },
  ),

  ledgerCase('tells what is not known from what is nothing', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    await ask(ledger, 'r1', [failed(null), used(0n, { input_token: 0n })])
    const [row] = await usageOf(ledger, today)

    assert.deepEqual([row?.attempts, row?.unknownCosts, row?.cost], [2, 1, 0n])
    assert.deepEqual({ ...row?.quantities }, { input_token: 0n })
  }),

  ledgerCase(
    'tells what paid: included, promotional and bought credit, and pay-as-you-go',
    async ({ ledger }) => {
      await ledger.configure({ accountId: 'alice', planId: 'pro' })
      granted(
        await ledger.grant({
          accountId: 'alice',
          grantId: 'promo',
          kind: 'promotional',
          amount: usd('0.50'),
        }),
      )
      await give(ledger, 'bought', usd('1.00'))
      await spend(ledger, 'r1', usd('3.75'))
      await ask(ledger, 'r2', [served(usd('0.01'))])
      const [row] = await usageOf(ledger, today)

      assert.deepEqual(
        { ...row?.paidFrom },
        { included: usd('2.00'), promotional: usd('0.50'), purchased: usd('1.00'), overage: usd('0.26') },
      )
      assert.equal(row?.charged, usd('3.76'))
    },
  ),

  ledgerCase(
    'keeps what providers bill on the customer’s own key apart from every cost',
    async ({ ledger }) => {
      await give(ledger, 'g1', 100n)
      const subject = { model: 'model', keyId: 'key1', costProviderIds: [], attemptsMax: 1 }
      const own: SettledAttempt = {
        ...served(null),
        costSource: 'own-key',
        payer: 'own-key',
        memoCost: nano(77n),
      }
      await ask(ledger, 'r1', [own], { subject })
      await ask(ledger, 'r2', [used(5n, { input_token: 1n })], { subject })
      const [row, ...others] = await usageOf(ledger, today)

      assert.deepEqual(others, [])
      assert.deepEqual(
        [row?.keyId, row?.requests, row?.memoCost, row?.cost, row?.charged, row?.unknownCosts],
        ['key1', 2, 77n, 5n, 5n, 0],
      )
    },
  ),

  ledgerCase('counts a cost that comes later once, on the day of its request', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100n)
    await ask(ledger, 'r1', [
      { ...expected(40n), usage: { quantities: { input_token: 9n }, certainty: 'exact' } },
    ])
    const [awaited] = await usageOf(ledger, today)
    assert.deepEqual(
      [awaited?.requests, awaited?.attempts, awaited?.unknownCosts, awaited?.cost, awaited?.charged],
      [1, 1, 1, 0n, 0n],
    )

    clock.advance(waitMs - 1)
    await tell(ledger, 'r1', 33n)
    const [row, ...others] = await usageOf(ledger, today)
    assert.deepEqual(others, [])
    assert.deepEqual(
      [row?.requests, row?.attempts, row?.unknownCosts, row?.cost, row?.charged],
      [1, 1, 0, 33n, 33n],
    )
    assert.deepEqual(
      [{ ...row?.quantities }, { ...row?.paidFrom }],
      [{ input_token: 9n }, { purchased: 33n }],
    )
  }),

  ledgerCase(
    'leaves a cost unknown that never came, and absorbs one that comes too late',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      await ask(ledger, 'r1', [expected(40n)])
      await ask(ledger, 'r2', [expected(40n)])
      clock.advance(waitMs)
      await tell(ledger, 'r2', 12n)
      const [row] = await usageOf(ledger, today)

      assert.deepEqual([row?.attempts, row?.unknownCosts, row?.cost, row?.charged], [2, 1, 12n, 0n])
      assert.deepEqual({ ...row?.absorbed }, { waived_late_cost: 12n })
    },
  ),

  ledgerCase('counts what was charged by an estimate and cost more as one attempt', async (context) => {
    const { clock, ledger } = context
    await give(ledger, 'g1', 100n)
    const estimating = charging(context)
    await ask(estimating, 'r1', [expected(40n)])
    clock.advance(waitMs)
    await give(estimating, 'g2', 1n)
    await tell(estimating, 'r1', 50n)
    const [row] = await usageOf(ledger, today)

    assert.deepEqual([row?.attempts, row?.unknownCosts, row?.cost, row?.charged], [1, 0, 50n, 40n])
  }),

  ledgerCase(
    'counts the attempt of a request that was left behind, once its cost is told',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 50n, { subject: traceable })))
      clock.advance(minute + graceMs + resolveWithinMs)
      await ledger.unresolved('alice')
      await ledger.reconcile({
        ...toldBy('provider'),
        reservationId: 'r1',
        attemptId: 'r1.1',
        cost: nano(9n),
      })
      const [row] = await usageOf(ledger, today)

      assert.deepEqual([row?.providerId, row?.requests, row?.attempts, row?.cost], ['provider', 0, 1, 9n])
      assert.deepEqual({ ...row?.absorbed }, { crash_unknown: 9n })
    },
  ),

  ledgerCase(
    'counts an attempt that was told after its request was settled without it',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 50n, { subject: { ...traceable, attemptsMax: 2 } })))
      clock.advance(minute + graceMs)
      await ledger.unresolved('alice')
      const request = { accountId: 'alice', reservationId: 'r1' }
      settled(await ledger.settle({ ...request, attempts: [served(40n, 'r1.2')], untold: ['r1.1'] }))
      await ledger.reconcile({ ...request, attemptId: 'r1.1', cost: nano(9n) })
      const [row] = await usageOf(ledger, today)

      assert.deepEqual([row?.requests, row?.attempts, row?.unknownCosts], [1, 2, 0])
      assert.deepEqual([row?.cost, row?.charged], [49n, 40n])
    },
  ),

  ledgerCase('counts a refund on its own day, for who asked and who served', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100n)
    const subject = { model: 'large', memberId: 'ada', costProviderIds: [], attemptsMax: 1 }
    await ask(ledger, 'r1', [served(40n)], { subject })
    clock.set(Date.UTC(2026, 11, 5))
    refunded(await ledger.refund({ ...deed('o1'), requestId: 'r1', attemptId: 'attempt', amount: nano(15n) }))
    const [row, ...others] = await usageOf(ledger, '2026-12-05')

    assert.deepEqual(others, [])
    assert.deepEqual(
      [row?.periodKey, row?.model, row?.providerId, row?.memberId],
      ['2026-11', 'large', 'provider', 'ada'],
    )
    assert.deepEqual([row?.requests, row?.charged, row?.refunded], [0, 0n, 15n])
    assert.deepEqual({ ...row?.paidFrom }, { purchased: -15n })
    assert.equal((await usageOf(ledger, today))[0]?.charged, 40n)
  }),

  ledgerCase('counts a request on the day and in the period it began', async ({ ledger, clock }) => {
    await ledger.configure({ accountId: 'alice', planId: 'pro' })
    const midnight = Date.UTC(2026, 11, 1)
    clock.set(midnight - 1)
    reserved(await ledger.reserve(holdOf('r1', 50n)))
    clock.set(midnight + hour)
    await spend(ledger, 'r2', 7n)
    settled(await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts: [served(50n)] }))
    const [november, december] = [await usageOf(ledger, '2026-11-30'), await usageOf(ledger, '2026-12-01')]

    assert.deepEqual(
      [...november, ...december].map(({ periodKey, charged }) => [periodKey, charged]),
      [
        ['2026-11', 50n],
        ['2026-12', 7n],
      ],
    )
  }),

  ledgerCase(
    'counts every entry once when ten processes add up at once',
    async ({ ledger, store, clock }) => {
      await give(ledger, 'g1', 10_000n)
      const ledgers = Array.from({ length: 10 }, () => createLedger({ store, plans: casePlans, clock }))
      for (let round = 0; round < 3; round += 1) {
        const asked = Array.from({ length: 30 }, (_, index) => spend(ledger, `r${round}.${index}`, 10n))
        await Promise.all([...asked, ...ledgers.map(({ statements }) => statements.fold('alice', 1000))])
        await Promise.all(ledgers.map(({ statements }) => statements.fold('alice', 1000)))
      }
      const [row, ...others] = await usageOf(ledger, today)

      assert.deepEqual([row?.requests, row?.charged, others.length], [90, 900n, 0])
      assert.deepEqual(await ledger.statements.fold('alice', 1), { seq: 91n, isComplete: true })
    },
  ),

  ledgerCase(
    'failure 17: charges nothing for being asked, however often',
    async ({ ledger, store, clock }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      await spend(ledger, 'r1', usd('0.10'))
      clock.set(Date.UTC(2026, 11, 1))
      await ledger.statements.closePeriod({ accountId: 'alice' })
      await changesNothing(store, async () => {
        for (let times = 0; times < 50; times += 1) {
          await usageOf(ledger, today)
          await ledger.statements.closePeriod({ accountId: 'alice', periodKey: '2026-11' })
          await ledger.statements.invoice('alice', '2026-11')
          await ledger.receipt('alice', 'r1')
        }
      })
    },
  ),

  ledgerCase('writes nothing when nothing was booked since the last time', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    await spend(ledger, 'r1', 10n)
    await ledger.statements.fold('alice', 1000)
    await changesNothing(store, () => usageOf(ledger, today))
    assert.deepEqual(await ledger.statements.fold('nobody', 1000), { seq: 0n, isComplete: true })
  }),

  ledgerCase('adds up no more entries at once than it is asked to', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    for (let index = 0; index < 9; index += 1) await spend(ledger, `r${index}`, 1n)

    assert.deepEqual(await ledger.statements.fold('alice', 4), { seq: 4n, isComplete: false })
    assert.equal((await ledger.statements.usage('alice', [{ day: today, page: 0 }])).seq, 4n)
    assert.deepEqual(await ledger.statements.fold('alice', 6), { seq: 10n, isComplete: true })
  }),

  ledgerCase(
    'failure 22: reads each entry of the journal once, however often usage is asked for',
    async ({ store, clock }) => {
      let entries = 0
      const counting: LedgerStore = {
        ...store,
        async journal(...request) {
          const page = await store.journal(...request)
          entries += page.length
          return page
        },
      }
      const ledger = createLedger({ store: counting, plans: casePlans, clock })
      await give(ledger, 'g1', 100_000n)
      for (let index = 0; index < 400; index += 1) await spend(ledger, `r${index}`, 10n)
      await usageOf(ledger, today)
      assert.equal(entries, 401)

      for (let times = 0; times < 20; times += 1) {
        await spend(ledger, `s${times}`, 1n)
        const [row] = await usageOf(ledger, today)
        assert.equal(row?.charged, 4000n + BigInt(times + 1))
      }
      assert.equal(entries, 421)
    },
  ),

  ledgerCase('keeps the rows of a day with 300 members on further pages', async ({ ledger, clock }) => {
    await give(ledger, 'g1', 100_000n)
    for (const round of [0, 1]) {
      for (let index = 0; index < 300; index += 1) {
        const subject = { model: 'model', memberId: `m${index}`, costProviderIds: [], attemptsMax: 1 }
        await ask(ledger, `r${round}.${index}`, [served(BigInt(index))], { subject })
      }
      await ledger.statements.fold('alice', 1000)
    }
    clock.advance(day)
    const { pages, further } = await ledger.statements.usage('alice', [{ day: today, page: 0 }])
    assert.deepEqual([pages[0]?.rows.length, further], [256, [{ day: today, page: 1 }]])
    const rows = await usageOf(ledger, today)

    assert.equal(rows.length, 300)
    for (const { memberId, requests, charged } of rows) {
      assert.deepEqual([requests, charged], [2, 2n * BigInt(String(memberId).slice(1))])
    }
  }),
]

/** A day's usage, after everything that was booked is added up. */
async function usageOf(ledger: Ledger, date: string, accountId = 'alice'): Promise<readonly UsageRow[]> {
  await ledger.statements.fold(accountId, Number.MAX_SAFE_INTEGER)
  const first = await ledger.statements.usage(accountId, [{ day: date, page: 0 }])
  const rest = await ledger.statements.usage(accountId, first.further)
  return [...first.pages, ...rest.pages].flatMap(({ rows }) => rows)
}

async function ask(
  ledger: Ledger,
  id: string,
  attempts: readonly SettledAttempt[],
  options: Parameters<typeof holdOf>[2] = {},
): Promise<void> {
  reserved(await ledger.reserve(holdOf(id, 50n, options)))
  settled(await ledger.settle({ accountId: 'alice', reservationId: id, attempts }))
}

function toldBy(providerId: string): { readonly accountId: string; readonly providerId: string } {
  return { accountId: 'alice', providerId }
}

function used(
  cost: bigint,
  quantities: Quantities,
  certainty: 'exact' | 'estimate' = 'exact',
): SettledAttempt {
  return { ...served(cost), cost: nano(cost), usage: { quantities, certainty } }
}
