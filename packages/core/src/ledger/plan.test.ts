import { describe, expect, it } from 'vitest'
import { nano, usd } from '../money.ts'
import { findPlan, includedCredit, overageLimit, planPreset } from './plan.ts'

const table = planPreset('hf-2026-02-04')

describe('the tiers of 4 February 2026', () => {
  it.each([
    ['free', '0.10', '0.10', '0.00'],
    ['pro', '2.00', '2.00', '100.00'],
    ['team', '2.00', '14.00', '100.00'],
    ['enterprise', '2.00', '14.00', '100.00'],
  ])('%s includes $%s for one seat, $%s for seven, and may owe $%s', (planId, one, seven, limit) => {
    const plan = findPlan(table, planId)
    expect(includedCredit(plan, 1)).toBe(usd(one))
    expect(includedCredit(plan, 7)).toBe(usd(seven))
    expect(overageLimit(table, plan, null)).toBe(usd(limit))
  })

  it('starts accounts on free', () => {
    expect(findPlan(table, table.defaultPlanId).planId).toBe('free')
  })

  it('takes the host’s spending limit', () => {
    const own = planPreset('hf-2026-02-04', { spendingLimit: usd('7.00') })
    expect(overageLimit(own, findPlan(own, 'pro'), null)).toBe(usd('7.00'))
    expect(overageLimit(own, findPlan(own, 'free'), null)).toBe(0n)
  })
})

describe('overageLimit', () => {
  const pro = findPlan(table, 'pro')

  it('puts the account’s limit before the plan’s, and the plan’s before the table’s', () => {
    const limited = { ...pro, spendingLimit: usd('5.00') }
    expect(overageLimit(table, pro, null)).toBe(usd('100.00'))
    expect(overageLimit(table, limited, null)).toBe(usd('5.00'))
    expect(overageLimit(table, limited, usd('6.00'))).toBe(usd('6.00'))
    expect(overageLimit(table, limited, nano(0n))).toBe(0n)
  })

  it('is nothing under a hard stop, whatever the limits say', () => {
    const stopped = { ...pro, overage: 'hard-stop' as const, spendingLimit: usd('5.00') }
    expect(overageLimit(table, stopped, usd('6.00'))).toBe(0n)
  })
})

it('names the plans there are when one is unknown', () => {
  expect(() => findPlan(table, 'gold')).toThrow(/"gold".*"free", "pro", "team", "enterprise"/)
})
