import { expect, it } from 'vitest'
import { nano } from '../money.ts'
import { addAmount, addUsage, nothingUsed, sumsOf, totalOf, totalsOf, type UsageSums } from './usage-sums.ts'

const used: UsageSums = {
  requests: 1,
  attempts: 2,
  estimates: 3,
  unknownCosts: 4,
  quantities: { input_token: 5n, output_token: 6n },
  cost: nano(7n),
  charged: nano(8n),
  refunded: nano(9n),
  absorbed: { overrun: nano(10n) },
  memoCost: nano(11n),
  paidFrom: { overage: nano(12n), purchased: nano(-3n) },
}

it('adds usage up member by member, and leaves what it was given as it is', () => {
  const totals = totalsOf(used)
  addUsage(totals, { ...used, absorbed: { failed_attempt: nano(1n) }, paidFrom: { purchased: nano(4n) } })
  expect(sumsOf(totals)).toEqual({
    requests: 2,
    attempts: 4,
    estimates: 6,
    unknownCosts: 8,
    quantities: { input_token: 10n, output_token: 12n },
    cost: 14n,
    charged: 16n,
    refunded: 18n,
    absorbed: { overrun: 10n, failed_attempt: 1n },
    memoCost: 22n,
    paidFrom: { overage: 12n, purchased: 1n },
  })
  expect(used.quantities).toEqual({ input_token: 5n, output_token: 6n })
  expect(used.absorbed).toEqual({ overrun: 10n })
  const none = totalsOf(nothingUsed)
  addUsage(none, used)
  expect(sumsOf(none)).toEqual(used)
  expect(nothingUsed.quantities).toEqual({})
})

it('leaves a total of nothing out, so that equal sums are written alike', () => {
  const totals = { overage: nano(5n), purchased: nano(2n) }
  addAmount(totals, 'overage', -5n)
  addAmount(totals, 'purchased', -3n)
  expect(totals).toEqual({ purchased: -1n })
})

it('adds the amounts of all names up', () => {
  expect(totalOf({ overage: nano(5n), purchased: nano(-2n), included: nano(2n ** 63n) })).toBe(3n + 2n ** 63n)
  expect(totalOf({})).toBe(0n)
})
