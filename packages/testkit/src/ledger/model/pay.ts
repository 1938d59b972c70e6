import type { PlanTable } from '@farebox/core'
import { keyRoom } from './key.ts'
import { memberRoom } from './member.ts'
import {
  comeBack,
  creditOf,
  type Hold,
  inOrder,
  isActive,
  least,
  leftOf,
  overageLeft,
  type Share,
  sum,
  type World,
} from './world.ts'

/** Which sources pay `amount` for a request of a period, best first. It is there. */
export function take(world: World, amount: bigint, period: string): Share[] {
  const parts: Share[] = []
  let missing = amount
  for (const credit of inOrder(world.credits)) {
    const part = least(missing, isActive(credit, world.at) ? leftOf(world, credit) : 0n)
    if (part > 0n) parts.push([`grant:${credit.id}`, part])
    missing -= part
  }
  if (missing > 0n) parts.push([`overage:${period}`, missing])
  return parts
}

/** The first `amount` of a list of shares, as far as it goes, and the rest of the list. */
export function split(shares: readonly Share[], amount: bigint): [front: Share[], rest: Share[]] {
  const front: Share[] = []
  const rest: Share[] = []
  for (const [source, size] of shares) {
    const first = least(size, amount - sum(front.map((share) => share[1])))
    if (first > 0n) front.push([source, first])
    if (first < size) rest.push([source, size - first])
  }
  return [front, rest]
}

/** What a cost was paid from, what nobody could pay, and whether something that was set aside for it is lost. */
export interface Payment {
  readonly paid: Share[]
  readonly unpaid: bigint
  readonly isLost: boolean
}

/**
 * Pays from what was set aside, which the hold has let go of, gives back the rest of that, and pays what goes beyond it as
 * every overrun is paid.
 */
export function pay(
  world: World,
  plans: PlanTable,
  hold: Hold,
  own: readonly Share[],
  cost: bigint,
): Payment {
  const [front, back] = split(own, cost)
  const paid: Share[] = []
  const spend = (source: string, amount: bigint): void => {
    if (amount === 0n) return
    paid.push([source, amount])
    const credit = creditOf(world, source)
    const period = source.slice('overage:'.length)
    if (credit !== undefined) credit.paid += amount
    else world.used.set(period, (world.used.get(period) ?? 0n) + amount)
  }
  for (const [source, amount] of front) spend(source, amount)
  const lost = back.map(([source, amount]) => comeBack(world, source, amount))
  let unpaid = cost - sum(front.map((share) => share[1]))
  // What is paid here is booked later: it counts for the cap by now.
  const paidByNow = cost - unpaid
  const rooms = [
    memberRoom(world, hold.member, hold.period, paidByNow),
    keyRoom(world, hold.key, hold.period, paidByNow),
  ]
  const beyondCap = unpaid - rooms.reduce<bigint>((most, room) => least(room ?? most, most), unpaid)
  unpaid -= beyondCap
  if (unpaid > 0n) {
    for (const [source, most] of beyond(world, plans, hold)) {
      const amount = least(unpaid, most())
      unpaid -= amount
      const credit = creditOf(world, source)
      if (credit !== undefined && !isActive(credit, world.at)) credit.gone -= amount
      if (source.startsWith('overage:') && amount > 0n) world.drawn.add(hold.period)
      spend(source, amount)
    }
  }
  return { paid, unpaid: unpaid + beyondCap, isLost: lost.includes(true) }
}

/** What may pay beyond a hold: credit of the time it was made, expired or not, credit of now, and then its period's line. */
function beyond(world: World, plans: PlanTable, hold: Hold): [source: string, most: () => bigint][] {
  const usable = inOrder(world.credits).filter(({ id }) => !world.voids.has(id))
  const then = usable.filter((credit) => isActive(credit, hold.madeAt))
  const now = usable.filter((credit) => !then.includes(credit) && isActive(credit, world.at))
  return [
    ...[...then, ...now].map((credit): [string, () => bigint] => [
      `grant:${credit.id}`,
      () => (isActive(credit, world.at) ? leftOf(world, credit) : credit.gone),
    ]),
    [`overage:${hold.period}`, () => overageLeft(world, plans, hold.period)],
  ]
}
