import assert from 'node:assert/strict'
import { nano, type SettledAttempt, usd } from '@farebox/core'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  day,
  deed,
  failed,
  give,
  granted,
  holdOf,
  hour,
  refunded,
  reserved,
  served,
  settled,
  spend,
} from './requests.ts'
import { ask, today, usageOf, used } from './usage-requests.ts'

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
]
