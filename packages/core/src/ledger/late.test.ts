import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nano } from '../money.ts'
import { isAwaited, type LateAttempt, partsOf } from './late.ts'
import type { Part, Reservation } from './reservation.ts'

function attemptOf(held: bigint, index: number): LateAttempt {
  return {
    attemptId: `r1.${index + 1}`,
    providerId: 'provider',
    providerModel: 'model',
    outcome: 'served',
    payer: 'customer',
    costSource: 'estimate',
    estimate: nano(held),
    held: nano(held),
  }
}

function provisional(parts: readonly Part[], attempts: readonly LateAttempt[]): Reservation {
  return {
    reservationId: 'r1',
    state: 'provisional',
    amount: nano(sizeOf(parts)),
    parts,
    periodKey: '2026-11',
    createdAtMs: 0,
    expiresAtMs: 1,
    extended: 0,
    fingerprint: '',
    subject: { model: 'model', costProviderIds: [], attemptsMax: 9 },
    late: { attempts, untilMs: 100, policy: 'waive' },
  }
}

function sizeOf(parts: readonly Part[]): bigint {
  return parts.reduce((sum, { amount }) => sum + amount, 0n)
}

const amount = fc.oneof(
  fc.bigInt(1n, 9n),
  fc.bigInt(2n ** 53n, 2n ** 53n + 2n),
  fc.bigInt(2n ** 63n, 2n ** 63n + 2n),
)

/** Parts of a hold, and how much of it each attempt has: the parts and the attempts are cut in different places. */
const holds = fc
  .tuple(
    fc.array(amount, { minLength: 1, maxLength: 5 }),
    fc.array(fc.bigInt(0n, 100n), { minLength: 1, maxLength: 4 }),
  )
  .map(([amounts, weights]) => {
    const parts = amounts.map((each, index): Part => ({ source: `grant:g${index}`, amount: nano(each) }))
    let left = sizeOf(parts)
    const total = weights.reduce((sum, each) => sum + each, 0n)
    const held = weights.map((weight, index) => {
      const share =
        index === weights.length - 1 || total === 0n ? left : least(left, (sizeOf(parts) * weight) / total)
      left -= share
      return share
    })
    return provisional(parts, held.map(attemptOf))
  })

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

/** The same parts, with neighbours of one source as one. */
function joined(parts: readonly Part[]): readonly Part[] {
  const all: Part[] = []
  for (const part of parts) {
    const last = all.at(-1)
    if (last?.source === part.source)
      all[all.length - 1] = { ...last, amount: nano(last.amount + part.amount) }
    else all.push(part)
  }
  return all
}

describe('the parts of a provisional hold', () => {
  it('are those of its attempts, one after the other, and nothing else', () => {
    fc.assert(
      fc.property(holds, (hold) => {
        const own = (hold.late?.attempts ?? []).map((attempt) => partsOf(hold, attempt).own)
        expect(joined(own.flat())).toEqual(hold.parts)
        for (const [index, parts] of own.entries()) {
          expect(sizeOf(parts)).toBe(hold.late?.attempts[index]?.held)
          expect(parts.every((part) => part.amount > 0n)).toBe(true)
        }
      }),
    )
  })

  it('are left in order when those of one attempt are taken out', () => {
    fc.assert(
      fc.property(holds, fc.nat(), (hold, which) => {
        const attempts = hold.late?.attempts ?? []
        const attempt = attempts[which % attempts.length] as LateAttempt
        const { others } = partsOf(hold, attempt)
        const rest = attempts.filter((each) => each !== attempt)
        expect(joined(others)).toEqual(joined(rest.flatMap((each) => partsOf(hold, each).own)))
      }),
    )
  })

  it('are not split when the attempts hold more than there is', () => {
    const hold = provisional([{ source: 'grant:g', amount: nano(4n) }], [attemptOf(5n, 0)])
    expect(() => partsOf(hold, hold.late?.attempts[0] as LateAttempt)).toThrow(/fewer parts/)
  })
})

describe('the wait for late costs', () => {
  it('lasts to just before its end, and only while an attempt waits', () => {
    const hold = provisional([{ source: 'grant:g', amount: nano(4n) }], [attemptOf(4n, 0)])
    expect([99, 100].map((nowMs) => isAwaited(hold, nowMs))).toEqual([true, false])
    expect(isAwaited(provisional([], []), 0)).toBe(false)
    const { late: _late, ...settled } = hold
    expect(isAwaited(settled, 0)).toBe(false)
  })
})
