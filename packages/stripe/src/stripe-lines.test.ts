import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nanoPerCent } from './cents.ts'
import { type DueLine, stripeLines } from './stripe-lines.ts'

const cent = nanoPerCent

function usage(amount: bigint, description = 'a model'): DueLine {
  return { kind: 'usage', description, amount }
}

function bill(lines: readonly DueLine[], { carryIn = 0n, dueCents }: { carryIn?: bigint; dueCents: bigint }) {
  return stripeLines({ lines, carryIn, dueCents, periodKey: '2026-11' })
}

describe('the lines of a Stripe invoice', () => {
  it('are whole cents that add up to what is due, and less than a cent off each', () => {
    const line = fc.record({
      kind: fc.constantFrom('usage', 'credit', 'late', 'refund', 'adjustment' as const),
      amount: fc.bigInt({ min: -3n * 10n ** 12n, max: 10n ** 12n }),
    })
    const property = fc.property(
      fc.array(line, { maxLength: 120 }),
      fc.bigInt({ min: -(10n ** 12n), max: cent - 1n }),
      (drawn, carryIn) => {
        const lines = drawn.map((each, index) => ({ ...each, description: `line ${index}` }) as DueLine)
        const total = lines.reduce((sum, { amount }) => sum + amount, carryIn)
        fc.pre(total > 0n)
        const dueCents = total / cent
        const made = bill(lines, { carryIn, dueCents })
        expect(made.reduce((sum, { cents }) => sum + cents, 0n)).toBe(dueCents)
        for (const { description, cents } of made) {
          const exact = lines.find((each) => each.description === description)?.amount
          if (exact === undefined) continue
          const off = cents * cent - exact
          expect(off < cent && off > -cent).toBe(true)
        }
      },
    )
    fc.assert(property, { numRuns: 300, seed: 29 })
  })

  it('leave out what comes to no cent', () => {
    const made = bill([usage(cent / 2n, 'half'), usage(cent / 2n, 'other half'), usage(1n, 'a nano')], {
      dueCents: 1n,
    })
    expect(made).toEqual([{ description: 'other half', cents: 1n }])
  })

  it('leave out the plan and the line that repeats the others', () => {
    const lines: DueLine[] = [
      { kind: 'subscription', description: 'Plan pro', amount: 900n * cent },
      usage(300n * cent),
      { kind: 'credit', description: 'Paid from included credit', amount: -200n * cent },
      { kind: 'overage', description: 'Pay-as-you-go of 2026-11', amount: 100n * cent },
    ]
    expect(bill(lines, { dueCents: 100n })).toEqual([
      { description: 'a model', cents: 300n },
      { description: 'Paid from included credit', cents: -200n },
    ])
  })

  it('begin with what was carried over', () => {
    const made = bill([usage(300n * cent)], { carryIn: -120n * cent, dueCents: 180n })
    expect(made[0]).toEqual({ description: 'Carried over', cents: -120n })
  })

  it('are one line of the right amount when they do not lead to it', () => {
    expect(bill([usage(300n * cent)], { dueCents: 180n })).toEqual([
      { description: 'Pay-as-you-go of 2026-11', cents: 180n },
    ])
  })

  it('are at most a hundred, the smallest usage in one', () => {
    const lines = Array.from({ length: 300 }, (_, index) =>
      usage(BigInt(index + 1) * cent, `model ${index + 1}`),
    )
    const made = bill([...lines, { kind: 'credit', description: 'credit', amount: -cent }], {
      dueCents: 45_149n,
    })
    expect(made).toHaveLength(100)
    expect(made[0]).toEqual({ description: 'model 300', cents: 300n })
    expect(made.at(-2)).toEqual({ description: '202 further models', cents: 20_503n })
    expect(made.reduce((sum, { cents }) => sum + cents, 0n)).toBe(45_149n)
  })
})
