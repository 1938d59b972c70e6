import { describe, expect, it } from 'vitest'
import { nano } from '../../money.ts'
import type { LeaseTerms, PlanTable } from '../plan.ts'
import { planPreset } from '../plan-presets.ts'
import { checkLeaseTerms, leaseTermsOf, recallWithinMs } from './lease-terms.ts'

const preset = planPreset('hf-2026-02-04')
const [free] = preset.plans

function table(lease: LeaseTerms): PlanTable {
  return { ...preset, plans: [{ ...(free as NonNullable<typeof free>), lease }] }
}

const most = nano(1n)

describe('the terms of leases', () => {
  it('have defaults, and are none for a plan without', () => {
    const plan = table({ most }).plans[0] as NonNullable<typeof free>
    expect(leaseTermsOf(plan)).toEqual({
      most: 1n,
      timeToLiveMs: 30_000,
      graceMs: 120_000,
      checkpointMs: 1_000,
    })
    expect(leaseTermsOf(free as NonNullable<typeof free>)).toBeUndefined()
    expect(recallWithinMs(plan)).toBe(3_000)
    expect(recallWithinMs({ ...plan, lease: { most, checkpointMs: 200 } })).toBe(600)
  })

  it('are taken up to their bounds', () => {
    expect(() => checkLeaseTerms(preset)).not.toThrow()
    expect(() =>
      checkLeaseTerms(table({ most, timeToLiveMs: 800, graceMs: 30_000, checkpointMs: 100 })),
    ).not.toThrow()
    const day = 86_400_000
    expect(() => checkLeaseTerms(table({ most, timeToLiveMs: day, graceMs: day }))).not.toThrow()
  })

  it.each([
    ['most', { most: nano(0n) }],
    ['most', { most: 5 as unknown as typeof most }],
    ['checkpointMs', { most, checkpointMs: 99 }],
    ['checkpointMs', { most, checkpointMs: 100.5 }],
    ['timeToLiveMs', { most, timeToLiveMs: 7_999 }],
    ['timeToLiveMs', { most, timeToLiveMs: 86_400_001 }],
    ['graceMs', { most, graceMs: 29_999 }],
    ['graceMs', { most, graceMs: Number.NaN }],
  ])('are refused with the name of what is wrong: %s', (name, lease) => {
    expect(() => checkLeaseTerms(table(lease))).toThrow(`The plan "free" has lease.${name}`)
  })
})
