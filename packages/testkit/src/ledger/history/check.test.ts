import assert from 'node:assert/strict'
import {
  type Cut,
  fakeClock,
  type LedgerStore,
  memoryStorage,
  OutcomeUnknown,
  type Reduce,
  Unavailable,
  usd,
} from '@farebox/core'
import { describe, expect, it } from 'vitest'
import { type Random, seededRandom } from '../../simulation/random.ts'
import { aroundReducers } from '../../storage/reducers.ts'
import { readAccount } from '../check-invariants.ts'
import { casePlans, caseStartMs } from '../ledger-case.ts'
import { checkHistory } from './check.ts'
import { type Operation, type Request, recordHistory } from './record.ts'
import { checkRecorded, isOutOfReach, playHistory } from './run.ts'
import { isExplained } from './search.ts'

const clock = fakeClock(caseStartMs)
/** A clock whose pauses are over at once. */
const hasty = {
  ...clock,
  after: (_delayMs: number, task: () => void) => {
    queueMicrotask(task)
    return () => undefined
  },
}
const newStore = () => memoryStorage({ clock }).ledger
const check = (operations: readonly Operation[], version: bigint) =>
  checkHistory(operations, casePlans, version)

const grant: Request = {
  do: 'grant',
  id: 'g1',
  amount: usd('1.00'),
  kind: 'purchased',
  startsInMs: 0,
  lastsMs: null,
}
const reserve = (id: string): Request => ({
  do: 'reserve',
  id,
  amount: usd('1.00'),
  minimum: usd('1.00'),
  timeToLiveMs: 60_000,
  traceable: false,
})
const look: Request = { do: 'look' }

/** Plays requests one after the other. */
async function sequence(store: LedgerStore, ...requests: readonly Request[]): Promise<Operation[]> {
  const recorder = recordHistory({ plans: casePlans, clock: hasty, isUnknown: isOutOfReach })
  for (const request of requests) await recorder.run(store, request)
  return [...recorder.operations]
}

/** A store that loses replies: of these calls that write, before or after the write was applied. */
function losing(store: LedgerStore, losses: readonly ('before' | 'after' | 'none')[]): LedgerStore {
  let writes = 0
  return {
    ...store,
    async transact(accountId, keys, reduce, options) {
      const { write } = await store.transact(accountId, keys, (cut) => ({ result: reduce(cut) }), options)
      const loss = write === undefined ? 'none' : (losses[writes++] ?? 'none')
      if (loss === 'before') throw new OutcomeUnknown('The request was lost.')
      const result = await store.transact(accountId, keys, reduce, options)
      if (loss === 'after') throw new OutcomeUnknown('The reply was lost.')
      return result
    },
  }
}

/** A store whose calls begin and answer some turns later, in an order of their own. */
function jittery(store: LedgerStore, random: Random): LedgerStore {
  const wait = async () => {
    for (let turns = random.below(12); turns > 0; turns -= 1) await undefined
  }
  return {
    ...store,
    async transact(accountId, keys, reduce, options) {
      await wait()
      const result = await store.transact(accountId, keys, reduce, options)
      await wait()
      return result
    },
  }
}

describe('a history in order', () => {
  it('is one whose operations came one after the other', async () => {
    const store = newStore()
    const operations = await sequence(store, grant, reserve('r1'), reserve('r2'), look, grant)
    check(operations, 2n)
    expect(isExplained(operations, casePlans, caseStartMs)).toBe(true)
  })

  it('may have writes that nobody was told of, once each', async () => {
    const store = newStore()
    // All four tries of the grant lose their reply: the first was applied, and its outcome stays unknown.
    const recorder = recordHistory({ plans: casePlans, clock: hasty, isUnknown: isOutOfReach })
    await recorder.run(losing(store, ['after']), grant)
    await recorder.run(losing(store, ['before', 'before', 'before', 'before']), reserve('r1'))
    await recorder.run(store, reserve('r2'))
    await checkRecorded(recorder, store, casePlans)

    const [first, lost] = recorder.operations
    expect(first?.answer).toEqual({ outcome: 'granted' })
    expect(lost?.answer).toBeUndefined()
    expect(lost?.maybe).toHaveLength(4)
    expect(isExplained(recorder.operations, casePlans, caseStartMs)).toBe(true)
  })

  it('may have an operation that never ended and took effect all the same', async () => {
    const store = newStore()
    const recorder = recordHistory({ plans: casePlans, clock: hasty, isUnknown: isOutOfReach })
    const deaf: LedgerStore = {
      ...store,
      async transact(...call) {
        await store.transact(...call)
        return new Promise<never>(() => undefined)
      },
    }
    void recorder.run(deaf, grant)
    await new Promise(setImmediate)
    await recorder.run(store, reserve('r1'))
    await checkRecorded(recorder, store, casePlans)
    expect(recorder.operations[0]).toMatchObject({ answer: undefined, endedAt: undefined })
  })

  it('may have an operation that reads first and takes effect later', async () => {
    const store = newStore()
    const recorder = recordHistory({ plans: casePlans, clock: hasty, isUnknown: isOutOfReach })
    const settle: Request = { do: 'settle', id: 'r1', cost: usd('0.40'), failedCost: null }
    for (const request of [grant, reserve('r1'), settle]) await recorder.run(store, request)
    let calls = 0
    const interrupted: LedgerStore = {
      ...store,
      async transact(...call) {
        calls += 1
        // Between finding the charge and giving it back, somebody looks.
        if (calls === 2) await recorder.run(store, look)
        return store.transact(...call)
      },
    }
    await recorder.run(interrupted, { do: 'refund', op: 'o1', id: 'r1', attempt: 2, courtesy: false })
    expect(recorder.operations.map(({ index, steps }) => [index, steps.length]).slice(-2)).toEqual([
      [3, 2],
      [4, 1],
    ])
    await checkRecorded(recorder, store, casePlans)
  })

  it('may have a refusal that is written, because nobody knew what came of its first try', async () => {
    const store = newStore()
    const recorder = recordHistory({ plans: casePlans, clock: hasty, isUnknown: isOutOfReach })
    await recorder.run(store, grant)
    await recorder.run(store, reserve('r1'))
    let calls = 0
    const deaf: LedgerStore = {
      ...store,
      async transact(...call) {
        calls += 1
        const result = await store.transact(...call)
        if (calls === 1) throw new OutcomeUnknown('The reply was lost.')
        return result
      },
    }
    await recorder.run(deaf, reserve('r2'))
    expect(recorder.operations[2]).toMatchObject({
      answer: { outcome: 'insufficient' },
      steps: [{ isWrite: true, isChange: false }],
    })
    await checkRecorded(recorder, store, casePlans)
  })

  it('is found by trying every order too, whatever four callers asked', async () => {
    for (let seed = 1; seed <= 150; seed += 1) {
      const random = seededRandom(seed)
      const store = newStore()
      const stores = [jittery(store, random), jittery(store, random), jittery(store, random)]
      const operations = await playHistory({ stores, clock, plans: casePlans, random, requests: 2 })
      expect(isExplained(operations, casePlans, caseStartMs), `seed ${seed}`).toBe(true)
    }
  })
})

describe('a history out of order', () => {
  const forged = async (...requests: readonly Request[]) => {
    const store = newStore()
    const operations = await sequence(store, grant, ...requests)
    const { version } = await readAccount(store, 'alice')
    const refuses = (change: (operation: Operation, index: number) => Partial<Operation>, what: RegExp) => {
      const changed = operations.map((operation, index) => ({ ...operation, ...change(operation, index) }))
      assert.throws(() => check(changed, version), what)
      return changed
    }
    return refuses
  }

  it('gives the last credit to two callers', async () => {
    const refuses = await forged(reserve('r1'), reserve('r2'))
    const changed = refuses(
      ({ answer }, index) =>
        index === 2
          ? { answer: { outcome: 'reserved', state: 'held', parts: [['grant:g1', usd('1.00')]] } }
          : { answer },
      /operation 2 \(reserve r2\) answered what it should not/,
    )
    expect(isExplained(changed, casePlans, caseStartMs)).toBe(false)
  })

  it('refuses a caller although there was credit all the time', async () => {
    const refuses = await forged(reserve('r1'))
    const changed = refuses(
      ({ answer }, index) => ({
        answer: index === 1 ? { outcome: 'insufficient', missing: 1n, spendable: 0n } : answer,
      }),
      /answered what it should not/,
    )
    expect(isExplained(changed, casePlans, caseStartMs)).toBe(false)
  })

  it('reads what was so before something that had ended', async () => {
    const refuses = await forged(reserve('r1'), look)
    refuses(
      ({ steps }, index) => ({
        steps: index === 2 ? steps.map((step) => ({ ...step, version: 1n })) : steps,
      }),
      /operation 2 \(look\) read version 1, though operation 1 \(reserve r1\) had ended on 2/,
    )
  })

  it('has two writes on one version', async () => {
    const refuses = await forged(reserve('r1'), { do: 'settle', id: 'r1', cost: 1n, failedCost: null })
    refuses(
      ({ steps }, index) => ({
        steps: index === 2 ? steps.map((step) => ({ ...step, version: 1n })) : steps,
      }),
      /version 1/,
    )
  })

  it('has a version that nobody wrote', async () => {
    const refuses = await forged(reserve('r1'))
    refuses(({ steps }, index) => ({ steps: index === 1 ? [] : steps }), /nobody wrote version 2/)
  })

  it('has a write that is not there', async () => {
    const refuses = await forged()
    refuses(
      ({ steps }) => ({ steps: steps.map((step) => ({ ...step, version: 7n })) }),
      /a write on version 7 was confirmed and is not there/,
    )
  })
})

describe('a store with a fault is found by its histories', () => {
  const stores: readonly (readonly [string, (store: LedgerStore, random: Random) => LedgerStore])[] = [
    [
      'when it reads what was so some time ago',
      (store, random) => {
        let seen: Parameters<Reduce<unknown>>[0] | undefined
        return aroundReducers(store, (reduce) => (cut) => {
          const stale = seen !== undefined && random.chance(0.3) ? { ...seen, records: cut.records } : cut
          seen = cut
          const decision = reduce(stale)
          // Only readings: a write on an old version would be refused.
          return decision.write === undefined ? decision : reduce(cut)
        })
      },
    ],
    [
      'when it confirms what it has not written',
      (store, random) =>
        aroundReducers(
          store,
          (reduce) => (cut) => (random.chance(0.1) ? { result: reduce(cut).result } : reduce(cut)),
        ),
    ],
    [
      'when it says that nothing was written, and it was',
      (store, random) => ({
        ...store,
        async transact(...call) {
          const result = await store.transact(...call)
          if (random.chance(0.1)) throw new Unavailable('Surely nothing was applied.')
          return result
        },
      }),
    ],
    [
      'when it overwrites what another caller wrote meanwhile',
      (store, random) => ({
        ...store,
        async transact(accountId, keys, reduce, options) {
          const before = await store.transact<Cut>(accountId, keys, (cut) => ({ result: cut }), options)
          for (let turns = random.below(12); turns > 0; turns -= 1) await undefined
          return store.transact(
            accountId,
            keys,
            (cut) => {
              const { result, write } = reduce(before)
              if (write === undefined || cut.version === before.version) return reduce(cut)
              const put = (write.put ?? []).map((each) => ({ ...each, mode: 'replace' as const }))
              return { result, write: { head: write.head, put } }
            },
            options,
          )
        },
      }),
    ],
  ]

  it.each(stores)('%s', async (_name, breakStore) => {
    await expect(playMany(breakStore)).rejects.toThrow()
  })

  async function playMany(breakStore: (store: LedgerStore, random: Random) => LedgerStore): Promise<void> {
    for (let seed = 1; seed <= 100; seed += 1) {
      const random = seededRandom(seed)
      const store = breakStore(newStore(), random)
      await playHistory({
        stores: [store, store, store],
        clock: hasty,
        plans: casePlans,
        random,
        requests: 6,
      })
    }
  }
})
