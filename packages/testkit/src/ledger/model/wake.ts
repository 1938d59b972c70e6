import type { PlanTable } from '@farebox/core'
import { endWait, letGo, type Policy } from './late.ts'
import {
  type Granted,
  type Hold,
  heldOf,
  inOrder,
  leftOf,
  limitOf,
  periodAfterThat,
  planOf,
  type World,
} from './world.ts'

export const graceMs = 30_000
export const askMs: number = 30 * 60_000

/** Lets time pass. Answers whether a hold that it moved on is to be looked at again at once. */
export function wake(
  world: World,
  plans: PlanTable,
  policy: Policy,
  nowMs: number,
  dueByMs: number = nowMs,
): boolean {
  world.at = Math.max(world.at, nowMs)
  for (const credit of world.credits) if (credit.until <= world.at) credit.gone += leftOf(world, credit)
  const isNew = world.at >= world.period.end
  if (isNew) {
    const { key } = world.period
    const isHeld = [...world.holds.values()].some(({ parts }) => parts.length > 0)
    if (isHeld || world.drawn.has(key)) world.limits.set(key, limitOf(world, plans))
    world.period = periodAfterThat(world.period, world.at, world.anchor)
    Object.assign(world, { best: 0n, shares: 0n, given: 0n })
    world.pools.clear()
    forget(world)
  }
  include(world, plans, isNew ? world.period.start : world.at)
  let more = false
  const byMs = Math.min(dueByMs, world.at)
  const due = [...world.holds.values()].filter((hold) => isDue(hold, byMs))
  for (const hold of due.toSorted((a, b) => lookAt(a) - lookAt(b) || (a.id < b.id ? -1 : 1))) {
    if (hold.state === 'held' && hold.traceable) {
      hold.state = 'unresolved'
      if (world.at >= lookAt(hold)) more = true
    } else if (hold.state === 'held' || hold.state === 'unresolved') {
      hold.state = 'released'
      letGo(world, hold)
    } else {
      if (hold.state === 'provisional') endWait(world, plans, policy, hold)
      hold.isWaitOver = true
    }
  }
  return more
}

/** Whether somebody has to look at it by then. */
export function isDue(hold: Hold | undefined, byMs: number): boolean {
  return hold !== undefined && !isOver(hold) && lookAt(hold) <= byMs
}

/** Whether nobody has to look at it any more. */
function isOver({ state, waits, isWaitOver }: Hold): boolean {
  return (state === 'settled' || state === 'released') && (waits.length === 0 || isWaitOver)
}

function lookAt({ state, until, waitUntil }: Hold): number {
  if (state === 'held') return until + graceMs
  return state === 'unresolved' ? until + graceMs + askMs : waitUntil
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
