import { usd } from '@farebox/core'
import type { Random } from '../../simulation/random.ts'
import type { Request } from './record.ts'

const second = 1000

/** Something to ask about alice's account. Few ids, so that they meet again; round amounts, so that sums meet limits. */
export function drawRequest(random: Random): Request {
  const kind = random.below(25)
  const hold = `r${random.between(1, 4)}`
  const amount = random.pick([0n, 1n, usd('0.01'), usd('0.05'), usd('0.10'), usd('1.00'), usd('2.00')])
  if (kind < 2) {
    return {
      do: 'configure',
      planId: random.pick(['bare', 'metered', 'free', 'pro', 'team', 'prorated', 'additive']),
      ...(random.chance(0.4) && { seats: random.between(1, 3) }),
      ...(random.chance(0.3) && { limit: random.pick([null, amount]) }),
      ...(random.chance(0.2) && { anchor: random.pick([null, 1, 15, 31]) }),
    }
  }
  if (kind < 5) {
    return {
      do: 'grant',
      id: `g${random.between(1, 4)}`,
      amount: amount + 1n,
      kind: random.pick(['purchased', 'promotional', 'courtesy']),
      startsInMs: random.pick([0, 0, -second, 60 * second]),
      lastsMs: random.pick([null, null, 40 * second, 3_600 * second]),
    }
  }
  if (kind < 11) {
    const minimum = random.pick([amount, amount / 2n, 0n])
    const timeToLiveMs = random.pick([0, second, 60 * second])
    return { do: 'reserve', id: hold, amount, minimum, timeToLiveMs, traceable: random.chance(0.5) }
  }
  if (kind < 13) {
    return {
      do: 'extend',
      id: hold,
      ordinal: random.pick([1, 1, 2]),
      amount,
      timeToLiveMs: random.pick([0, 60 * second]),
    }
  }
  if (kind < 17) {
    return {
      do: 'settle',
      id: hold,
      cost: amount,
      failedCost: random.pick([null, 0n, 7n]),
      ...(random.chance(0.4) && { late: random.pick([[2], [2], [1], [1, 2]] as const) }),
    }
  }
  const op = `o${random.between(1, 4)}`
  switch (kind) {
    case 17:
      return {
        do: 'void',
        op,
        id: `g${random.between(1, 4)}`,
        ...(random.chance(0.5) && { amount: amount + 1n }),
      }
    case 18:
      return { do: 'adjust', op, amount: random.chance(0.5) ? amount + 1n : -amount - 1n }
    case 19:
      return {
        do: 'refund',
        op,
        id: hold,
        attempt: random.pick([1, 2, 2]),
        ...(random.chance(0.3) && { amount: amount + 1n }),
        courtesy: random.chance(0.5),
      }
    case 20:
      return { do: 'look-after' }
    case 21:
    case 22:
    case 23:
      return {
        do: 'reconcile',
        id: hold,
        attempt: random.pick([1, 2, 2]),
        cost: random.pick([amount, amount, amount, null]),
      }
    default:
      return { do: 'look' }
  }
}
