import { describe, expect, it } from 'vitest'
import { usd } from '../money.ts'
import { findPlan, includedCredit, overageLimit } from './plan.ts'
import { type PlanPreset, planPreset } from './plan-presets.ts'

const names = ['hf-2026-02-04', 'hf-2026-02-25', 'hf-2026-08-21', 'hf-latest'] as const

describe.each(names)('the tiers of %s', (name) => {
  const table = planPreset(name)

  it.each([
    ['pro', '2.00', '2.00', '100.00'],
    ['team', '2.00', '14.00', '100.00'],
    ['enterprise', '2.00', '14.00', '100.00'],
  ])('%s includes $%s for one seat, $%s for seven, and may owe $%s', (planId, one, seven, limit) => {
    const plan = findPlan(table, planId)
    expect(includedCredit(plan, 1)).toBe(usd(one))
    expect(includedCredit(plan, 7)).toBe(usd(seven))
    expect(overageLimit(table, plan, null)).toBe(usd(limit))
  })

  it('cost nothing, $9, $20 a seat, and what was agreed', () => {
    const prices = table.plans.map(({ planId, subscriptionPrice }) => [planId, subscriptionPrice])
    expect(prices).toEqual([
      ['free', { amount: 0n, per: 'account' }],
      ['pro', { amount: usd('9.00'), per: 'account' }],
      ['team', { amount: usd('20.00'), per: 'seat' }],
      ['enterprise', undefined],
    ])
  })

  it('start accounts on free, which owes nothing', () => {
    const free = findPlan(table, table.defaultPlanId)
    expect(free.planId).toBe('free')
    expect(overageLimit(table, free, null)).toBe(0n)
  })

  it('take the host’s spending limit', () => {
    const own = planPreset(name, { spendingLimit: usd('7.00') })
    expect(overageLimit(own, findPlan(own, 'pro'), null)).toBe(usd('7.00'))
    expect(overageLimit(own, findPlan(own, 'free'), null)).toBe(0n)
  })
})

it.each([
  ['hf-2026-02-04', '0.10', 'hard-stop', 1],
  ['hf-2026-02-25', '0.10', 'prepaid', 1],
  ['hf-2026-08-21', '0.10', 'prepaid', 4],
  ['hf-latest', '0.00', 'prepaid', 4],
] as const)(
  '%s gives free accounts $%s, then %s, and paid credit pays for %i products',
  (name, credit, overage, count) => {
    const { plans } = planPreset(name)
    const [free, ...paid] = plans
    expect(free?.includedCredit).toEqual({ amount: usd(credit), per: 'account' })
    expect(free?.overage).toBe(overage)
    expect(free?.creditScope).toEqual(['providers'])
    for (const plan of paid) expect(plan.creditScope).toHaveLength(count)
  },
)

it('names the tables there are when one is unknown', () => {
  expect(() => planPreset('hf-2025' as PlanPreset)).toThrow(/"hf-2025".*"hf-2026-02-04".*"hf-latest"/)
  expect(() => planPreset('toString' as PlanPreset)).toThrow(RangeError)
})
