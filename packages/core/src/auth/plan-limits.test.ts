import { expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import type { Plan, PlanTable } from '../ledger/plan.ts'
import { planPreset } from '../ledger/plan-presets.ts'
import type { RateLimits } from '../ledger/rate-limits.ts'
import { createPlanLimits } from './plan-limits.ts'

function table(limits: Readonly<Record<string, RateLimits>>): PlanTable {
  const preset = planPreset('hf-latest')
  const plans = preset.plans.map((plan): Plan => {
    const its = limits[plan.planId]
    return its === undefined ? plan : { ...plan, limits: its }
  })
  return { ...preset, plans }
}

function start(limits: Readonly<Record<string, RateLimits>>) {
  const clock = fakeClock(0)
  const plans: Record<string, string> = { alice: 'free', bob: 'pro' }
  let looked = 0
  const planLimits = createPlanLimits({
    plans: table(limits),
    clock,
    planIdOf: async (accountId) => {
      looked += 1
      return plans[accountId] ?? 'free'
    },
  })
  return { clock, plans, planLimits, looked: () => looked }
}

it('never looks a plan up where no plan limits anything', () => {
  const { planLimits, looked } = start({ free: {} })

  expect(planLimits.of('alice')).toBeUndefined()
  expect(looked()).toBe(0)
})

it('looks a plan up once for many requests, and answers at once from then on', async () => {
  const { planLimits, looked } = start({ free: { requestsPerMinute: 5 } })
  const answers = await Promise.all([planLimits.of('alice'), planLimits.of('alice'), planLimits.of('bob')])

  expect(answers).toEqual([{ requestsPerMinute: 5 }, { requestsPerMinute: 5 }, undefined])
  expect(planLimits.of('alice')).toEqual({ requestsPerMinute: 5 })
  expect(planLimits.of('bob')).toBeUndefined()
  expect(looked()).toBe(2)
})

it('goes by another plan after ten seconds, and at once where it was changed', async () => {
  const { planLimits, plans, clock } = start({ free: { requestsPerMinute: 5 } })
  await planLimits.of('alice')
  plans['alice'] = 'pro'
  clock.advance(9_999)
  expect(planLimits.of('alice')).toEqual({ requestsPerMinute: 5 })
  clock.advance(2)
  expect(await planLimits.of('alice')).toBeUndefined()
  plans['alice'] = 'free'
  planLimits.forget('alice')

  expect(await planLimits.of('alice')).toEqual({ requestsPerMinute: 5 })
})

it('does not remember a plan that was read before it was changed', async () => {
  const { planLimits, plans } = start({ free: { requestsPerMinute: 5 } })
  const reading = planLimits.of('alice')
  plans['alice'] = 'pro'
  planLimits.forget('alice')
  await reading

  expect(await planLimits.of('alice')).toBeUndefined()
})

it('refuses a plan whose limits cannot be meant, naming it', () => {
  expect(() => start({ pro: { requestsPerMinute: 0 } })).toThrow(
    'The limits of the plan "pro".requestsPerMinute must be a whole number',
  )
})
