import { describe, expect, it } from 'vitest'
import { nano, usd } from '../money.ts'
import { findPlan, overageLimit } from './plan.ts'
import { planPreset } from './plan-presets.ts'

const table = planPreset('hf-2026-02-04')

describe('overageLimit', () => {
  const pro = findPlan(table, 'pro')

  it('puts the account’s limit before the plan’s, and the plan’s before the table’s', () => {
    const limited = { ...pro, spendingLimit: usd('5.00') }
    expect(overageLimit(table, pro, null)).toBe(usd('100.00'))
    expect(overageLimit(table, limited, null)).toBe(usd('5.00'))
    expect(overageLimit(table, limited, usd('6.00'))).toBe(usd('6.00'))
    expect(overageLimit(table, limited, nano(0n))).toBe(0n)
  })

  it.each(['hard-stop', 'prepaid'] as const)(
    'is nothing on a %s plan, whatever the limits say',
    (overage) => {
      const stopped = { ...pro, overage, spendingLimit: usd('5.00') }
      expect(overageLimit(table, stopped, usd('6.00'))).toBe(0n)
    },
  )
})

it('names the plans there are when one is unknown', () => {
  expect(() => findPlan(table, 'gold')).toThrow(/"gold".*"free", "pro", "team", "enterprise"/)
})
