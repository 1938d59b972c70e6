import type { PlanTable } from '@farebox/core'
import {
  comeBack,
  type Granted,
  type Hold,
  heldOf,
  inOrder,
  leftOf,
  periodAfterThat,
  planOf,
  type World,
} from './world.ts'

export const graceMs = 30_000
export const askMs: number = 30 * 60_000

/** Lets time pass. Answers whether a hold that it moved on is to be looked at again at once. */
export function wake(world: World, plans: PlanTable, nowMs: number, dueByMs: number = nowMs): boolean {
  world.at = Math.max(world.at, nowMs)
  for (const credit of world.credits) if (credit.until <= world.at) credit.gone += leftOf(world, credit)
  const isNew = world.at >= world.period.end
  if (isNew) {
    world.period = periodAfterThat(world.period, world.at, world.anchor)
    Object.assign(world, { best: 0n, shares: 0n, given: 0n })
    world.pools.clear()
    forget(world)
  }
  include(world, plans, isNew ? world.period.start : world.at)
  let more = false
  for (const hold of [...world.holds.values()]) {
    const lastMs = Math.min(dueByMs, world.at) - graceMs - hold.until
    if (hold.state === 'held' && hold.traceable && lastMs >= 0) {
      hold.state = 'unresolved'
      if (world.at - graceMs - hold.until >= askMs) more = true
    } else if ((hold.state === 'held' && lastMs >= 0) || (hold.state === 'unresolved' && lastMs >= askMs)) {
      hold.state = 'released'
      letGo(world, hold)
    }
  }
  return more
}

/** Gives back what a hold still has. */
export function letGo(world: World, hold: Hold): void {
  const { parts } = hold
  hold.parts = []
  for (const [source, amount] of parts) comeBack(world, source, amount)
}

/** Issues credit that is kept under its id. */
export function issue(world: World, id: string, amount: bigint, terms: Granted, from: number): void {
  forget(world)
  world.grants.set(id, terms)
  const { kind, priority, until } = terms
  world.credits.push({ id, kind, priority, from, until, issued: amount, paid: 0n, gone: 0n, taken: 0n })
}

/**
 * Issues what the plan gives for the rest of the period that was not given yet. What was given is the whole part of all
 * rises in this period, each weighed by the part of the period that was left then.
 */
export function include(world: World, plans: PlanTable, fromMs: number): void {
  const { includedCredit, prorate, additive } = planOf(world, plans)
  const { key, start, end, whole } = world.period
  const target = includedCredit.amount * (includedCredit.per === 'seat' ? BigInt(world.seats) : 1n)
  if (target <= world.best) return
  const before = additive === true ? (world.pools.get(world.planId) ?? 0n) : world.best
  const shares = world.shares + (target - before) * BigInt(end - (prorate === true ? fromMs : start))
  const issued = shares / BigInt(whole) - world.given
  if (issued === 0n) return
  world.best = target
  if (additive === true) world.pools.set(world.planId, target)
  world.shares = shares
  world.given += issued
  world.credits.push({
    id: `incl:${key}:${target}`,
    kind: 'included',
    priority: 10,
    from: start,
    until: end,
    issued,
    paid: 0n,
    gone: 0n,
    taken: 0n,
  })
}

/** Used-up credit is forgotten when there is more than 16 of it, the oldest first. */
function forget(world: World): void {
  const closed = inOrder(world.credits).filter(
    (credit) => leftOf(world, credit) === 0n && heldOf(world, `grant:${credit.id}`) === 0n,
  )
  const oldest = closed.toSorted((a, b) => a.from - b.from).slice(0, Math.max(0, closed.length - 16))
  for (const credit of oldest) world.credits.splice(world.credits.indexOf(credit), 1)
}
