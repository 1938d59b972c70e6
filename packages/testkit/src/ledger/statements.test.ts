import {
  createLedger,
  fakeClock,
  type Invoice,
  type Ledger,
  memoryStorage,
  nano,
  type Receipt,
  type UsageSums,
  usd,
} from '@farebox/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkInvariants } from './check-invariants.ts'
import { closed } from './closings.ts'
import { expected, tell } from './late-requests.ts'
import { casePlans, caseStartMs } from './ledger-case.ts'
import { day, deed, failed, holdOf, hour, minute, served, settled } from './requests.ts'

const numRuns = Number(process.env['FAREBOX_RUNS'] ?? 60)

type Step =
  | { readonly do: 'ask'; readonly cost: bigint; readonly failedCost: bigint; readonly hold: bigint }
  | { readonly do: 'hold'; readonly amount: bigint }
  | { readonly do: 'settle'; readonly cost: bigint }
  | { readonly do: 'grant'; readonly amount: bigint; readonly kind: 'purchased' | 'promotional' }
  | {
      readonly do: 'configure'
      readonly planId: string
      readonly seats: number
      readonly anchorDay: number | null
    }
  | { readonly do: 'refund'; readonly share: bigint; readonly back: number }
  | { readonly do: 'adjust'; readonly amount: bigint }
  | { readonly do: 'expect'; readonly amount: bigint }
  | { readonly do: 'tell'; readonly cost: bigint | null; readonly back: number }
  | { readonly do: 'wait'; readonly byMs: number }
  | { readonly do: 'fold'; readonly entries: number }
  | { readonly do: 'close' }

const amount = fc.oneof(fc.bigInt(0n, usd('0.05')), fc.constantFrom(0n, 1n, usd('0.01'), usd('0.30')))

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('refund' as const),
      share: fc.constantFrom(1n, 33n, 100n),
      back: fc.nat({ max: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('expect' as const), amount }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('tell' as const),
      cost: fc.oneof(amount, amount, fc.constant(null)),
      back: fc.nat({ max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('adjust' as const),
      amount: fc
        .oneof(
          amount,
          amount.map((each) => -each),
        )
        .filter((each) => each !== 0n),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('ask' as const), cost: amount, failedCost: amount, hold: amount }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('hold' as const), amount }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('settle' as const), cost: amount }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('grant' as const),
      amount: amount.map((each) => each + 1n),
      kind: fc.constantFrom('purchased', 'promotional'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('configure' as const),
      planId: fc.constantFrom('bare', 'metered', 'free', 'pro', 'team'),
      seats: fc.integer({ min: 1, max: 3 }),
      anchorDay: fc.constantFrom(null, null, 1, 15, 31),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      byMs: fc.constantFrom(1, hour, day, 9 * day, 40 * day),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('fold' as const), entries: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('close' as const) }) },
)

/** What the answers of a history said, apart from what is kept of it. */
interface Told {
  readonly receipts: Receipt[]
  readonly invoices: Invoice[]
  /** Requests whose cost comes later. Their receipts are read when all is over. */
  readonly late: string[]
  refunded: bigint
  /** What refunds took off what is owed, and corrections added to it, by period. */
  readonly owed: Map<string, bigint>
}

async function play(steps: readonly Step[]): Promise<void> {
  const clock = fakeClock(caseStartMs)
  const storage = memoryStorage({ clock })
  const ledger = createLedger({ store: storage.ledger, plans: casePlans, clock })
  const told: Told = { receipts: [], invoices: [], late: [], refunded: 0n, owed: new Map() }
  const open: string[] = []
  for (const [index, each] of steps.entries()) {
    const id = `r${index}`
    switch (each.do) {
      case 'ask': {
        const result = await ledger.reserve(holdOf(id, each.hold, { minimum: nano(0n) }))
        if (result.outcome === 'reserved')
          told.receipts.push(await settleWith(ledger, id, each.cost, each.failedCost))
        break
      }
      case 'hold': {
        const result = await ledger.reserve(
          holdOf(id, each.amount, { minimum: nano(0n), timeToLiveMs: hour }),
        )
        if (result.outcome === 'reserved') open.push(id)
        break
      }
      case 'settle': {
        const held = open.shift()
        if (held !== undefined) told.receipts.push(await settleWith(ledger, held, each.cost, 0n))
        break
      }
      case 'grant':
        await ledger.grant({ accountId: 'alice', grantId: id, amount: nano(each.amount), kind: each.kind })
        break
      case 'configure':
        await ledger.configure({ accountId: 'alice', ...each })
        break
      case 'refund':
        await refundOne(ledger, told, id, each)
        break
      case 'adjust': {
        const { periodKey } = await ledger.balance('alice')
        const result = await ledger.adjust({ ...deed(id), amount: nano(each.amount) })
        if (result.outcome !== 'adjusted') break
        for (const { source, amount: part } of result.parts) {
          if (source === `overage:${periodKey}`) owe(told, periodKey, each.amount < 0n ? part : -part)
        }
        break
      }
      case 'expect': {
        const result = await ledger.reserve(holdOf(id, each.amount, { minimum: nano(0n) }))
        if (result.outcome !== 'reserved') break
        const attempts = [expected(each.amount)]
        settled(await ledger.settle({ accountId: 'alice', reservationId: id, attempts }))
        told.late.push(id)
        break
      }
      case 'tell': {
        const requestId = told.late.at(-1 - each.back)
        if (requestId !== undefined) await tell(ledger, requestId, each.cost)
        break
      }
      case 'wait':
        clock.advance(each.byMs)
        break
      case 'fold':
        await ledger.statements.fold('alice', each.entries)
        break
      case 'close': {
        const result = await ledger.statements.closePeriod({ accountId: 'alice' })
        if (result.outcome === 'closed') told.invoices.push(closed(result))
        break
      }
    }
  }
  clock.advance(40 * day)
  await closeEverything(ledger, told)
  for (const requestId of told.late) {
    const receipt = await ledger.receipt('alice', requestId)
    if (receipt !== undefined) told.receipts.push(receipt)
  }
  await checkTold(ledger, told)
  await checkInvariants(storage, 'alice', casePlans)
}

/** Gives back some of a request so many before the last one. */
async function refundOne(
  ledger: Ledger,
  told: Told,
  id: string,
  { share, back }: Extract<Step, { do: 'refund' }>,
): Promise<void> {
  const receipt = told.receipts.at(-1 - back)
  const attempt = receipt?.attempts.find(({ charged }) => charged > 0n)
  if (receipt === undefined || attempt === undefined) return
  const refundedAmount = nano((attempt.charged * share) / 100n)
  if (refundedAmount === 0n) return
  const { requestId } = receipt
  const result = await ledger.refund({
    ...deed(id),
    requestId,
    attemptId: attempt.attemptId,
    amount: refundedAmount,
    ...(receipt.seq === null ? {} : { seq: receipt.seq }),
  })
  if (result.outcome !== 'refunded') return
  told.refunded += result.amount
  for (const part of result.parts) {
    if (part.to === 'limit') owe(told, part.source.slice('overage:'.length), -part.amount)
  }
}

function owe({ owed }: Told, periodKey: string, amount: bigint): void {
  owed.set(periodKey, (owed.get(periodKey) ?? 0n) + amount)
}

async function settleWith(ledger: Ledger, id: string, cost: bigint, failedCost: bigint): Promise<Receipt> {
  const attempts = failedCost === 0n ? [served(cost)] : [failed(failedCost), served(cost)]
  return settled(await ledger.settle({ accountId: 'alice', reservationId: id, attempts }))
}

async function closeEverything(ledger: Ledger, { invoices }: Told): Promise<void> {
  for (;;) {
    const result = await ledger.statements.closePeriod({ accountId: 'alice' })
    if (result.outcome !== 'closed') {
      expect(['not-over', 'no-period']).toContain(result.outcome)
      return
    }
    invoices.push(closed(result))
  }
}

async function checkTold(ledger: Ledger, { receipts, invoices, refunded, owed }: Told): Promise<void> {
  const periods = invoices.map(({ periodKey }) => periodKey)
  expect(new Set(periods).size).toBe(periods.length)
  for (const [index, { startMs }] of invoices.entries()) {
    if (index > 0) expect(startMs).toBe(invoices[index - 1]?.endMs)
  }
  const closedThrough = periods.at(-1) ?? ''
  const covered = receipts.filter(({ periodKey }) => periodKey <= closedThrough)
  const lines = invoices.flatMap((invoice) => invoice.lines)
  const invoiced = sum(
    lines.filter(({ kind }) => kind === 'usage' || kind === 'late').map((line) => line.amount),
  )
  expect(invoiced).toBe(sum(covered.map(({ charged }) => charged)))

  const overage = sum(
    covered
      .flatMap(({ paidFrom }) => paidFrom)
      .filter(({ source }) => source.startsWith('overage:'))
      .map((part) => part.amount),
  )
  const corrected = sum([...owed].filter(([key]) => key <= closedThrough).map(([, amount]) => amount))
  const due = sum(invoices.map(({ dueCents }) => dueCents))
  expect(due * 10_000_000n + (invoices.at(-1)?.carryOut ?? 0n)).toBe(overage + corrected)

  const usage = await usageEver(ledger)
  expect(usage.charged).toBe(sum(receipts.map(({ charged }) => charged)))
  expect(usage.cost).toBe(sum(receipts.map(({ cost }) => cost)))
  expect(usage.absorbed).toBe(sum(receipts.map(({ absorbed }) => absorbed)))
  expect(usage.refunded).toBe(refunded)
  expect(usage.paid).toBe(usage.charged - usage.refunded)
  expect(usage.requests).toBe(receipts.filter(({ seq }) => seq !== null).length)
  const attempts = receipts.flatMap((receipt) => receipt.attempts)
  expect(usage.unknownCosts).toBe(attempts.filter(({ cost }) => cost === null).length)
}

/** Over every day the history may have touched. */
async function usageEver(ledger: Ledger): Promise<
  Record<'charged' | 'cost' | 'absorbed' | 'refunded' | 'paid', bigint> & {
    requests: number
    unknownCosts: number
  }
> {
  await ledger.statements.fold('alice', Number.MAX_SAFE_INTEGER)
  const total = { charged: 0n, cost: 0n, absorbed: 0n, refunded: 0n, paid: 0n, requests: 0, unknownCosts: 0 }
  const addRow = (row: UsageSums): void => {
    total.charged += row.charged
    total.cost += row.cost
    total.refunded += row.refunded
    total.absorbed += sum(Object.values(row.absorbed))
    total.paid += sum(Object.values(row.paidFrom))
    total.requests += row.requests
    total.unknownCosts += row.unknownCosts
  }
  for (let start = 0; start < 6000; start += 32) {
    const pages = Array.from({ length: 32 }, (_, index) => ({
      day: new Date(caseStartMs + (start + index) * day).toISOString().slice(0, 10),
      page: 0,
    }))
    const reading = await ledger.statements.usage('alice', pages)
    for (const { rows } of reading.pages) rows.forEach(addRow)
  }
  return total
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, each) => total + each, 0n)
}

describe('statements of random histories', () => {
  it('charge everything once, and lose nothing between cents (I13, failure 27)', {
    timeout: 3_600_000,
  }, async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), play), {
      numRuns,
      includeErrorInReport: true,
    })
  })
})

describe('24 months of cheap requests', () => {
  it('are billed to the nano: cents of all invoices and the last carry are what was used (I13, failure 27)', async () => {
    const clock = fakeClock(caseStartMs)
    const storage = memoryStorage({ clock })
    const ledger = createLedger({ store: storage.ledger, plans: casePlans, clock })
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    const random = generator(20_261_110)
    let used = 0n
    let cents = 0n
    let carry = 0n
    for (let month = 0; month < 24; month += 1) {
      for (let request = 0; request < 40; request += 1) {
        // From a single nano to a little over a cent: rounding each of them, or each month, would show.
        const cost = BigInt(random() % 11_000_000) + 1n
        const id = `${month}.${request}`
        if ((await ledger.reserve(holdOf(id, cost))).outcome !== 'reserved') continue
        used += (await settleWith(ledger, id, cost, 0n)).charged
        clock.advance(Math.floor((random() % 60) * minute))
      }
      clock.set(Date.UTC(2026, 11 + month, 1, 3))
      const invoice = closed(await ledger.statements.closePeriod({ accountId: 'alice' }))
      cents += invoice.dueCents
      carry = invoice.carryOut
    }
    expect(cents * 10_000_000n + carry).toBe(used)
    expect(cents).toBe(used / 10_000_000n)
    expect(used).toBeGreaterThan(usd('1.00'))
    await checkInvariants(storage, 'alice', casePlans)
  })
})

/** Numbers that look random and are the same in every run (Lehmer, 48271). */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state
  }
}
