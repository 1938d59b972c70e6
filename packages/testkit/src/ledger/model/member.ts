import type { PlanTable } from '@farebox/core'
import { keyRoom, type ModelKey } from './key.ts'
import { type Answer, least, spendable, sum, type World } from './world.ts'

/** Who histories are about, besides alice herself. */
export const members = ['m1', 'm2'] as const

/** A member asks for something in the period that the account is in. */
export function noteMember(world: World, member: string): void {
  const periods = world.memberPeriods.get(member) ?? []
  if (periods.includes(world.period.key)) return
  world.memberPeriods.set(member, [...periods, world.period.key].slice(-2))
}

/** What a member may still use of a period, besides `also`; `undefined` where nothing bounds them, or nobody remembers. */
export function memberRoom(
  world: World,
  member: string | undefined,
  period: string,
  also = 0n,
): bigint | undefined {
  if (member === undefined) return undefined
  const cap = world.caps.get(member) ?? world.memberCap
  if (cap === null || cap === 'none' || !isCounted(world, member, period)) return undefined
  const { used, held } = usedBy(world, member, period)
  const room = cap - used - held - also
  return room > 0n ? room : 0n
}

export function spendableBy(
  world: World,
  plans: PlanTable,
  { member, key }: { readonly member?: string | undefined; readonly key?: ModelKey | undefined },
  period: string,
): bigint {
  const able = spendable(world, plans, period)
  const rooms = [memberRoom(world, member, period), keyRoom(world, key, period)]
  return rooms.reduce<bigint>((most, room) => least(room ?? most, most), able)
}

export function memberOf(world: World, plans: PlanTable, member: string): Answer {
  const { key, end } = world.period
  const own = world.caps.get(member) ?? null
  const cap = own ?? world.memberCap
  const room = memberRoom(world, member, key)
  return {
    periodKey: key,
    cap: cap === 'none' ? null : cap,
    isOwnCap: own !== null,
    ...usedBy(world, member, key),
    left: room ?? null,
    spendable: spendableBy(world, plans, { member }, key),
    resetsAtMs: end,
  }
}

/** Counted from the requests, never stored. Of two periods at most: earlier ones are forgotten. */
function usedBy(world: World, member: string, period: string): { used: bigint; held: bigint } {
  const holds = [...world.holds.values()].filter(
    (hold) => hold.member === member && hold.period === period && isCounted(world, member, period),
  )
  return {
    used: sum(holds.map(({ books, refunded }) => sum(books.map(({ charged }) => charged)) - refunded)),
    held: sum(holds.flatMap(({ parts }) => parts.map(([, amount]) => amount))),
  }
}

function isCounted(world: World, member: string, period: string): boolean {
  return period === world.period.key || world.memberPeriods.get(member)?.includes(period) === true
}
