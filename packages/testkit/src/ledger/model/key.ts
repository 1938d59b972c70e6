import type { PlanTable } from '@farebox/core'
import { type Answer, least, spendable, sum, type World } from './world.ts'

/** A key, and the cap that its request comes with. */
export interface ModelKey {
  readonly id: string
  readonly cap: bigint
  readonly per: 'period' | 'lifetime'
}

/** Keys that histories are about, and the caps that they are shown under. */
export const keys: readonly ModelKey[] = (['period', 'lifetime'] as const).flatMap((per) =>
  ['k1', 'k2'].map((id) => ({ id, cap: 100_000_000n, per })),
)

/** Something is asked for with a key in the period that the account is in. */
export function noteKey(world: World, { id }: ModelKey): void {
  const periods = world.keyPeriods.get(id) ?? []
  if (periods.includes(world.period.key)) return
  world.keyPeriods.set(id, [...periods, world.period.key].slice(-2))
}

/** What may still be spent with a key, besides `also`; `undefined` where nothing bounds it, or nobody remembers. */
export function keyRoom(
  world: World,
  key: ModelKey | undefined,
  period: string,
  also = 0n,
): bigint | undefined {
  if (key === undefined || !isCounted(world, key, period)) return undefined
  const { used, held } = spentWith(world, key, period)
  const room = key.cap - used - held - also
  return room > 0n ? room : 0n
}

export function keyOf(world: World, plans: PlanTable, key: ModelKey): Answer {
  const { key: period, end } = world.period
  const room = keyRoom(world, key, period) ?? 0n
  return {
    keyId: key.id,
    cap: { amount: key.cap, per: key.per },
    ...spentWith(world, key, period),
    left: room,
    spendable: least(room, spendable(world, plans, period)),
    resetsAtMs: key.per === 'period' ? end : null,
  }
}

/** Counted from the requests, never stored: of one period, or of all that ever came under a cap for good. */
function spentWith(world: World, { id, per }: ModelKey, period: string): { used: bigint; held: bigint } {
  const holds = [...world.holds.values()].filter(
    ({ key, ...hold }) => key?.id === id && key.per === per && (per === 'lifetime' || hold.period === period),
  )
  return {
    used: sum(holds.map(({ books, refunded }) => sum(books.map(({ charged }) => charged)) - refunded)),
    held: sum(holds.flatMap(({ parts }) => parts.map(([, amount]) => amount))),
  }
}

function isCounted(world: World, { id, per }: ModelKey, period: string): boolean {
  if (per === 'lifetime' || period === world.period.key) return true
  return world.keyPeriods.get(id)?.includes(period) === true
}
