import { describe, expect, it } from 'vitest'
import { type Nano, nano } from '../../money.ts'
import type { JournalEntry } from '../entry.ts'
import type { ReceiptAttempt } from '../receipt.ts'
import { createPriceCheck } from './prices.ts'
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

function check(...attempts: readonly ReceiptAttempt[]) {
  const findings = createFindings('alice', 10)
  const prices = createPriceCheck(rate, findings, 10)
  for (const [index, attempt] of attempts.entries()) prices.check(entry(attempt, BigInt(index + 1)))
  return prices.result()
}

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
