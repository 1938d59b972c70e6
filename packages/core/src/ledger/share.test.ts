import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Nano, nano } from '../money.ts'
import { owedFor, type SettledAttempt, share } from './share.ts'

const cost = fc.oneof(
  fc.constant(null),
  fc.bigInt(0n, 9n).map(nano),
  fc.bigInt(2n ** 53n - 1n, 2n ** 53n + 1n).map(nano),
  fc.bigInt(2n ** 63n - 1n, 2n ** 63n + 1n).map(nano),
)

const attempt = fc
  .record({ cost, payer: fc.constantFrom('customer', 'operator'), isLate: fc.boolean() })
  .map(({ isLate, ...terms }) =>
    attemptOf({ ...terms, ...(isLate ? { state: 'provisional' as const } : {}) }),
  )

function attemptOf(terms: Partial<SettledAttempt>): SettledAttempt {
  return {
    attemptId: 'r1.1',
    providerId: 'provider',
    providerModel: 'model',
    outcome: 'served',
    costSource: 'provider',
    cost: nano(5n),
    payer: 'customer',
    ...terms,
  }
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, each) => total + each, 0n)
}

describe('what attempts cost', () => {
  it('is charged or absorbed to the last nano, first come first charged, and never more than can be paid', () => {
    fc.assert(
      fc.property(fc.array(attempt, { maxLength: 5 }), fc.bigInt(0n, 1000n), (attempts, permille) => {
        const owed = owedFor(attempts)
        const payable = nano((owed * permille) / 1000n)
        const shares = share(attempts, payable, 'overrun')
        expect(sum(shares.map(({ charged }) => charged))).toBe(payable)
        let left: bigint = payable
        for (const [index, each] of shares.entries()) {
          const { payer, state, cost: told } = attempts[index] as SettledAttempt
          expect(each.charged + each.absorbed).toBe(each.cost ?? 0n)
          expect(each.cost).toBe(state === undefined ? told : null)
          const most = payer === 'customer' ? (each.cost ?? 0n) : 0n
          const expected = most < left ? most : left
          expect(each.charged).toBe(expected)
          left -= expected
          expect(each.absorbedReason).toBe(
            each.absorbed === 0n ? undefined : payer === 'customer' ? 'overrun' : 'failed_attempt',
          )
          expect(each.estimate).toBe(state === undefined ? undefined : (told ?? undefined))
        }
      }),
      { numRuns: 500 },
    )
  })

  it('is told with what was used, and at which price', () => {
    const told = {
      usage: { quantities: { input_token: 3n }, certainty: 'exact' },
      priceVersion: 'v1',
      serviceTier: 'flex',
    } as const
    expect(share([attemptOf(told)], nano(5n), 'overrun')).toMatchObject([{ ...told, charged: 5n }])
    expect(Object.keys(share([attemptOf({})], nano(5n), 'overrun')[0] ?? {})).not.toContain('serviceTier')
  })

  it('is owed by the customer only for what was served and is final', () => {
    const attempts = [
      attemptOf({ cost: nano(1n) }),
      attemptOf({ cost: nano(2n), payer: 'operator' }),
      attemptOf({ cost: null }),
      attemptOf({ cost: nano(4n), state: 'provisional' }),
      attemptOf({ cost: null, payer: 'own-key' }),
      attemptOf({ cost: nano(8n) }),
    ]
    expect(owedFor(attempts)).toBe(9n)
  })

  it('is a fault when it is negative, when less was drawn, or when an own key has a cost', () => {
    const shared = (attempts: SettledAttempt[], payable: bigint) => () =>
      share(attempts, nano(payable) as Nano, 'overrun')
    expect(shared([attemptOf({ cost: nano(-1n) })], 0n)).toThrow(/negative/)
    expect(shared([attemptOf({ cost: nano(5n) })], 6n)).toThrow(/more was drawn/)
    expect(shared([attemptOf({ cost: nano(5n), payer: 'own-key' })], 0n)).toThrow(/own key/)
    const memo = attemptOf({ cost: null, payer: 'own-key', memoCost: nano(-1n) })
    expect(shared([memo], 0n)).toThrow(/memo cost/)
    expect(shared([attemptOf({ cost: null, payer: 'own-key', state: 'provisional' })], 0n)).toThrow(
      /nobody waits/,
    )
  })
})
