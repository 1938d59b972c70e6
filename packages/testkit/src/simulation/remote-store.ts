import {
  type Cut,
  type Decision,
  encodeValue,
  type LedgerStore,
  OutcomeUnknown,
  type Reduce,
  type TransactOptions,
  Unavailable,
  type Value,
  type Write,
} from '@farebox/core'
import type { Life } from './scheduler.ts'
import { travelMs, type World } from './world.ts'

export interface RemoteStoreOptions {
  readonly world: World
  /** The process that asks. */
  readonly life: Life
  /** The store at the other end, whose answers take no time. */
  readonly inner: LedgerStore
  /** Looks at every decision before it is sent. */
  readonly onDecision?: ((reduce: Reduce<unknown>, cut: Cut, decision: Decision<unknown>) => void) | undefined
}

/** How long a call is waited for. */
const patienceMs = 5_000

/**
 * A store at the other end of a network, as one process sees it: reads, runs the reducer, and writes on condition that
 * nobody has written meanwhile. Every message can be lost, late or doubled, and is under way on its own: what a process
 * has sent before it died may still arrive.
 */
export function remoteStore({ world, life, inner, onDecision }: RemoteStoreOptions): LedgerStore {
  const { scheduler, faults, random, nature, log } = world
  let isClosed = false

  /** There and back, with what the store does at the far end. */
  async function ask<R>(label: string, atStore: () => Promise<R>): Promise<R> {
    if (isClosed) throw new Unavailable('The connection to the store is closed.')
    if (faults.happens('store unavailable')) {
      await scheduler.pause(travelMs(world, 'store slow'), life, `${label} refused`)
      throw new Unavailable('The store cannot be reached.')
    }
    await scheduler.pause(travelMs(world, 'store slow'), life, `${label} asked`)
    const answer = await atStore()
    await scheduler.pause(travelMs(world, 'store slow'), life, `${label} answered`)
    return answer
  }

  /** Sends a write. It is applied when it arrives, if the account is still at `version`. */
  function write(label: string, accountId: string, version: bigint, change: Write): Promise<boolean> {
    if (isClosed) return Promise.reject(new Unavailable('The connection to the store is closed.'))
    return new Promise((resolve, reject) => {
      const giveUp = (delayMs: number) =>
        scheduler.after(delayMs, life, `${label} given up`, () =>
          reject(new OutcomeUnknown('The store did not answer.')),
        )
      const arrive = (delayMs: number, reply: (isApplied: boolean) => void) =>
        scheduler.after(delayMs, nature, `${label} arrives`, async () => {
          if (life.isOver && faults.happens('last write lost')) return
          try {
            const isApplied = await inner.transact(accountId, [], (cut) =>
              cut.version === version ? { result: true, write: change } : { result: false },
            )
            log(
              () =>
                `  ${label} ${isApplied ? `made version ${version + 1n}: ${inWords(change)}` : 'came too late'}`,
            )
            reply(isApplied)
          } catch (error) {
            scheduler.after(0, life, `${label} failed`, () => reject(error))
          }
        })
      const answer = (isApplied: boolean) => {
        scheduler.after(travelMs(world, 'store slow'), life, `${label} confirmed`, () => resolve(isApplied))
      }
      const silence = () => undefined
      const delayMs = travelMs(world, 'store slow')
      if (faults.happens('store request lost')) giveUp(patienceMs)
      else if (faults.happens('store write late')) {
        giveUp(patienceMs)
        arrive(patienceMs + random.pick([1, 100, 1_000, 60_000]), silence)
      } else if (faults.happens('store reply lost')) {
        arrive(delayMs, silence)
        giveUp(patienceMs)
      } else {
        arrive(delayMs, answer)
        if (delayMs > patienceMs) giveUp(patienceMs)
        if (faults.happens('store write twice')) arrive(delayMs + random.between(0, 2_000), silence)
      }
    })
  }

  return {
    traits: inner.traits,

    async transact(accountId, keys, reduce, options: TransactOptions = {}) {
      const label = `${keys[0]?.replace('hold:', '') ?? accountId} ${life.name} store`
      for (;;) {
        const cut = await ask<Cut>(`${label} read`, () =>
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
      ask(`${accountId} ${life.name} store journal`, () => inner.journal(accountId, afterSeq, limit)),

    scan: (what, cursor, limit) => ask(`${life.name} store scan`, () => inner.scan(what, cursor, limit)),

    async close() {
      isClosed = true
    },
  }
}

/** Whether two decisions say the same: a reducer is pure, so it must decide alike on the same cut. */
export function sameDecision(a: Decision<unknown>, b: Decision<unknown>): boolean {
  const text = ({ write }: Decision<unknown>) => encodeValue((write ?? null) as unknown as Value)
  return text(a) === text(b)
}

/** What a write does, for the log. */
function inWords({ put = [], append = [] }: Write): string {
  const records = put.map(({ key, value }) => `${key} ${encodeValue(value)}`)
  return [...append.map(({ text }) => text), ...records].join(' | ')
}
