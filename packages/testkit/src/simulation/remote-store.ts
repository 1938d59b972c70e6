import {
  type Cut,
  type Decision,
  encodeValue,
  type KeyStore,
  type LedgerStore,
  type Reduce,
  type TransactOptions,
  type Value,
  type Write,
} from '@farebox/core'
import type { Life } from './scheduler.ts'
import { openStoreLine } from './store-line.ts'
import type { World } from './world.ts'

export interface RemoteStoreOptions {
  readonly world: World
  /** The process that asks. */
  readonly life: Life
  /** The store at the other end, whose answers take no time. */
  readonly inner: LedgerStore
  /** Looks at every decision before it is sent. */
  readonly onDecision?: ((reduce: Reduce<unknown>, cut: Cut, decision: Decision<unknown>) => void) | undefined
}

/**
 * A store at the other end of a network, as one process sees it: reads, runs the reducer, and writes on condition that
 * nobody has written meanwhile.
 */
export function remoteStore({ world, life, inner, onDecision }: RemoteStoreOptions): LedgerStore {
  const line = openStoreLine(world, life)

  /** Applied when it arrives, if the account is still at `version`. */
  async function write(label: string, accountId: string, version: bigint, change: Write): Promise<boolean> {
    return line.send(label, async () => {
      const isApplied = await inner.transact(accountId, [], (cut) =>
        cut.version === version ? { result: true, write: change } : { result: false },
      )
      world.log(
        () =>
          `  ${label} ${isApplied ? `made version ${version + 1n}: ${inWords(change)}` : 'came too late'}`,
      )
      return isApplied
    })
  }

  return {
    traits: inner.traits,

    async transact(accountId, keys, reduce, options: TransactOptions = {}) {
      const label = `${keys[0]?.replace('hold:', '') ?? accountId} ${life.name} store`
      for (;;) {
        const cut = await line.ask<Cut>(`${label} read`, () =>
          inner.transact<Cut>(accountId, keys, (each) => ({ result: each }), options),
        )
        const decision = reduce(cut)
        onDecision?.(reduce, cut, decision)
        if (decision.write === undefined) return decision.result
        if (await write(`${label} write`, accountId, cut.version, decision.write)) return decision.result
        world.count('store write conflict')
      }
    },

    journal: (accountId, afterSeq, limit) =>
      line.ask(`${accountId} ${life.name} store journal`, () => inner.journal(accountId, afterSeq, limit)),

    scan: (what, cursor, limit) => line.ask(`${life.name} store scan`, () => inner.scan(what, cursor, limit)),

    async close() {
      line.close()
    },
  }
}

/** Documents at the other end of a network. */
export function remoteKeys(world: World, life: Life, inner: KeyStore): KeyStore {
  const line = openStoreLine(world, life)
  const label = `${life.name} documents`
  return {
    get: (key) => line.ask(`${label} get`, () => inner.get(key)),
    put: (key, value, expectedVersion) =>
      line.send(`${label} put`, async () => {
        const isWritten = await inner.put(key, value, expectedVersion)
        world.log(() => `  ${key} ${isWritten ? encodeValue(value) : 'was not written'}`)
        return isWritten
      }),
    delete: (key, expectedVersion) => line.send(`${label} delete`, () => inner.delete(key, expectedVersion)),
    list: (prefix, cursor, limit) => line.ask(`${label} list`, () => inner.list(prefix, cursor, limit)),
  }
}

/** What a write does, for the log. */
function inWords({ put = [], append = [] }: Write): string {
  const records = put.map(({ key, value }) => `${key} ${encodeValue(value)}`)
  return [...append.map(({ text }) => text), ...records].join(' | ')
}

/** Whether two decisions say the same: a reducer is pure, so it must decide alike on the same cut. */
export function sameDecision(a: Decision<unknown>, b: Decision<unknown>): boolean {
  const text = ({ write }: Decision<unknown>) => encodeValue((write ?? null) as unknown as Value)
  return text(a) === text(b)
}
