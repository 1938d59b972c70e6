import { type PlanPreset, type PlanTable, planPreset, usd } from '@farebox/core'
import type { Purse } from './expected.ts'

/** An account on a plan of a published table, and what it has before the request. */
export interface Tier {
  readonly preset: PlanPreset
  readonly plans: PlanTable
  readonly planId: string
  readonly seats: number
  readonly purse: Purse
}

const presets: readonly PlanPreset[] = ['hf-2026-02-04', 'hf-2026-02-25', 'hf-2026-08-21', 'hf-latest']

/** What each plan includes a month, as it was published, times the seats that the cases have. */
const included: Readonly<Record<string, bigint>> = {
  free: usd('0.10'),
  pro: usd('2.00'),
  team: usd('6.00'),
  enterprise: usd('4.00'),
}

const seatsOf: Readonly<Record<string, number>> = { free: 1, pro: 1, team: 3, enterprise: 2 }

/** Enough for every hold, and too little for the dearer cost: the rest of that is absorbed. */
function purseOf(preset: PlanPreset, planId: string): Purse {
  if (planId === 'free' && preset === 'hf-latest') return { included: 0n, bought: 550n, limit: 0n, next: 0n }
  const next = included[planId] ?? 0n
  if (planId === 'free') return { included: 300n, bought: 450n, limit: 0n, next }
  return { included: 300n, bought: 50n, limit: 400n, next }
}

/** Every plan of every published table. */
export const tiers: readonly Tier[] = presets.flatMap((preset) =>
  Object.keys(included).map((planId) => ({
    preset,
    plans: planPreset(preset),
    planId,
    seats: seatsOf[planId] ?? 1,
    purse: purseOf(preset, planId),
  })),
)
