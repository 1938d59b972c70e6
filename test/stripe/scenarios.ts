import { type Nano, usd } from '@farebox/core'
import type { StripeEvent, StripeSimulator } from '@farebox/testkit/stripe'

/** What happens at Stripe, step by step, to a payment of $10.00, and the bought credit that is right in the end. */
export interface Scenario {
  readonly name: string
  readonly purchased: Nano
  readonly steps: readonly ((world: World) => void)[]
  readonly isKey: boolean
  /** How often each event is delivered, and how many orders of steps and deliveries that makes. */
  readonly times: 1 | 2
  readonly orders: number
}

/** One payment at Stripe. */
export interface World {
  readonly stripe: StripeSimulator
  readonly sessionId: string
}

function paymentOf({ stripe, sessionId }: World): string {
  const paymentId = stripe.sessions.get(sessionId)?.payment_intent
  if (typeof paymentId !== 'string') throw new Error('Nothing was paid yet.')
  return paymentId
}

/** The newest event about this payment says which refund or dispute it was. */
function last(world: World, object: string): string {
  const paymentId = paymentOf(world)
  const event = world.stripe.events.findLast(({ data }) => {
    const about = data.object as { readonly object: string; readonly payment_intent?: string }
    return about.object === object && about.payment_intent === paymentId
  })
  if (event === undefined) throw new Error(`There is no ${object}.`)
  return (event.data.object as { readonly id: string }).id
}

const pay = ({ stripe, sessionId }: World) => void stripe.pay(sessionId)
const payLater = ({ stripe, sessionId }: World) => void stripe.pay(sessionId, { isDelayed: true })
const arrive = ({ stripe, sessionId }: World) => void stripe.settlePayment(sessionId, true)
const fail = ({ stripe, sessionId }: World) => void stripe.settlePayment(sessionId, false)
const refund = (cents: number, status?: 'pending') => (world: World) =>
  void world.stripe.refund(paymentOf(world), cents, status)
const endRefund = (status: 'succeeded' | 'failed') => (world: World) =>
  void world.stripe.endRefund(last(world, 'refund'), status)
const dispute = (world: World) => void world.stripe.dispute(paymentOf(world))
const inquire = (world: World) => void world.stripe.dispute(paymentOf(world), { isInquiry: true })
const closeDispute = (status: 'won' | 'lost' | 'warning_closed') => (world: World) =>
  void world.stripe.closeDispute(last(world, 'dispute'), status)

/** [what happens, the credit in the end, the steps, whether it is played with every fault and with every event twice] */
const table: readonly [string, Nano, Scenario['steps'], 'key'?][] = [
  ['a card payment', usd('10.00'), [pay]],
  ['a delayed payment that arrives', usd('10.00'), [payLater, arrive], 'key'],
  ['a delayed payment that fails', usd('0.00'), [payLater, fail]],
  ['a delayed payment that is refunded', usd('0.00'), [payLater, arrive, refund(1000)]],
  ['refunds of parts', usd('5.50'), [pay, refund(300), refund(150)]],
  ['refunds of parts that are the whole', usd('0.00'), [pay, refund(999), refund(1)]],
  ['a refund that fails', usd('10.00'), [pay, refund(1000, 'pending'), endRefund('failed')], 'key'],
  ['a refund of a part that fails', usd('10.00'), [pay, refund(1, 'pending'), endRefund('failed')]],
  ['a refund that succeeds late', usd('6.00'), [pay, refund(400, 'pending'), endRefund('succeeded')]],
  ['a dispute that is won', usd('10.00'), [pay, dispute, closeDispute('won')], 'key'],
  ['a dispute that is lost', usd('0.00'), [pay, dispute, closeDispute('lost')]],
  ['an inquiry', usd('10.00'), [pay, inquire, closeDispute('warning_closed')]],
  ['a refund and a dispute that is won', usd('7.00'), [pay, refund(300), dispute, closeDispute('won')]],
]

export const scenarios: readonly Scenario[] = table.map(([name, purchased, steps, key]) => {
  const isKey = key === 'key'
  const times = isKey ? 2 : 1
  return { name, purchased, steps, isKey, times, orders: countOf(steps.length, times) }
})

const relevant = /^(checkout\.session\.|refund\.|charge\.(refunded|refund\.|dispute\.))/

/** The events of a step that a webhook endpoint for credit listens to. */
export function relevantEvents(events: readonly StripeEvent[]): readonly StripeEvent[] {
  return events.filter(({ type }) => relevant.test(type))
}

/** One thing after another: step `step` happens at Stripe, or its event is delivered. */
export interface Move {
  readonly step: number
  readonly isDelivery: boolean
}

/**
 * Every order in which steps can happen and their events arrive: steps one after the other, an event at any time after its
 * step, each of them `times` times.
 */
export function* orders(steps: number, times: number): Generator<readonly Move[]> {
  const left = Array.from({ length: steps }, () => times)
  const moves: Move[] = []
  function* continued(happened: number): Generator<readonly Move[]> {
    if (happened === steps && left.every((count) => count === 0)) yield [...moves]
    if (happened < steps) {
      moves.push({ step: happened, isDelivery: false })
      yield* continued(happened + 1)
      moves.pop()
    }
    for (const [step, count] of left.slice(0, happened).entries()) {
      if (count === 0) continue
      left[step] = count - 1
      moves.push({ step, isDelivery: true })
      yield* continued(happened)
      moves.pop()
      left[step] = count
    }
  }
  yield* continued(0)
}

/** How many orders there are, counted in another way: from the last step on, by the places its deliveries can take. */
function countOf(steps: number, times: number): number {
  let count = 1
  for (let later = 0; later < steps; later += 1) {
    const places = later * (times + 1) + times
    count *= times === 1 ? places : (places * (places - 1)) / 2
  }
  return count
}
