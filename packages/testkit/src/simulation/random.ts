/** Chance that repeats: the same seed gives the same draws, on every machine. */
export interface Random {
  /** A number from 0 up to, and not including, 1. */
  next(): number
  /** A whole number from 0 up to, and not including, `limit`. */
  below(limit: number): number
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number
  /** Whether something of this probability happens. A probability of 0 draws nothing. */
  chance(probability: number): boolean
  /** One of these, all equally likely. Name one twice to make it twice as likely. */
  pick<T>(choices: readonly T[]): T
}

/**
 * A seeded source of chance: mulberry32, which has one word of state and passes the usual batteries. Written here,
 * because a replay must give the same run years later, whatever a library has changed meanwhile.
 */
export function seededRandom(seed: number): Random {
  // Neighbouring seeds must not begin alike.
  let state = Math.imul(seed ^ (seed >>> 16), 0x45d9f3b) >>> 0
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    next,
    below,
    between: (low, high) => low + below(high - low + 1),
    chance: (probability) => probability > 0 && next() < probability,
    pick(choices) {
      if (choices.length === 0) throw new RangeError('There is nothing to pick from.')
      return choices[below(choices.length)] as (typeof choices)[number]
    },
  }
}
