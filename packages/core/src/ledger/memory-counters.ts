import { LRUCache } from 'lru-cache'
import { type Count, type CounterStore, shareOf } from './counter-store.ts'

export interface MemoryCountersOptions {
  /** Beyond this many the one that was not used for longest is forgotten. @default 100000 */
  readonly countersMax?: number
}

interface Counter {
  /** Of nobody in particular. */
  amount: number
  untilMs: number
  readonly shares: Map<string, { readonly amount: number; readonly untilMs: number }>
}

/** How often the whole memory is looked through for what is over, in requests. */
const sweepEvery = 4096

/** Counts in this process' memory: for one process, and the reference for every other store. */
export function memoryCounters({ countersMax = 100_000 }: MemoryCountersOptions = {}): CounterStore {
  const counters = new LRUCache<string, Counter>({
    // Not `max`: that lays all places out at once.
    maxSize: countersMax,
    sizeCalculation: () => 1,
  })
  let takesSinceSweep = 0

  function sweep(nowMs: number): void {
    takesSinceSweep += 1
    if (takesSinceSweep < sweepEvery) return
    takesSinceSweep = 0
    for (const [key, counter] of counters.entries()) {
      if (counter.untilMs <= nowMs) counters.delete(key)
    }
  }

  return {
    async take({ accountId, nowMs, counts }) {
      sweep(nowMs)
      const before = counts.map(({ name }) => amountOf(counters.get(keyOf(accountId, name)), nowMs))
      const shares = counts.map((count, index) => shareOf(count, before[index] ?? 0))
      const isTaken = !shares.includes(undefined)
      if (isTaken) {
        for (const [index, count] of counts.entries()) {
          const key = keyOf(accountId, count.name)
          const counter = counters.get(key) ?? { amount: 0, untilMs: count.untilMs, shares: new Map() }
          add(counter, count, shares[index] ?? 0)
          counters.set(key, counter)
        }
      }
      return {
        isTaken,
        counts: before.map((amount, index) => ({
          before: amount,
          taken: isTaken ? (shares[index] ?? 0) : 0,
        })),
      }
    },

    async giveBack({ accountId, counts }) {
      for (const { name, amount, holder } of counts) {
        const counter = counters.get(keyOf(accountId, name))
        if (counter === undefined) continue
        if (holder === undefined) counter.amount = Math.max(0, counter.amount - amount)
        else counter.shares.delete(holder)
      }
    },
  }
}

function keyOf(accountId: string, name: string): string {
  return `${accountId}\0${name}`
}

function add(counter: Counter, { holder, untilMs }: Count, amount: number): void {
  if (holder === undefined) counter.amount += amount
  else counter.shares.set(holder, { amount, untilMs })
  counter.untilMs = Math.max(counter.untilMs, untilMs)
}

/** What is taken now. Shares whose time is over are let go of on the way. */
function amountOf(counter: Counter | undefined, nowMs: number): number {
  if (counter === undefined) return 0
  let { amount } = counter
  for (const [holder, share] of counter.shares) {
    if (share.untilMs <= nowMs) counter.shares.delete(holder)
    else amount += share.amount
  }
  return amount
}
