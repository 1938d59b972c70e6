import assert from 'node:assert/strict'
import {
  type ClosePeriodResult,
  type Ledger,
  type LedgerStore,
  type Nano,
  nano,
  type Receipt,
} from '@farebox/core'
import type { LedgerContext } from '../ledger-case.ts'
import { day, extended, granted, hour, readHead, refunded, reserved, served, settled } from '../requests.ts'
import { type Expected, expectedOf, type Place } from './expected.ts'
import { estimate, heldFirst, heldMore, type Journey, refundedFirst, type Step, spared } from './journey.ts'
import type { MonthEnd } from './month-ends.ts'
import type { Tier } from './tiers.ts'

/**
 * Sends all of the journeys over one end of a period, each on an account of its own, and compares who paid, what expired,
 * what the new period has, and both invoices with what the rules say.
 */
export async function playJourneys(
  { ledger, store, clock }: LedgerContext,
  tier: Tier,
  monthEnd: MonthEnd,
  journeys: readonly Journey[],
): Promise<void> {
  const [first, second, end] = monthEnd.days.map((each) => Date.parse(each)) as [number, number, number]
  // All at once, each on its own account: a store may write several accounts in one step.
  const forEach = (play: (journey: Journey) => Promise<void>) => Promise.all(journeys.map(play))
  clock.set(first + day)
  await forEach(({ accountId }) => prepare(ledger, accountId, tier, monthEnd))
  clock.set(second - 1)
  await forEach(async (journey) => {
    const { periodKey, resetsAtMs } = await ledger.balance(journey.accountId)
    assert.deepEqual([periodKey, resetsAtMs], [monthEnd.keys[0], second], journey.accountId)
    for (const step of journey.steps.slice(0, journey.gap)) await take(ledger, journey, step)
  })
  clock.set(second)
  await forEach(async (journey) => {
    const expected = expectedOf(journey, tier.purse)
    await wake(ledger, journey, tier, monthEnd, expected)
    for (const step of journey.steps.slice(journey.gap)) await take(ledger, journey, step)
    await compare(ledger, store, journey, tier, monthEnd, expected)
  })
  clock.set(end + hour)
  await forEach((journey) => compareInvoices(ledger, journey, tier, monthEnd))
}

/** Puts an account on its plan with its anchor day, and leaves it what its purse has. */
async function prepare(ledger: Ledger, accountId: string, tier: Tier, monthEnd: MonthEnd): Promise<void> {
  const { planId, seats, purse } = tier
  const spendingLimit = nano(purse.limit)
  await ledger.configure({ accountId, planId, seats, spendingLimit, anchorDay: monthEnd.anchorDay })
  granted(await ledger.grant({ accountId, grantId: 'bought', amount: nano(purse.bought) }))
  await spend(ledger, accountId, 'before', purse.next - purse.included)
}

async function spend(
  ledger: Ledger,
  accountId: string,
  reservationId: string,
  amount: bigint,
): Promise<void> {
  reserved(await ledger.reserve(holdOf(accountId, reservationId, amount)))
  settled(await ledger.settle({ accountId, reservationId, attempts: [served(amount)] }))
}

function holdOf(accountId: string, reservationId: string, amount: bigint) {
  const subject = { model: 'model', costProviderIds: ['provider'], attemptsMax: 1 }
  return { accountId, reservationId, amount: nano(amount), timeToLiveMs: hour, subject }
}

async function take(ledger: Ledger, { accountId, cost }: Journey, step: Step): Promise<void> {
  const ids = { accountId, reservationId: 'request' }
  switch (step) {
    case 'reserve':
      reserved(await ledger.reserve(holdOf(accountId, 'request', heldFirst)))
      return
    case 'extend':
      extended(await ledger.extend({ ...ids, ordinal: 1, amount: nano(heldMore), timeToLiveMs: 0 }))
      return
    case 'settle':
      settled(await ledger.settle({ ...ids, attempts: [served(cost)] }))
      return
    case 'estimate':
      settled(await ledger.settle({ ...ids, attempts: [{ ...served(estimate), state: 'provisional' }] }))
      return
    case 'cost': {
      const result = await ledger.reconcile({ ...ids, attemptId: 'attempt', cost: nano(cost) })
      assert.equal(result.outcome, 'reconciled')
      return
    }
    case 'refund some':
    case 'refund the rest': {
      const some = step === 'refund some' ? { amount: nano(refundedFirst) } : {}
      const deed = { accountId, opId: step, actor: 'support', reason: 'a test' }
      refunded(await ledger.refund({ ...deed, requestId: 'request', attemptId: 'attempt', ...some }))
    }
  }
}

async function wake(
  ledger: Ledger,
  { accountId, wake: kind }: Journey,
  { purse }: Tier,
  { keys }: MonthEnd,
  { isClosable }: Expected,
): Promise<void> {
  if (kind === 'use') {
    await spend(ledger, accountId, 'another', purse.next > spared ? purse.next - spared : 0n)
  }
  if (kind === 'close') {
    const { outcome } = await ledger.statements.closePeriod({ accountId, periodKey: keys[0] })
    assert.equal(outcome, isClosable ? 'closed' : 'open-holds', accountId)
  }
}

async function compare(
  ledger: Ledger,
  store: LedgerStore,
  { accountId, cost }: Journey,
  { planId, purse }: Tier,
  { keys, days }: MonthEnd,
  expected: Expected,
): Promise<void> {
  // Whatever time alone has changed is written.
  await ledger.configure({ accountId, planId })
  const receipt = (await ledger.receipt(accountId, 'request')) as Receipt
  const placeOf = (source: string) => placesOf(keys, purse.next).get(source) ?? source
  const paid = new Map<string, bigint>()
  for (const { source, amount } of receipt.paidFrom) {
    paid.set(placeOf(source), (paid.get(placeOf(source)) ?? 0n) + amount)
  }
  const { periodKey, charged, absorbed, refunded: back, attempts } = receipt
  assert.deepEqual(
    { periodKey, cost: receipt.cost, charged, absorbed, back, paid, reason: attempts[0]?.absorbedReason },
    {
      periodKey: keys[expected.period === 'first' ? 0 : 1],
      cost,
      charged: expected.charged,
      absorbed: expected.absorbed,
      back: expected.charged,
      paid: expected.paid,
      reason: expected.absorbed > 0n ? 'overrun' : undefined,
    },
    accountId,
  )
  const { grants, overage } = await readHead(store, accountId)
  const of = (map: ReadonlyMap<Place, bigint>, place: Place): bigint => map.get(place) ?? 0n
  for (const { grantId, available, held, settled: used, expired } of grants) {
    const place = placeOf(`grant:${grantId}`) as Place
    const before = place === 'first' ? purse.next - purse.included : 0n
    assert.deepEqual(
      { available, held, used, expired },
      {
        available: of(expected.left, place),
        held: 0n,
        used: before + of(expected.settled, place),
        expired: place === 'first' ? expected.expired : 0n,
      },
      `${place} of ${accountId}`,
    )
  }
  for (const { periodKey: key, held, used } of overage) {
    const place = placeOf(`overage:${key}`) as Place
    assert.deepEqual(
      { held, used },
      { held: 0n, used: of(expected.settled, place) },
      `${place}, ${accountId}`,
    )
  }
  const now = await ledger.balance(accountId)
  assert.deepEqual(
    [now.periodKey, now.resetsAtMs, now.includedIssued, now.included, now.purchased, now.overage.left],
    [
      keys[1],
      Date.parse(days[2]),
      purse.next,
      of(expected.left, 'second'),
      of(expected.left, 'bought'),
      of(expected.left, 'line of second'),
    ],
    accountId,
  )
}

/** Which place a source is. */
function placesOf([first, second]: MonthEnd['keys'], target: bigint): ReadonlyMap<string, Place> {
  return new Map<string, Place>([
    [`grant:incl:${first}:${target}`, 'first'],
    [`grant:incl:${second}:${target}`, 'second'],
    ['grant:bought', 'bought'],
    [`overage:${first}`, 'line of first'],
    [`overage:${second}`, 'line of second'],
  ])
}

/** The first invoice has what its line has as it is written; what changes of it later is on the second one. */
async function compareInvoices(
  ledger: Ledger,
  journey: Journey,
  { purse }: Tier,
  { keys }: MonthEnd,
): Promise<void> {
  const { accountId } = journey
  const expected = expectedOf(journey, purse)
  const used = (place: Place): bigint => expected.settled.get(place) ?? 0n
  const invoices = []
  for (const periodKey of keys) invoices.push(await ledger.statements.closePeriod({ accountId, periodKey }))
  assert.deepEqual(
    invoices.map(amountsOf),
    [
      [expected.billed, 0n],
      [used('line of second'), used('line of first') - expected.billed],
    ],
    accountId,
  )
}

function amountsOf(result: ClosePeriodResult): readonly [overage: Nano, adjustments: Nano] {
  assert.equal(result.outcome, 'closed')
  const { overage, adjustments } = (result as Extract<ClosePeriodResult, { outcome: 'closed' }>).invoice
  return [overage, adjustments]
}
