import { estimate, heldFirst, heldMore, type Journey, refundedFirst, type Step, spared } from './journey.ts'

/** What an account may spend before the request: credit of the first period, credit it bought, pay-as-you-go of each period. */
export interface Purse {
  readonly included: bigint
  readonly bought: bigint
  readonly limit: bigint
  /** What the second period includes. */
  readonly next: bigint
}

/** Where money is: the credit of a period, what was bought, or the line of a period. */
export type Place = 'first' | 'second' | 'bought' | 'line of first' | 'line of second'

type Share = [place: Place, amount: bigint]

/** What the rules say of one request over the end of a period. */
export interface Expected {
  readonly period: 'first' | 'second'
  readonly charged: bigint
  readonly absorbed: bigint
  /** What paid, by place, before anything was refunded. */
  readonly paid: ReadonlyMap<Place, bigint>
  /** What each place has paid in the end. */
  readonly settled: ReadonlyMap<Place, bigint>
  /** What is left in each place once the first period is over. */
  readonly left: ReadonlyMap<Place, bigint>
  readonly expired: bigint
  /** Whether the first period could be closed as it ended, and the pay-as-you-go that its invoice has. */
  readonly isClosable: boolean
  readonly billed: bigint
}

/**
 * Follows a request through two periods with the rules alone: a hold takes credit of now and then the line of the
 * request's own period; what comes back to credit of a period that is over expires, and pays an overrun of a request that
 * began before that all the same, before credit that began later; a refund walks backwards.
 */
export function expectedOf({ steps, gap, wake, cost }: Journey, purse: Purse): Expected {
  const left = new Map<Place, bigint>([
    ['first', purse.included],
    ['second', 0n],
    ['bought', purse.bought],
    ['line of first', purse.limit],
    ['line of second', purse.limit],
  ])
  const settled = new Map<Place, bigint>()
  let isOver = false
  let expired = 0n
  let isClosable = false
  let closedAt: bigint | undefined
  let parts: Share[] = []
  let paid: Share[] = []
  let unpaid = 0n
  let period: 'first' | 'second' = 'first'

  const line = (): Place => `line of ${period}`
  const of = (place: Place): bigint => left.get(place) ?? 0n
  const add = (map: Map<Place, bigint>, place: Place, amount: bigint): void => {
    map.set(place, (map.get(place) ?? 0n) + amount)
  }

  /** Takes what is there, place by place. */
  function take(places: readonly Place[], amount: bigint): Share[] {
    const taken: Share[] = []
    let missing = amount
    for (const place of places) {
      const isGone = place === 'first' && isOver
      const share = least(missing, isGone ? expired : of(place))
      if (share === 0n) continue
      if (isGone) expired -= share
      else add(left, place, -share)
      taken.push([place, share])
      missing -= share
    }
    return taken
  }

  function giveBack(place: Place, amount: bigint): void {
    if (place === 'first' && isOver) expired += amount
    else add(left, place, amount)
  }

  function hold(amount: bigint): void {
    const credit: Place = isOver ? 'second' : 'first'
    for (const [place, share] of take([credit, 'bought', line()], amount)) {
      const same = parts.find(([other]) => other === place)
      if (same === undefined) parts.push([place, share])
      else same[1] += share
    }
  }

  /** Pays from the front of what is held, gives the rest back, and pays an overrun. */
  function pay(amount: bigint): void {
    let missing = amount
    for (const [place, share] of parts) {
      const used = least(share, missing)
      if (used > 0n) paid.push([place, used])
      giveBack(place, share - used)
      missing -= used
    }
    parts = []
    const credit: Place[] = period === 'second' ? ['second', 'bought'] : ['first', 'bought', 'second']
    const more = take([...credit, line()], missing)
    paid.push(...more)
    unpaid = missing - total(more)
    for (const [place, share] of paid) add(settled, place, share)
  }

  /** Keeps what is expected from the front of what is held, and gives the rest back. */
  function shrink(): void {
    let kept = estimate
    parts = parts.flatMap(([place, share]): Share[] => {
      const held = least(share, kept)
      kept -= held
      giveBack(place, share - held)
      return held > 0n ? [[place, held]] : []
    })
  }

  function refund(amount: bigint): void {
    let missing = amount
    const rest: Share[] = []
    for (const [place, share] of paid.toReversed()) {
      const back = least(share, missing)
      missing -= back
      if (back < share) rest.unshift([place, share - back])
      if (back === 0n) continue
      giveBack(place, back)
      add(settled, place, -back)
    }
    paid = rest
  }

  const byPlace = new Map<Place, bigint>()
  const act: Readonly<Record<Step, () => void>> = {
    reserve() {
      period = isOver ? 'second' : 'first'
      hold(heldFirst)
    },
    extend: () => hold(heldMore),
    estimate: shrink,
    settle: end,
    cost: end,
    'refund some': () => refund(refundedFirst),
    'refund the rest': () => refund(total(paid)),
  }

  function end(): void {
    pay(cost)
    for (const [place, share] of paid) add(byPlace, place, share)
  }

  function endPeriod(): void {
    isOver = true
    expired = of('first')
    left.set('first', 0n)
    const spent = wake === 'use' ? purse.next - least(purse.next, spared) : 0n
    left.set('second', purse.next - spent)
    settled.set('second', spent)
    isClosable = parts.length === 0
    if (wake === 'close' && isClosable) closedAt = settled.get('line of first') ?? 0n
  }

  for (const [index, step] of steps.entries()) {
    if (index === gap) endPeriod()
    act[step]()
  }
  if (gap === steps.length) endPeriod()
  const charged = cost - unpaid
  return {
    period,
    charged,
    absorbed: unpaid,
    paid: byPlace,
    settled,
    left,
    expired,
    isClosable,
    billed: closedAt ?? settled.get('line of first') ?? 0n,
  }
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

function total(shares: readonly Share[]): bigint {
  return shares.reduce((sum, [, share]) => sum + share, 0n)
}
