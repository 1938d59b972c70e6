import type { PlanTable } from '@farebox/core'
import type { Command } from '../command.ts'
import { book, bookLate, endWait, type Policy, waitMs } from './late.ts'
import { pay, split } from './pay.ts'
import {
  type Answer,
  type Book,
  type Hold,
  isClosed,
  least,
  spendable,
  sum,
  type Wait,
  type World,
} from './world.ts'

/** Ends a hold, or lets it wait for costs that come later. */
export function settle(
  world: World,
  plans: PlanTable,
  hold: Hold,
  { cost, failedCost, late = [] }: Extract<Command, { do: 'settle' }>,
): Answer {
  const attempts = [1, 2].filter((attempt) => !hold.books.some((each) => each.attempt === attempt))
  const final = (attempt: 1 | 2, told: bigint | null): bigint | null =>
    attempts.includes(attempt) && !late.includes(attempt) ? told : null
  const lost = final(1, failedCost)
  const served = final(2, cost)
  hold.waits = attempts
    .filter((attempt) => late.includes(attempt as 1 | 2))
    .map((attempt): Wait => ({ attempt, estimate: attempt === 2 ? (cost ?? 0n) : 0n, held: 0n }))
  hold.waitUntil = world.at + waitMs
  hold.isWaitOver = false
  const isProvisional = hold.waits.some(({ attempt }) => attempt === 2)

  const [front, rest] = split(hold.parts, served ?? 0n)
  const [kept, back] = split(rest, sum(hold.waits.map(({ estimate }) => estimate)))
  hold.parts = kept
  let left = sum(kept.map((share) => share[1]))
  for (const wait of hold.waits) {
    wait.held = least(wait.estimate, left)
    left -= wait.held
  }
  const { paid, unpaid, isLost } = pay(world, plans, hold, [...front, ...back], served ?? 0n)
  hold.hasEntry = isProvisional || isLost || paid.length > 0 || served !== null || lost !== null
  // The limit of a period is remembered for costs that are still to come.
  if (isProvisional && hold.period === world.period.key) world.drawn.add(hold.period)
  hold.state = isProvisional ? 'provisional' : hold.hasEntry ? 'settled' : 'released'
  const charged = (served ?? 0n) - unpaid
  for (const attempt of attempts) {
    const isServed = attempt === 2
    book(world, hold, {
      attempt,
      isLate: false,
      isKnown: (isServed ? served : lost) !== null,
      isProvisional: hold.waits.some((wait) => wait.attempt === attempt),
      charged: isServed ? charged : 0n,
      absorbed: isServed ? unpaid : (lost ?? 0n),
      reason: !isServed ? 'failed_attempt' : isClosed(world, hold.period) ? 'late_after_close' : 'overrun',
      paid: isServed ? paid : [],
    })
  }
  return {
    outcome: 'settled',
    charged,
    absorbed: unpaid + (lost ?? 0n),
    paidFrom: paid.map(([source, amount]) => [source, amount]),
    spendableAfter: spendable(world, plans),
    state: hold.waits.length > 0 ? 'provisional' : undefined,
  }
}

interface Reconciled {
  readonly answer: Answer
  readonly isDone: boolean
}

/** Makes the cost of an attempt final. `refund` gives back some of what an entry charged, as far as that is possible. */
export function reconcile(
  world: World,
  plans: PlanTable,
  policy: Policy,
  { id, attempt, cost }: Extract<Command, { do: 'reconcile' }>,
  refund: (hold: Hold, paid: Book, amount: bigint) => boolean,
): Reconciled {
  const hold = world.holds.get(id)
  if (hold === undefined) return only('unknown-attempt')
  if (hold.state === 'held' || hold.state === 'unresolved') return only('not-settled')
  const told = hold.books.find((each) => each.attempt === attempt && each.isLate)
  if (told !== undefined) return again(world, hold, told, cost, refund)
  const wait = hold.waits.find((each) => each.attempt === attempt)
  if (cost === null) {
    if (wait === undefined || hold.state !== 'provisional') return only('unknown-attempt')
    endWait(world, plans, policy, hold)
    return only('wait-ended', true)
  }
  if (wait !== undefined) return tell('reconciled', bookLate(world, plans, hold, wait, cost), true)
  const first = hold.books.find((each) => each.attempt === attempt)
  if (hold.hasEntry)
    return first === undefined ? only('unknown-attempt') : tell('already-final', first, false)
  if (hold.receipt !== undefined && (first === undefined || first.isKnown)) return only('unknown-attempt')
  const reason = hold.receipt === undefined ? 'crash_unknown' : 'failed_attempt'
  const absorbed = { attempt, isLate: true, charged: 0n, absorbed: cost, reason, paid: [] }
  return tell('reconciled', book(world, hold, absorbed), true)
}

/** A cost for an attempt that has one: when that was an estimate, the difference is made good once. */
function again(
  world: World,
  hold: Hold,
  told: Book,
  cost: bigint | null,
  refund: (hold: Hold, paid: Book, amount: bigint) => boolean,
): Reconciled {
  const { attempt } = told
  const estimate = hold.estimates.get(attempt)
  if (estimate === undefined || cost === null || cost === estimate) return tell('already-final', told, false)
  if (cost > estimate) {
    hold.estimates.delete(attempt)
    const reason = 'waived_late_cost'
    const more = { attempt, isLate: true, charged: 0n, absorbed: cost - estimate, reason, paid: [] }
    return tell('reconciled', book(world, hold, more), true)
  }
  // What the operator has paid of the estimate goes first.
  const isDue = told.charged > cost && !hold.evened.has(attempt)
  const isDone = isDue && refund(hold, told, told.charged - cost)
  if (isDone) hold.evened.add(attempt)
  return tell('already-final', told, isDone)
}

function only(outcome: string, isDone = false): Reconciled {
  return { answer: { outcome }, isDone }
}

function tell(outcome: string, { charged, absorbed, reason }: Book, isDone: boolean): Reconciled {
  return { answer: { outcome, charged, absorbed, reason }, isDone }
}

/** What the receipt of a request shows now. */
export function receiptOf(world: World, hold: Hold | undefined, nowMs: number): Answer | undefined {
  if (hold?.receipt === undefined) return undefined
  const isGivenUp = hold.state === 'released' && hold.hasEntry
  const isOpen = hold.state === 'provisional' || (!isGivenUp && Math.max(world.at, nowMs) < hold.waitUntil)
  return {
    charged: sum(hold.books.map(({ charged }) => charged)),
    absorbed: sum(hold.books.map(({ absorbed }) => absorbed)),
    state: isOpen && hold.waits.length > 0 ? 'provisional' : undefined,
    refunded: hold.refunded > 0n ? hold.refunded : undefined,
  }
}
