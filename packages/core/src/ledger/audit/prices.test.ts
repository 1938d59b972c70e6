import { describe, expect, it } from 'vitest'
import { type Nano, nano } from '../../money.ts'
import type { JournalEntry } from '../entry.ts'
import type { ReceiptAttempt } from '../receipt.ts'
import { createPriceCheck, hasDrifted, type RateAttempt } from './prices.ts'
import { createFindings } from './report.ts'

const served: ReceiptAttempt = {
  attemptId: 'r1.1',
  providerId: 'p',
  providerModel: 'm',
  outcome: 'served',
  usage: { quantities: { output_token: 100n }, certainty: 'exact' },
  costSource: 'unknown',
  priceVersion: 'v1',
  cost: null,
  charged: nano(0n),
  absorbed: nano(0n),
}

const entry = (attempt: ReceiptAttempt, seq: bigint): JournalEntry => ({
  kind: 'settled',
  opId: `o${seq}`,
  recordedAtMs: 0,
  effectiveAtMs: 0,
  requestId: 'r1',
  postings: [],
  attempts: [attempt],
  seq,
  hash: '',
})

/** Ten nano-USD a token. */
const rate = ({ usage }: ReceiptAttempt) => ((usage?.quantities.output_token as bigint) * 10n) as Nano

/** A cost that came later says who told it and how much, and not again for what. */
function late(attemptId: string, cost: bigint): ReceiptAttempt {
  const { usage: _usage, priceVersion: _version, ...known } = served
  return { ...known, attemptId, costSource: 'provider', cost: nano(cost), charged: nano(cost) }
}

function audit(attempts: readonly ReceiptAttempt[], driftsMax = 10, by: RateAttempt = rate) {
  const findings = createFindings('alice', 10)
  const prices = createPriceCheck(by, findings, driftsMax)
  for (const [index, attempt] of attempts.entries()) prices.check(entry(attempt, BigInt(index + 1)))
  return { ...prices.result(), findings: findings.list }
}

const check = (...attempts: readonly ReceiptAttempt[]) => audit(attempts)

describe('a cost that came late', () => {
  it('is compared with the usage that was booked before it', () => {
    expect(check(served, late('r1.1', 1000n))).toMatchObject({ reported: 1, compared: 1, drifted: 0 })
    expect(check(served, late('r1.1', 1500n))).toMatchObject({
      reported: 1,
      compared: 1,
      drifted: 1,
      drifts: [{ seq: 2n, attemptId: 'r1.1', reported: 1500n, rated: 1000n }],
    })
  })

  it('is compared once, and what is added to it afterwards is taken as it is', () => {
    expect(check(served, late('r1.1', 1000n), late('r1.1', 7n))).toMatchObject({ reported: 2, compared: 1 })
  })

  it('is taken as it is where no usage was booked, as after a crash', () => {
    expect(check(late('r1.1', 1000n))).toMatchObject({ reported: 1, compared: 0, drifted: 0 })
  })

  it('of an attempt ten thousand others ago is taken as it is, so that memory has a bound', () => {
    const others = Array.from({ length: 10_000 }, (_, index) => ({ ...served, attemptId: `other.${index}` }))
    expect(check(served, ...others, late('r1.1', 1500n))).toMatchObject({ reported: 1, compared: 0 })
    expect(check(served, ...others.slice(1), late('r1.1', 1500n))).toMatchObject({ compared: 1, drifted: 1 })
  })
})

it('does not wait for the cost of an attempt that only its own key’s owner hears of', () => {
  const own = { ...served, memoCost: nano(1000n) }
  expect(check(own, late('r1.1', 1500n))).toMatchObject({ reported: 1, compared: 0 })
})

describe('a cost that its provider told', () => {
  const told = (cost: bigint, change: Partial<ReceiptAttempt> = {}): ReceiptAttempt => ({
    ...served,
    costSource: 'provider',
    cost: nano(cost),
    ...change,
  })

  it('differs from the price book by more than one nano-USD, which is rounding', () => {
    const drifted = [998n, 999n, 1000n, 1001n, 1002n].map((cost) => hasDrifted(nano(cost), nano(1000n)))
    expect(drifted).toEqual([true, false, false, false, true])
  })

  it('is not compared with an estimate of the usage, nor without a price version', () => {
    const usage = { quantities: { output_token: 100n }, certainty: 'estimate' } as const
    expect(check(told(1500n, { usage }))).toMatchObject({ reported: 1, compared: 0 })
    const { priceVersion: _version, ...unpriced } = told(1500n)
    expect(check(unpriced)).toMatchObject({ reported: 1, compared: 0 })
    const { usage: _usage, ...unmeasured } = told(1500n)
    expect(check(unmeasured)).toMatchObject({ reported: 1, compared: 0 })
  })

  it('is listed with so many that differ, and counted with all', () => {
    const { drifts, drifted, compared } = audit([told(1500n), told(1000n), told(1600n), told(1700n)], 2)
    expect({ drifted, compared }).toEqual({ drifted: 3, compared: 4 })
    expect(drifts.map(({ seq, reported }) => [seq, reported])).toEqual([
      [1n, 1500n],
      [3n, 1600n],
    ])
  })
})

describe('a cost by the price book', () => {
  const booked = (change: Partial<ReceiptAttempt> = {}): ReceiptAttempt => ({
    ...served,
    costSource: 'price-book',
    cost: nano(1000n),
    ...change,
  })

  it('is verified, and counted as an estimate where its usage is one', () => {
    const usage = { quantities: { output_token: 100n }, certainty: 'estimate' } as const
    expect(check(booked(), booked({ usage }), booked())).toMatchObject({ verified: 3, estimated: 1 })
  })

  it('is found wrong with its request where there is one', () => {
    const findings = createFindings('alice', 10)
    const prices = createPriceCheck(rate, findings, 10)
    const wrong = entry(booked({ cost: nano(1001n) }), 1n)
    const { requestId: _requestId, ...bare } = wrong
    prices.check(wrong)
    prices.check(bare)
    const message = 'Attempt r1.1 cost $0.000001001; price version v1 says $0.000001 for its usage.'
    const where = { accountId: 'alice', kind: 'mispriced-attempt', seq: 1n, message }
    expect(findings.list).toStrictEqual([{ ...where, requestId: 'r1' }, where])
    expect(prices.result()).toMatchObject({ mispriced: 2, verified: 0 })
  })

  it('proves nothing without usage, without a version, or where the usage can not be rated', () => {
    const { usage: _usage, ...unmeasured } = booked()
    const { priceVersion: _version, ...unpriced } = booked()
    const any: RateAttempt = () => nano(1000n)
    expect(audit([unmeasured, unpriced], 10, any)).toMatchObject({ unverifiable: 2, verified: 0 })
    const failing: RateAttempt = () => {
      throw new RangeError('no such unit')
    }
    expect(audit([booked()], 10, failing)).toMatchObject({ unverifiable: 1, findings: [] })
    expect(audit([booked()], 10, () => undefined)).toMatchObject({ unverifiable: 1 })
  })

  it('that came later is rated by the usage that was booked before it, if there was any', () => {
    const { usage: _usage, ...unmeasured } = served
    const { usage: _later, ...cost } = booked()
    expect(check(served, cost)).toMatchObject({ verified: 1, unverifiable: 0 })
    expect(check(unmeasured, cost)).toMatchObject({ verified: 0, unverifiable: 1 })
    expect(check(cost)).toMatchObject({ verified: 0, unverifiable: 1 })
    // What is booked without usage does not take the place of what is known of it.
    expect(check(served, unmeasured, cost)).toMatchObject({ verified: 1 })
  })
})
