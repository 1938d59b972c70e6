import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nano } from '../money.ts'
import type { Account } from './account.ts'
import { configure } from './configure.ts'
import { readEntry } from './entry.ts'
import { includedCredit, type Plan, type PlanTable } from './plan.ts'
import type { Value } from './storage.ts'

const november = { startMs: Date.UTC(2026, 10, 1), endMs: Date.UTC(2026, 11, 1) }
const wholeMs = november.endMs - november.startMs

const amount = fc.oneof(
  fc.bigInt(0n, 9n),
  fc.bigInt(2n ** 53n - 1n, 2n ** 53n + 1n),
  fc.bigInt(2n ** 63n - 1n, 2n ** 63n + 1n),
)
const within = fc.integer({ min: 0, max: wholeMs - 1 }).map((ms) => november.startMs + ms)
const plan = fc.record({ amount, per: fc.constantFrom('account' as const, 'seat' as const) })
const change = fc.record({
  plan: fc.nat({ max: 2 }),
  seats: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 1_000_000 })),
})
const changes = fc.array(change, { minLength: 1, maxLength: 8 })

type Change = typeof change extends fc.Arbitrary<infer Each> ? Each : never

function tableOf(credits: readonly Plan['includedCredit'][], terms: Partial<Plan> = {}): PlanTable {
  const plans = credits.map((includedCreditOf, index): Plan => {
    const planId = `plan ${index}`
    return {
      planId,
      subscriptionPrice: undefined,
      includedCredit: includedCreditOf,
      overage: 'hard-stop',
      ...terms,
    }
  })
  return { plans, defaultPlanId: 'plan 0', spendingLimit: nano(0n) }
}

/** The account after one more change of its terms. */
function after(
  head: Account | null,
  { plan: index, seats }: Change,
  nowMs: number,
  plans: PlanTable,
): Account {
  const request = { accountId: 'alice', planId: `plan ${index}`, seats }
  const cut = { head: head as Value, records: new Map(), due: [], moreDue: false, version: 1n, now: nowMs }
  return configure(request, plans)(cut).result
}

function afterAll(all: readonly Change[], nowMs: number, plans: PlanTable): Account {
  let head: Account | null = null
  for (const each of all) head = after(head, each, nowMs, plans)
  if (head === null) throw new Error('there were no changes')
  return head
}

function targetOf({ plan: index, seats }: Change, plans: PlanTable): bigint {
  return includedCredit(plans.plans[index] as Plan, seats)
}

function most(amounts: readonly bigint[]): bigint {
  return amounts.reduce((a, b) => (a > b ? a : b), 0n)
}

/** What the grants say was issued; none of them is of nothing. */
function issuedBy({ grants }: Account): bigint {
  expect(grants.every(({ issued }) => issued > 0n)).toBe(true)
  return grants.reduce((sum, { issued }) => sum + issued, 0n)
}

describe('the included credit of a period', () => {
  it('is what the best plan and seats of the period give, in whichever order they came', () => {
    fc.assert(
      fc.property(fc.tuple(plan, plan, plan), changes, within, fc.gen(), (credits, all, nowMs, gen) => {
        const plans = tableOf(credits.map((each) => ({ ...each, amount: nano(each.amount) })))
        const order = gen(fc.shuffledSubarray, all, { minLength: all.length })
        const account = afterAll(all, nowMs, plans)
        expect(account.includedIssued).toBe(most(all.map((each) => targetOf(each, plans))))
        expect(issuedBy(account)).toBe(account.includedIssued)
        expect(afterAll(order, nowMs, plans).includedIssued).toBe(account.includedIssued)
      }),
      { numRuns: 300 },
    )
  })

  it('does not depend on when within the period its terms changed', () => {
    fc.assert(
      fc.property(
        fc.tuple(plan, plan, plan),
        changes,
        fc.array(within, { minLength: 8, maxLength: 8 }),
        (credits, all, times) => {
          const plans = tableOf(credits.map((each) => ({ ...each, amount: nano(each.amount) })))
          let head: Account | null = null
          const inTime = times.toSorted((a, b) => a - b)
          for (const [index, each] of all.entries()) head = after(head, each, inTime[index] ?? 0, plans)
          expect(head?.includedIssued).toBe(most(all.map((each) => targetOf(each, plans))))
        },
      ),
    )
  })

  it('is not changed by terms that were there before: no entry, no credit, nothing', () => {
    fc.assert(
      fc.property(fc.tuple(plan, plan, plan), changes, within, fc.nat(), (credits, all, nowMs, which) => {
        const plans = tableOf(credits.map((each) => ({ ...each, amount: nano(each.amount) })))
        const account = afterAll(all, nowMs, plans)
        const last = all.at(-1) as Change
        expect(after(account, last, nowMs, plans)).toEqual(account)

        // Going back to earlier terms is told by the journal, and gives nothing.
        const again = after(account, all[which % all.length] as Change, nowMs, plans)
        expect(again.grants).toEqual(account.grants)
        expect(again.includedIssued).toBe(account.includedIssued)
      }),
    )
  })

  it('follows the terms of its first moment alone in the next period', () => {
    fc.assert(
      fc.property(fc.tuple(plan, plan, plan), changes, within, (credits, all, nowMs) => {
        const plans = tableOf(credits.map((each) => ({ ...each, amount: nano(each.amount) })))
        const last = all.at(-1) as Change
        const next = after(afterAll(all, nowMs, plans), last, november.endMs, plans)
        expect(next.includedIssued).toBe(targetOf(last, plans))
      }),
    )
  })
})

describe('a share of included credit', () => {
  it('is one fraction, rounded down once, in however many steps and whichever order the terms grew', () => {
    fc.assert(
      fc.property(fc.tuple(plan, plan, plan), changes, within, fc.gen(), (credits, all, nowMs, gen) => {
        const plans = tableOf(
          credits.map((each) => ({ ...each, amount: nano(each.amount) })),
          { prorate: true },
        )
        const remainingMs = BigInt(november.endMs - nowMs)
        const target = most(all.map((each) => targetOf(each, plans)))
        const exact = (target * remainingMs) / BigInt(wholeMs)
        const order = gen(fc.shuffledSubarray, all, { minLength: all.length })
        for (const each of [all, order]) {
          const account = afterAll(each, nowMs, plans)
          expect(account.includedIssued).toBe(exact)
          expect(issuedBy(account)).toBe(exact)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('adds up over time to less than a nano below the exact fraction, and never above it', () => {
    const seats = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 8 })
    const times = fc.array(within, { minLength: 8, maxLength: 8 })
    // So much that every seat gives a nano up to the last millisecond: what gives less is not remembered, on purpose.
    fc.assert(
      fc.property(fc.bigInt(2n ** 53n, 2n ** 70n), seats, times, (perSeat, added, at) => {
        const plans = tableOf([{ amount: nano(perSeat), per: 'seat' }], { prorate: true })
        const inTime = at.toSorted((a, b) => a - b)
        let head: Account | null = null
        let count = 0
        let exact = 0n
        for (const [index, more] of added.entries()) {
          const nowMs = inTime[index] ?? 0
          count += more
          exact += BigInt(more) * perSeat * BigInt(november.endMs - nowMs)
          head = after(head, { plan: 0, seats: count }, nowMs, plans)
          expect(head.includedIssued).toBe(exact / BigInt(wholeMs))
        }
      }),
    )
  })

  it('tells the journal what it is of; all of the credit needs no telling', () => {
    const plans = tableOf([{ amount: nano(30n), per: 'account' }], { prorate: true })
    const termsAt = (nowMs: number) => {
      const cut = { head: null, records: new Map(), due: [], moreDue: false, version: 0n, now: nowMs }
      const { write } = configure({ accountId: 'alice', planId: 'plan 0', seats: 2 }, plans)(cut)
      return (write?.append ?? []).map(readEntry).find(({ kind }) => kind === 'granted')?.terms
    }
    const all = {
      kind: 'included',
      planId: 'plan 0',
      seats: 2,
      expiresAtMs: november.endMs,
      periodKey: '2026-11',
      target: 30n,
    }
    expect(termsAt(november.startMs)).toEqual(all)
    expect(termsAt(november.startMs + 1)).toEqual({ ...all, remainingMs: wholeMs - 1, wholeMs })
  })

  it('begins with the next whole millisecond, and is all of it when the period just begins', () => {
    const plans = tableOf([{ amount: nano(BigInt(wholeMs)), per: 'account' }], { prorate: true })
    const issuedAt = (nowMs: number) => after(null, { plan: 0, seats: 1 }, nowMs, plans).includedIssued
    expect(issuedAt(november.startMs)).toBe(BigInt(wholeMs))
    expect(issuedAt(november.endMs - 2.5)).toBe(2n)
    expect(issuedAt(november.endMs - 2)).toBe(2n)
    expect(issuedAt(november.endMs - 1)).toBe(1n)
    expect(issuedAt(november.endMs - 0.5)).toBe(0n)
  })

  it('is not remembered while it is less than a nano, and tells the journal what it is of', () => {
    const plans = tableOf([{ amount: nano(1n), per: 'seat' }], { prorate: true })
    const half = november.startMs + wholeMs / 2
    const one = after(null, { plan: 0, seats: 1 }, half, plans)
    expect([one.includedTarget, one.includedRest, one.grants]).toEqual([0n, 0n, []])
    const three = after(one, { plan: 0, seats: 3 }, half, plans)
    expect([three.includedTarget, three.includedIssued, three.includedRest]).toEqual([
      3n,
      1n,
      BigInt(wholeMs / 2),
    ])
    // What rounding left of one share is in the next.
    const four = after(three, { plan: 0, seats: 4 }, half, plans)
    expect([four.includedIssued, four.includedRest]).toEqual([2n, 0n])
  })
})

describe('an additive plan', () => {
  const plans: PlanTable = {
    defaultPlanId: 'plan 0',
    spendingLimit: nano(0n),
    plans: [
      ...tableOf([{ amount: nano(20n), per: 'account' }]).plans,
      ...tableOf([{ amount: nano(30n), per: 'seat' }], { planId: 'plan 1', additive: true }).plans,
      ...tableOf([{ amount: nano(20n), per: 'account' }], { planId: 'plan 2', additive: true }).plans,
    ],
  }
  const issued = (...all: Change[]) => afterAll(all, november.startMs, plans).includedIssued
  const of = (index: number, seats = 1): Change => ({ plan: index, seats })

  it('gives its whole credit besides that of the plan before it, once, and more only for more seats', () => {
    expect(issued(of(0), of(1))).toBe(50n)
    expect(issued(of(0), of(1), of(0), of(1))).toBe(50n)
    expect(issued(of(0), of(1), of(1, 2))).toBe(80n)
    expect(issued(of(1), of(1, 3), of(1, 2))).toBe(90n)
  })

  it('is no upgrade, and gives nothing, when it includes no more than the best so far', () => {
    expect(issued(of(0), of(2))).toBe(20n)
    expect(issued(of(1), of(0))).toBe(30n)
    expect(issued(of(1), of(2))).toBe(30n)
  })

  it('is all that the head remembers pools of', () => {
    expect(afterAll([of(0)], november.startMs, plans).includedPools).toBeNull()
    expect(afterAll([of(0), of(1)], november.startMs, plans).includedPools).toEqual({ 'plan 1': 30n })
  })

  it('begins anew with the next period', () => {
    const before = afterAll([of(0), of(1)], november.startMs, plans)
    expect(after(before, of(1), november.endMs, plans).includedIssued).toBe(30n)
  })
})
