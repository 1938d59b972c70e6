import type { PlanTable } from '@farebox/core'
import {
  type Answer,
  type Credit,
  type Hold,
  heldOf,
  isActive,
  leftOf,
  limitOf,
  overageLeft,
  planOf,
  spendable,
  sum,
  type World,
} from './world.ts'

/** What a balance must show, once everything that is due has been looked after. */
export function balanceOf(world: World, plans: PlanTable): Answer {
  const active = world.credits.filter((credit) => isActive(credit, world.at))
  const left = (kinds: readonly Credit[]): bigint => sum(kinds.map((credit) => leftOf(world, credit)))
  const { key, start, end } = world.period
  return {
    planId: world.planId,
    seats: world.seats,
    periodKey: key,
    periodStartMs: start,
    anchorDay: world.anchor,
    included: left(active.filter(({ kind }) => kind === 'included')),
    includedIssued: world.given,
    purchased: left(active.filter(({ kind }) => kind !== 'included')),
    held: setAside([...world.holds.values()]),
    provisional: setAside([...world.holds.values()].filter(({ state }) => state === 'provisional')),
    policy: planOf(world, plans).overage,
    limit: limitOf(world, plans),
    used: world.used.get(key) ?? 0n,
    overageHeld: heldOf(world, `overage:${key}`),
    overageLeft: overageLeft(world, plans),
    spendable: spendable(world, plans),
    resetsAtMs: end,
    charged: world.charged,
    absorbed: world.absorbed,
    refunded: world.refunded,
  }
}

/** `[available, held, settled, expired, voided]` of every credit. */
export function creditsOf(world: World): Answer {
  return Object.fromEntries(
    world.credits.map((credit) => [
      credit.id,
      [leftOf(world, credit), heldOf(world, `grant:${credit.id}`), credit.paid, credit.gone, credit.taken],
    ]),
  )
}

function setAside(holds: readonly Hold[]): bigint {
  return sum(holds.flatMap(({ parts }) => parts.map(([, amount]) => amount)))
}
