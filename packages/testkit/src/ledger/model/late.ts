import type { PlanTable } from '@farebox/core'
import { pay, split } from './pay.ts'
import { type Book, comeBack, type Hold, isClosed, sum, type Wait, type World } from './world.ts'

/** How long a settlement waits for a cost, as the ledger does unless it is told otherwise. */
export const waitMs: number = 30 * 60_000

export type Policy = 'waive' | 'charge-estimate'

/** Books what became of an attempt, on the account and on its request. */
export function book(
  world: World,
  hold: Hold,
  what: Omit<Book, 'at' | 'isKnown' | 'isProvisional'> & Partial<Book>,
): Book {
  const booked: Book = {
    at: world.at,
    isKnown: true,
    isProvisional: false,
    ...what,
    reason: what.absorbed > 0n ? what.reason : undefined,
  }
  hold.books.push(booked)
  world.charged += booked.charged
  world.absorbed += booked.absorbed
  return booked
}

/** The final cost of an attempt that was waited for. */
export function bookLate(world: World, plans: PlanTable, hold: Hold, wait: Wait, cost: bigint): Book {
  const before = hold.waits.slice(0, hold.waits.indexOf(wait))
  const [front, rest] = split(hold.parts, sum(before.map(({ held }) => held)))
  const [own, back] = split(rest, wait.held)
  const isInTime = hold.state === 'provisional'
  hold.parts = [...front, ...back]
  hold.waits = hold.waits.filter((other) => other !== wait)
  const isCustomers = wait.attempt === 2 && isInTime
  const { paid, unpaid } = isCustomers ? pay(world, plans, hold, own, cost) : { paid: [], unpaid: cost }
  const late = isInTime ? (isClosed(world, hold.period) ? 'late_after_close' : 'overrun') : 'waived_late_cost'
  if (isInTime && !hold.waits.some(({ attempt }) => attempt === 2)) hold.state = 'settled'
  return book(world, hold, {
    attempt: wait.attempt,
    isLate: true,
    charged: cost - unpaid,
    absorbed: unpaid,
    reason: wait.attempt === 1 ? 'failed_attempt' : late,
    paid,
  })
}

/** No cost came: what was set aside goes back, or the estimate is charged. */
export function endWait(world: World, plans: PlanTable, policy: Policy, hold: Hold): void {
  if (policy === 'waive') {
    hold.state = 'released'
    letGo(world, hold)
    for (const wait of hold.waits) wait.held = 0n
    return
  }
  for (const wait of hold.waits) {
    if (wait.attempt !== 2) continue
    bookLate(world, plans, hold, wait, wait.estimate)
    hold.estimates.set(2, wait.estimate)
  }
}

/** Gives back what a hold still has. */
export function letGo(world: World, hold: Hold): void {
  const { parts } = hold
  hold.parts = []
  for (const [source, amount] of parts) comeBack(world, source, amount)
}
