import type { PlanTable } from '@farebox/core'
import type { Command } from './command.ts'

/**
 * What the ledger must do, told a second time and in another way: numbers per source and a list of holds. Nothing of it
 * comes from the reducers it is compared with. What is held or left is never stored but always counted from the holds, so
 * that conservation is built in.
 */
export interface LedgerModel {
  /** Does what the command says, and answers what the ledger must answer. */
  run(command: Command, nowMs: number): Answer
  /** What a balance must show now. */
  balance(nowMs: number): Answer
  /** Every credit as the last write left it. */
  credits(): Answer
  /** How much a hold has set aside; 0 when there is none. */
  heldFor(id: string): bigint
}

/** Plain data that is compared as a whole. */
export type Answer = Readonly<Record<string, unknown>>

interface Credit {
  readonly id: string
  readonly kind: string
  readonly priority: number
  readonly from: number
  readonly until: number
  readonly issued: bigint
  paid: bigint
  gone: bigint
}

interface Hold {
  readonly id: string
  readonly request: string
  readonly madeAt: number
  readonly month: string
  readonly traceable: boolean
  state: 'held' | 'unresolved' | 'settled' | 'released'
  until: number
  parts: [source: string, amount: bigint][]
  extensions: number
  receipt: Answer | undefined
}

interface World {
  at: number
  monthEnd: number
  month: string
  planId: string
  seats: number
  limit: bigint | null
  /** Included credit of this month. */
  given: bigint
  charged: bigint
  absorbed: bigint
  readonly credits: Credit[]
  /** Pay-as-you-go by month. */
  readonly used: Map<string, bigint>
  readonly holds: Map<string, Hold>
  /** What each grant was asked for. */
  readonly grants: Map<string, string>
}

const graceMs = 30_000
const askMs = 30 * 60_000
const usualPriority: Record<string, number> = { promotional: 20, courtesy: 20, purchased: 50 }

export function ledgerModel(plans: PlanTable): LedgerModel {
  let world: World | undefined

  /** Tries something on a copy of the world; it becomes the world only when it is saved. */
  function attempt(nowMs: number): World {
    return structuredClone(world ?? newWorld(plans, nowMs))
  }

  function run(command: Command, nowMs: number): Answer {
    const next = attempt(nowMs)
    const save = (): void => {
      world = structuredClone(next)
    }
    switch (command.do) {
      case 'configure': {
        wake(next, plans, nowMs)
        next.planId = command.planId
        next.seats = command.seats ?? next.seats
        if (command.limit !== undefined) next.limit = command.limit
        include(next, plans)
        save()
        return { planId: next.planId, seats: next.seats, limit: next.limit }
      }
      case 'grant': {
        const from = nowMs + command.startsInMs
        const until = command.lastsMs === null ? Number.POSITIVE_INFINITY : from + command.lastsMs
        const request = `${command.amount} ${command.kind} ${command.priority} ${from} ${until}`
        const earlier = next.grants.get(command.id)
        if (earlier !== undefined) return { outcome: earlier === request ? 'granted' : 'conflict' }
        wake(next, plans, nowMs)
        if (until <= Math.max(from, next.at)) return { outcome: 'RangeError' }
        forget(next)
        next.grants.set(command.id, request)
        next.credits.push({
          id: command.id,
          kind: command.kind,
          priority: command.priority ?? usualPriority[command.kind] ?? 0,
          from,
          until,
          issued: command.amount,
          paid: 0n,
          gone: 0n,
        })
        save()
        return { outcome: 'granted' }
      }
      case 'reserve': {
        const { id, amount, minimum, timeToLiveMs, traceable } = command
        const request = `${amount} ${minimum} ${traceable}`
        const earlier = next.holds.get(id)
        if (earlier !== undefined) {
          if (earlier.request !== request) return { outcome: 'conflict' }
          return { outcome: 'reserved', state: earlier.state, parts: earlier.parts }
        }
        while (wake(next, plans, nowMs) && spendable(next, plans) < amount) save()
        const able = spendable(next, plans)
        if (able < minimum) return { outcome: 'insufficient', missing: minimum - able, spendable: able }
        const hold: Hold = {
          id,
          request,
          madeAt: next.at,
          month: next.month,
          traceable,
          state: 'held',
          until: next.at + timeToLiveMs,
          parts: take(next, able < amount ? able : amount),
          extensions: 0,
          receipt: undefined,
        }
        next.holds.set(id, hold)
        save()
        return { outcome: 'reserved', state: 'held', parts: hold.parts }
      }
      case 'extend': {
        let hold: Hold | undefined
        for (;;) {
          const more = wake(next, plans, nowMs)
          hold = next.holds.get(command.id)
          if (hold?.state !== 'held') return { outcome: 'not-held' }
          if (command.ordinal === hold.extensions) return { outcome: 'extended', parts: hold.parts }
          if (command.ordinal !== hold.extensions + 1) return { outcome: 'not-held' }
          if (spendable(next, plans) >= command.amount) break
          if (!more) return { outcome: 'insufficient', missing: command.amount - spendable(next, plans) }
          save()
        }
        for (const [source, amount] of take(next, command.amount)) {
          const part = hold.parts.find(([other]) => other === source)
          if (part === undefined) hold.parts.push([source, amount])
          else part[1] += amount
        }
        hold.until += command.timeToLiveMs
        hold.extensions += 1
        save()
        return { outcome: 'extended', parts: hold.parts }
      }
      case 'settle': {
        wake(next, plans, nowMs)
        const hold = next.holds.get(command.id)
        if (hold === undefined) return { outcome: 'unknown-reservation' }
        if (hold.receipt !== undefined) return hold.receipt
        hold.receipt = settle(next, plans, hold, command)
        save()
        return hold.receipt
      }
      case 'look-after': {
        const before = structuredClone(next.holds)
        wake(next, plans, nowMs, nowMs + graceMs + askMs)
        const moved = [...next.holds.values()].filter(({ id, state }) => before.get(id)?.state !== state)
        const idsOf = (holds: readonly Hold[]): string[] => holds.map(({ id }) => id).toSorted()
        if (moved.length > 0) save()
        return {
          unresolved: idsOf(
            [...next.holds.values()].filter(({ state, until }) => state === 'unresolved' && until <= nowMs),
          ),
          released: idsOf(moved.filter(({ state }) => state === 'released')),
        }
      }
      default:
        return {}
    }
  }

  return {
    run,
    balance(nowMs) {
      const next = attempt(nowMs)
      wake(next, plans, nowMs)
      const active = next.credits.filter((credit) => isActive(credit, next.at))
      const left = (kinds: readonly Credit[]): bigint => sum(kinds.map((credit) => leftOf(next, credit)))
      const line = `overage:${next.month}`
      return {
        planId: next.planId,
        seats: next.seats,
        periodKey: next.month,
        included: left(active.filter(({ kind }) => kind === 'included')),
        includedIssued: next.given,
        purchased: left(active.filter(({ kind }) => kind !== 'included')),
        held: sum([...next.holds.values()].flatMap(({ parts }) => parts.map(([, amount]) => amount))),
        limit: limitOf(next, plans),
        used: next.used.get(next.month) ?? 0n,
        overageHeld: heldOf(next, line),
        overageLeft: overageLeft(next, plans),
        spendable: spendable(next, plans),
        resetsAtMs: next.monthEnd,
        charged: next.charged,
        absorbed: next.absorbed,
      }
    },
    credits() {
      if (world === undefined) return {}
      const { credits } = world
      return Object.fromEntries(
        credits.map((credit) => [
          credit.id,
          [
            leftOf(world as World, credit),
            heldOf(world as World, `grant:${credit.id}`),
            credit.paid,
            credit.gone,
          ],
        ]),
      )
    },
    heldFor: (id) => sum((world?.holds.get(id)?.parts ?? []).map(([, amount]) => amount)),
  }
}

function newWorld(plans: PlanTable, nowMs: number): World {
  return {
    at: nowMs,
    ...monthOf(nowMs),
    planId: plans.defaultPlanId,
    seats: 1,
    limit: null,
    given: 0n,
    charged: 0n,
    absorbed: 0n,
    credits: [],
    used: new Map(),
    holds: new Map(),
    grants: new Map(),
  }
}

function monthOf(nowMs: number): { month: string; monthEnd: number } {
  const date = new Date(nowMs)
  return {
    month: date.toISOString().slice(0, 7),
    monthEnd: Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1),
  }
}

/** Lets time pass. Answers whether a hold that it moved on is to be looked at again at once. */
function wake(world: World, plans: PlanTable, nowMs: number, dueByMs = nowMs): boolean {
  world.at = Math.max(world.at, nowMs)
  for (const credit of world.credits) if (credit.until <= world.at) credit.gone += leftOf(world, credit)
  if (world.at >= world.monthEnd) {
    Object.assign(world, monthOf(world.at), { given: 0n })
    forget(world)
  }
  include(world, plans)
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

/** Gives back what a hold still has. Credit that has expired is gone as it comes back. */
function letGo(world: World, hold: Hold): void {
  const { parts } = hold
  hold.parts = []
  for (const [source, amount] of parts) {
    const credit = world.credits.find(({ id }) => source === `grant:${id}`)
    if (credit !== undefined && credit.until <= world.at) credit.gone += amount
  }
}

function include(world: World, plans: PlanTable): void {
  const { amount, per } = planOf(world, plans).includedCredit
  const target = per === 'seat' ? amount * BigInt(world.seats) : amount
  if (target <= world.given) return
  world.credits.push({
    id: `incl:${world.month}:${target}`,
    kind: 'included',
    priority: 10,
    from: Date.parse(`${world.month}-01T00:00:00Z`),
    until: world.monthEnd,
    issued: target - world.given,
    paid: 0n,
    gone: 0n,
  })
  world.given = target
}

/** Used-up credit is forgotten when there is more than 16 of it, the oldest first. */
function forget(world: World): void {
  const closed = inOrder(world.credits).filter(
    (credit) => leftOf(world, credit) === 0n && heldOf(world, `grant:${credit.id}`) === 0n,
  )
  const oldest = closed.toSorted((a, b) => a.from - b.from).slice(0, Math.max(0, closed.length - 16))
  for (const credit of oldest) world.credits.splice(world.credits.indexOf(credit), 1)
}

/** Which sources pay `amount`, best first. It is there. */
function take(world: World, amount: bigint): [string, bigint][] {
  const parts: [string, bigint][] = []
  let missing = amount
  for (const credit of inOrder(world.credits)) {
    const part = least(missing, isActive(credit, world.at) ? leftOf(world, credit) : 0n)
    if (part > 0n) parts.push([`grant:${credit.id}`, part])
    missing -= part
  }
  if (missing > 0n) parts.push([`overage:${world.month}`, missing])
  return parts
}

function settle(
  world: World,
  plans: PlanTable,
  hold: Hold,
  { cost, failedCost }: Extract<Command, { do: 'settle' }>,
): Answer {
  const paidFrom: [string, bigint][] = []
  const pay = (source: string, amount: bigint): void => {
    if (amount === 0n) return
    paidFrom.push([source, amount])
    const credit = world.credits.find(({ id }) => source === `grant:${id}`)
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
  const then = inOrder(world.credits).filter((credit) => isActive(credit, hold.madeAt))
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
  if (hold.month === world.month) {
    const amount = least(unpaid, overageLeft(world, plans))
    unpaid -= amount
    pay(`overage:${world.month}`, amount)
  }
  world.charged += cost - unpaid
  world.absorbed += unpaid + (failedCost ?? 0n)
  hold.state = 'settled'
  return {
    outcome: 'settled',
    charged: cost - unpaid,
    absorbed: unpaid + (failedCost ?? 0n),
    paidFrom,
    spendableAfter: spendable(world, plans),
  }
}

function spendable(world: World, plans: PlanTable): bigint {
  const active = world.credits.filter((credit) => isActive(credit, world.at))
  return sum(active.map((credit) => leftOf(world, credit))) + overageLeft(world, plans)
}

function overageLeft(world: World, plans: PlanTable): bigint {
  const left =
    limitOf(world, plans) - (world.used.get(world.month) ?? 0n) - heldOf(world, `overage:${world.month}`)
  return left > 0n ? left : 0n
}

function limitOf(world: World, plans: PlanTable): bigint {
  const plan = planOf(world, plans)
  return plan.overage === 'hard-stop' ? 0n : (world.limit ?? plan.spendingLimit ?? plans.spendingLimit)
}

function planOf(world: World, plans: PlanTable): PlanTable['plans'][number] {
  const plan = plans.plans.find(({ planId }) => planId === world.planId)
  if (plan === undefined) throw new Error(`There is no plan ${world.planId}.`)
  return plan
}

function leftOf(world: World, { id, issued, paid, gone }: Credit): bigint {
  return issued - paid - gone - heldOf(world, `grant:${id}`)
}

function heldOf(world: World, source: string): bigint {
  return sum(
    [...world.holds.values()].flatMap(({ parts }) =>
      parts.flatMap(([from, amount]) => (from === source ? [amount] : [])),
    ),
  )
}

function isActive({ from, until }: Credit, atMs: number): boolean {
  return from <= atMs && atMs < until
}

function inOrder(credits: readonly Credit[]): Credit[] {
  const bought = ({ kind }: Credit): number => (kind === 'purchased' ? 1 : 0)
  const keys = (credit: Credit) =>
    [credit.priority, credit.until, bought(credit), credit.issued, credit.from, credit.id] as const
  return credits.toSorted((a, b) => {
    const others = keys(b)
    for (const [index, key] of keys(a).entries()) {
      const other = others[index] as typeof key
      if (key !== other) return key < other ? -1 : 1
    }
    return 0
  })
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n)
}
