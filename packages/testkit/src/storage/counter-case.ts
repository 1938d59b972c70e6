import assert from 'node:assert/strict'
import { type Count, type CounterStore, fakeClock, type Taken } from '@farebox/core'
import type { StorageCase } from './storage-case.ts'

export interface CounterCaseContext {
  readonly counters: CounterStore
  /** Asks for counts of the account `alice`, at 1,000,000 unless said otherwise. */
  take(counts: readonly Count[], options?: { accountId?: string; nowMs?: number }): Promise<Taken>
  /** What others would find under a name without holders, or with them. Nothing is taken. */
  total(name: string, options?: { accountId?: string; nowMs?: number }): Promise<number>
  totalHeld(name: string, options?: { accountId?: string; nowMs?: number }): Promise<number>
}

/** When the cases play. */
export const startMs = 1_000_000

/** One of something that there may be `limit` of until the next minute. */
export function one(name: string, limit: number, changes: Partial<Count> = {}): Count {
  return { name, amount: 1, least: 1, limit, untilMs: startMs + 60_000, ...changes }
}

/** A case for the counters of a store that has them. */
export function counterCase(
  name: string,
  check: (context: CounterCaseContext) => Promise<void>,
): StorageCase {
  return {
    name,
    async run(subject) {
      const { storage, dispose } = await subject.create(fakeClock(startMs))
      try {
        const { counters } = storage
        assert.ok(counters, 'the storage has no counters: leave these cases out, or give it `counters`')
        const take: CounterCaseContext['take'] = (counts, { accountId = 'alice', nowMs = startMs } = {}) =>
          counters.take({ accountId, nowMs, counts })
        const look = async (count: Count, options?: { accountId?: string; nowMs?: number }) => {
          // There is never room below zero.
          const { isTaken, counts } = await take([{ ...count, limit: -1 }], options)
          assert.equal(isTaken, false)
          return counts[0]?.before ?? Number.NaN
        }
        await check({
          counters,
          take,
          total: (counter, options) => look(one(counter, 0), options),
          totalHeld: (counter, options) => look(one(counter, 0, { holder: 'nobody' }), options),
        })
      } finally {
        await dispose()
      }
    },
  }
}
