import type { PlanTable } from '@farebox/core'
import type { ModelKey } from './key.ts'

/** One credit: what is left of it is never stored, but what was issued without what is paid, gone, taken and held. */
export interface Credit {
  readonly id: string
  readonly kind: string
  readonly priority: number
  readonly from: number
  readonly until: number
  readonly issued: bigint
  paid: bigint
  gone: bigint
  /** Taken back by hand. */
  taken: bigint
}

export interface Hold {
  readonly id: string
  readonly request: string
  readonly madeAt: number
  readonly period: string
  readonly member: string | undefined
  /** With the cap that it came with. */
  readonly key: ModelKey | undefined
  readonly traceable: boolean
  state: 'held' | 'unresolved' | 'provisional' | 'settled' | 'released'
  until: number
  parts: Share[]
  extensions: number
  /** What settling it has answered. */
  receipt: Answer | undefined
  /** Whether the journal has that. */
  hasEntry: boolean
  /** Attempts whose cost is still to come, in the order of what is set aside for them. */
  waits: Wait[]
  waitUntil: number
  /** Whether somebody noticed that the time to wait is over. */
  isWaitOver: boolean
  /** What was booked about its attempts, in order. */
  readonly books: Book[]
  /** Attempts that were charged by an estimate, and those where the difference to the cost went back. */
  readonly estimates: Map<number, bigint>
  readonly evened: Set<number>
  refunded: bigint
}

/** An attempt whose cost comes later. The first one of a request failed, the second was served. */
export interface Wait {
  readonly attempt: number
  readonly estimate: bigint
  held: bigint
}

export interface Book {
  readonly attempt: number
  /** Whether it came after the settlement. */
  readonly isLate: boolean
  /** Whether the cost is told by it: it may be unknown, or still to come. */
  readonly isKnown: boolean
  readonly isProvisional: boolean
  readonly charged: bigint
  readonly absorbed: bigint
  readonly reason: string | undefined
  readonly at: number
  /** What paid for it and was not given back, in the order it was drawn. */
  readonly paid: Share[]
}

/** What is remembered of a credit that somebody asked for or that stands for one, also when it is used up. */
export interface Granted {
  readonly request: string
  readonly kind: string
  readonly priority: number
  readonly until: number
}

/** What was done by hand, by the id it was done under. */
export interface Deed {
  readonly request: string
  readonly answer: Answer
}

export type Share = [source: string, amount: bigint]

/** Plain data that is compared as a whole. */
export type Answer = Readonly<Record<string, unknown>>

/** Everything the model knows of alice's account. */
export interface World {
  at: number
  period: ModelPeriod
  anchor: number | null
  planId: string
  seats: number
  limit: bigint | null
  memberCap: bigint | null
  /** Caps of members' own, and the last two periods in which they asked for something. */
  readonly caps: Map<string, bigint | 'none'>
  readonly memberPeriods: Map<string, string[]>
  /** The last two periods in which something was asked for with a key under a cap per period. */
  readonly keyPeriods: Map<string, string[]>
  /** What plan and seats of this period gave: the most at once, by plan where plans add up, and all of it. */
  best: bigint
  readonly pools: Map<string, bigint>
  /** Every rise of included credit in this period, as nano × milliseconds. */
  shares: bigint
  given: bigint
  charged: bigint
  absorbed: bigint
  refunded: bigint
  readonly credits: Credit[]
  /** Pay-as-you-go by period, periods in which it was ever drawn from, and the limit of those that are over. */
  readonly used: Map<string, bigint>
  readonly drawn: Set<string>
  readonly limits: Map<string, bigint>
  /** The last period whose invoice is written. */
  closed: string | null
  readonly holds: Map<string, Hold>
  readonly grants: Map<string, Granted>
  /** Credits that were voided as a whole. */
  readonly voids: Set<string>
  readonly deeds: Map<string, Deed>
}

export interface ModelPeriod {
  readonly key: string
  readonly start: number
  readonly end: number
  readonly whole: number
}

export function newWorld(plans: PlanTable, nowMs: number): World {
  return {
    at: nowMs,
    period: periodOf(nowMs, null),
    anchor: null,
    planId: plans.defaultPlanId,
    seats: 1,
    limit: null,
    memberCap: null,
    caps: new Map(),
    memberPeriods: new Map(),
    keyPeriods: new Map(),
    best: 0n,
    pools: new Map(),
    shares: 0n,
    given: 0n,
    charged: 0n,
    absorbed: 0n,
    refunded: 0n,
    credits: [],
    used: new Map(),
    drawn: new Set(),
    limits: new Map(),
    closed: null,
    holds: new Map(),
    grants: new Map(),
    voids: new Set(),
    deeds: new Map(),
  }
}

const dayMs = 24 * 3_600_000

/** The period around a moment: between the last midnight before it and the first after it on which a period begins. */
export function periodOf(atMs: number, anchor: number | null): ModelPeriod {
  const midnight = Math.floor(atMs / dayMs) * dayMs
  let start = midnight
  while (!beginsPeriod(start, anchor)) start -= dayMs
  let end = midnight + dayMs
  while (!beginsPeriod(end, anchor)) end += dayMs
  return { key: keyOf(start, end), start, end, whole: end - start }
}

/** The period that follows one that is over: it begins where that one ended, also when the anchor is another. */
export function periodAfterThat(last: ModelPeriod, atMs: number, anchor: number | null): ModelPeriod {
  const period = periodOf(atMs, anchor)
  return period.start >= last.end
    ? period
    : { key: keyOf(last.end, period.end), start: last.end, end: period.end, whole: period.whole }
}

function beginsPeriod(midnight: number, anchor: number | null): boolean {
  const day = new Date(midnight).getUTCDate()
  if (anchor === null) return day === 1
  const isLastOfMonth = new Date(midnight + dayMs).getUTCDate() === 1
  return day === anchor || (isLastOfMonth && day < anchor)
}

function keyOf(start: number, end: number): string {
  const [from, to] = [start, end].map((midnight) => new Date(midnight).toISOString())
  return from?.slice(8, 10) === '01' && to?.slice(8, 10) === '01'
    ? from.slice(0, 7)
    : String(from?.slice(0, 10))
}

/** What a request of a period may take. */
export function spendable(world: World, plans: PlanTable, period?: string): bigint {
  const active = world.credits.filter((credit) => isActive(credit, world.at))
  return sum(active.map((credit) => leftOf(world, credit))) + overageLeft(world, plans, period)
}

export function overageLeft(world: World, plans: PlanTable, period: string = world.period.key): bigint {
  if (isClosed(world, period)) return 0n
  const limit = period === world.period.key ? limitOf(world, plans) : (world.limits.get(period) ?? 0n)
  const left = limit - (world.used.get(period) ?? 0n) - heldOf(world, `overage:${period}`)
  return left > 0n ? left : 0n
}

export function isClosed({ closed }: World, period: string): boolean {
  return closed !== null && period <= closed
}

export function limitOf(world: World, plans: PlanTable): bigint {
  const plan = planOf(world, plans)
  return plan.overage === 'pay-as-you-go' ? (world.limit ?? plan.spendingLimit ?? plans.spendingLimit) : 0n
}

export function planOf(world: World, plans: PlanTable): PlanTable['plans'][number] {
  const plan = plans.plans.find(({ planId }) => planId === world.planId)
  if (plan === undefined) throw new Error(`There is no plan ${world.planId}.`)
  return plan
}

export function leftOf(world: World, { id, issued, paid, gone, taken }: Credit): bigint {
  return issued - paid - gone - taken - heldOf(world, `grant:${id}`)
}

export function creditOf(world: World, source: string): Credit | undefined {
  return world.credits.find(({ id }) => source === `grant:${id}`)
}

/**
 * Marks credit that came back to a source: it is gone if the credit has expired, taken if it is void. Answers whether it
 * was either.
 */
export function comeBack(world: World, source: string, amount: bigint): boolean {
  const credit = creditOf(world, source)
  if (credit === undefined || amount === 0n) return false
  if (world.voids.has(credit.id)) credit.taken += amount
  else if (credit.until <= world.at) credit.gone += amount
  else return false
  return true
}

export function heldOf(world: World, source: string): bigint {
  return sum(
    [...world.holds.values()].flatMap(({ parts }) =>
      parts.flatMap(([from, amount]) => (from === source ? [amount] : [])),
    ),
  )
}

export function isActive({ from, until }: Credit, atMs: number): boolean {
  return from <= atMs && atMs < until
}

export function inOrder(credits: readonly Credit[]): Credit[] {
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

export function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

export function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n)
}
