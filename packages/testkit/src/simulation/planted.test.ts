import {
  type Cut,
  type LedgerStore,
  nano,
  type Provider,
  type Put,
  type Reservation,
  type Value,
  type Write,
} from '@farebox/core'
import { describe, expect, it } from 'vitest'
import { aroundReducers } from '../storage/reducers.ts'
import { type Breakage, SimulationError, simulate } from './index.ts'

/** A broken thing is found within so many seeds, or the simulation is worth nothing. */
const seedsMax = 300

/** A store that changes what it is told to write. */
function writing(change: (write: Write, cut: Cut) => Write | undefined): Breakage {
  return {
    store: (store) =>
      aroundReducers(store, (reduce) => (cut) => {
        const { result, write } = reduce(cut)
        return { result, write: write && change(write, cut) }
      }),
  }
}

/** A store that changes the records it is told to keep. */
function keeping(change: (put: Put, hold: Reservation | undefined) => readonly Put[]): Breakage {
  return writing((write) => ({
    ...write,
    put: (write.put ?? []).flatMap((put) =>
      change(put, put.key.startsWith('hold:') ? (put.value as unknown as Reservation) : undefined),
    ),
  }))
}

/** A store whose replica lags one write behind and does not know it. */
function lagging(store: LedgerStore): LedgerStore {
  const seen = new Map<string, { before: Cut['head']; now: Cut['head'] }>()
  let reads = 0
  return {
    ...store,
    transact: (accountId, keys, reduce, options) =>
      store.transact(
        accountId,
        keys,
        (cut) => {
          const heads = seen.get(accountId) ?? { before: cut.head, now: cut.head }
          seen.set(accountId, heads.now === cut.head ? heads : { before: heads.now, now: cut.head })
          reads += 1
          return reduce(reads % 7 === 0 ? { ...cut, head: heads.before } : cut)
        },
        options,
      ),
  }
}

/** A provider's adapter that reads usage wrongly. */
function reading(usage: (read: Provider['usage']) => Provider['usage']): Breakage {
  return { upstream: (provider) => ({ ...provider, usage: usage(provider.usage) }) }
}

let writes = 0

/** A store that loses records of this kind. */
function losing(prefix: string): Breakage {
  return keeping((put) => (put.key.startsWith(prefix) ? [] : [put]))
}

const planted: readonly (readonly [string, Breakage])[] = [
  ['a store that forgets holds', keeping((put, hold) => (hold?.state === 'held' ? [] : [put]))],
  [
    'a store that forgets that a hold was settled, so that it is charged twice',
    keeping((put, hold) => (hold?.state === 'settled' ? [] : [put])),
  ],
  [
    'a hold that expires without giving its money back',
    writing((write, { head }) => {
      const isReleasing = write.append?.some(({ text }) => text.includes('"kind":"released"'))
      return isReleasing ? { ...write, head: head ?? write.head } : write
    }),
  ],
  [
    'a hold that nobody ever looks after',
    keeping((put) => [put.dueAt === undefined ? put : { ...put, dueAt: put.dueAt + 10 * 86_400_000 }]),
  ],
  [
    'a store that confirms a write which it did not make',
    writing((write) => {
      writes += 1
      return writes % 5 === 0 ? undefined : write
    }),
  ],
  ['a store that reads from a replica which lags behind', { store: lagging }],
  [
    'a journal entry that is altered when it is written',
    writing(({ append, ...write }) => ({
      ...write,
      append: (append ?? []).map((entry) => ({
        ...entry,
        text: entry.text.replace('"purchased"', '"courtesy"'),
      })),
    })),
  ],
  [
    'an adapter that counts cached tokens twice',
    reading((read) => (reply, call) => {
      const usage = read(reply, call)
      const cached = usage?.cached_input_token
      if (usage === undefined || cached === undefined) return usage
      return { ...usage, input_token: BigInt(usage.input_token ?? 0n) + BigInt(cached) }
    }),
  ],
  ['an adapter that never finds the usage', reading(() => () => undefined)],
  [
    'an adapter that takes a provider which prices afterwards for one that prices at once',
    {
      upstream(provider) {
        if (provider.costs === undefined) return provider
        const { settles: _settles, ...costs } = provider.costs
        return { ...provider, costs }
      },
    },
  ],
  [
    'a store that forgets that a cost came later, so that it is booked twice',
    keeping((put, hold) => {
      if (hold?.reconciled === undefined) return [put]
      const { reconciled: _reconciled, ...rest } = hold
      return [{ ...put, value: rest as Value }]
    }),
  ],
  [
    'a store that forgets what is waited for, so that a cost is never asked for',
    keeping((put, hold) => {
      if (hold?.late === undefined || hold.state === 'provisional') return [put]
      const { late: _late, ...rest } = hold
      return [{ ...put, value: rest as Value, dueAt: undefined }]
    }),
  ],
  ['a store that loses the usage of a day', losing('usage:2')],
  ['a store that loses what an invoice is made of', losing('statement:')],
  [
    'an adapter that reads a cost that is off by one nano-USD',
    {
      upstream(provider) {
        const { costs } = provider
        if (costs === undefined) return provider
        const decode: typeof costs.decode = (body) =>
          new Map([...costs.decode(body)].map(([id, cost]) => [id, nano(cost + 1n)]))
        return { ...provider, costs: { ...costs, decode } }
      },
    },
  ],
  [
    'an adapter that sends every attempt under the id of its request, so that two attempts share one',
    {
      upstream: (provider) => ({
        ...provider,
        encode: (call, context) =>
          provider.encode(call, { ...context, attemptId: context.attemptId.replace(/\.\d+$/, '.1') }),
      }),
    },
  ],
]

describe('the simulation finds', () => {
  it.each(planted)('%s', async (_name, breakage) => {
    const found = await firstFailure(breakage)
    expect(found?.lines.length).toBeGreaterThan(0)
    expect(found?.message).toContain(`Seed ${found?.seed} found`)
  })

  it('the same again by the same seed, with the same log', async () => {
    const [, breakage] = planted[0] ?? []
    const found = await firstFailure(breakage)
    const again = await simulate(found?.seed ?? 0, { breakage }).catch((error: unknown) => error)
    expect(again).toBeInstanceOf(SimulationError)
    expect((again as SimulationError).lines).toEqual(found?.lines)
  })
})

async function firstFailure(breakage: Breakage | undefined): Promise<SimulationError | undefined> {
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    try {
      await simulate(seed, { breakage })
    } catch (error) {
      if (error instanceof SimulationError) return error
      throw error
    }
  }
  return undefined
}
