import type { PlanTable } from '@farebox/core'
import { letGo } from './wake.ts'
import {
  type Answer,
  creditOf,
  type Hold,
  inOrder,
  isActive,
  least,
  leftOf,
  overageLeft,
  type Share,
  spendable,
  type World,
} from './world.ts'

/** Which sources pay `amount`, best first. It is there. */
export function take(world: World, amount: bigint): Share[] {
  const parts: Share[] = []
  let missing = amount
  for (const credit of inOrder(world.credits)) {
    const part = least(missing, isActive(credit, world.at) ? leftOf(world, credit) : 0n)
    if (part > 0n) parts.push([`grant:${credit.id}`, part])
    missing -= part
  }
  if (missing > 0n) parts.push([`overage:${world.period.key}`, missing])
  return parts
}

export function settle(
  world: World,
  plans: PlanTable,
  hold: Hold,
  { cost, failedCost }: { readonly cost: bigint; readonly failedCost: bigint | null },
): Answer {
  const paidFrom: Share[] = []
  const pay = (source: string, amount: bigint): void => {
    if (amount === 0n) return
    paidFrom.push([source, amount])
    const credit = creditOf(world, source)
    if (credit !== undefined) credit.paid += amount
    else world.used.set(source.slice(8), (world.used.get(source.slice(8)) ?? 0n) + amount)
  }
  let unpaid = cost
  for (const part of hold.parts) {
    const amount = least(unpaid, part[1])
    part[1] -= amount
    unpaid -= amount
    pay(part[0], amount)
  }
  letGo(world, hold)
  const then = inOrder(world.credits).filter(
    (credit) => isActive(credit, hold.madeAt) && !world.voids.has(credit.id),
  )
  for (const credit of then) {
    const amount = least(unpaid, isActive(credit, world.at) ? leftOf(world, credit) : credit.gone)
    if (!isActive(credit, world.at)) credit.gone -= amount
    unpaid -= amount
    pay(`grant:${credit.id}`, amount)
  }
  for (const credit of inOrder(world.credits)) {
    if (then.includes(credit) || !isActive(credit, world.at)) continue
    const amount = least(unpaid, leftOf(world, credit))
    unpaid -= amount
    pay(`grant:${credit.id}`, amount)
  }
  if (hold.period === world.period.key) {
    const amount = least(unpaid, overageLeft(world, plans))
    unpaid -= amount
    pay(`overage:${world.period.key}`, amount)
  }
  world.charged += cost - unpaid
  world.absorbed += unpaid + (failedCost ?? 0n)
  hold.state = 'settled'
  hold.settledAt = world.at
  hold.paid = paidFrom.map(([source, amount]) => [source, amount])
  return {
    outcome: 'settled',
    charged: cost - unpaid,
    absorbed: unpaid + (failedCost ?? 0n),
    paidFrom,
    spendableAfter: spendable(world, plans),
  }
}
