import type { Clock } from '../clock.ts'
import { type JournalEntry, readEntry } from './entry.ts'
import { isJournalBase, journalBaseKey } from './journal-base.ts'
import { reach, reachAgain } from './reach.ts'
import { asking, RecordsNeeded } from './records-needed.ts'
import type { Key, LedgerStore, Reduce, StoredEntry, TransactOptions } from './storage.ts'

/** A store as the operations reach it: asked again where an outcome is unknown, and out of reach only after that. */
export interface Access {
  run<R>(accountId: string, keys: readonly Key[], reduce: Reduce<R>, options?: TransactOptions): Promise<R>
  journal(accountId: string, afterSeq: bigint, limit: number): Promise<readonly StoredEntry[]>
  /** One entry of the journal, or `undefined` when there is none of this number. */
  entry(accountId: string, seq: bigint): Promise<JournalEntry | undefined>
  /** Whether an entry that is not there was taken out of the journal by trimming it. */
  isTrimmed(accountId: string, seq: bigint): Promise<boolean>
  /** Forgets entries. @throws RangeError when the store can not. */
  forget(accountId: string, throughSeq: bigint): Promise<void>
}

export function accessTo(store: LedgerStore, clock: Clock): Access {
  const journal: Access['journal'] = (accountId, afterSeq, limit) =>
    reach(clock, () => store.journal(accountId, afterSeq, limit))

  function run<R>(
    accountId: string,
    keys: readonly Key[],
    reduce: Reduce<R>,
    options?: TransactOptions,
  ): Promise<R> {
    // Callbacks instead of `await`: every request comes here twice, and each promise in between costs it.
    const look = (needed: readonly Key[]): Promise<R> => {
      const asked = needed.length === 0 ? keys : [...keys, ...needed]
      const reduceOrAsk = asking(reduce, needed)
      const lookOn = (step: R | RecordsNeeded): R | Promise<R> =>
        step instanceof RecordsNeeded ? look([...needed, ...step.keys]) : step
      return store
        .transact(accountId, asked, reduceOrAsk, options)
        .then(lookOn, (cause: unknown) =>
          reachAgain(clock, () => store.transact(accountId, asked, fenced(reduceOrAsk), options), cause).then(
            lookOn,
          ),
        )
    }
    return look([])
  }

  return {
    run,
    journal,
    async entry(accountId, seq) {
      if (seq < 1n) return undefined
      const [stored] = await journal(accountId, seq - 1n, 1)
      return stored?.seq === seq ? readEntry(stored) : undefined
    },
    async isTrimmed(accountId, seq) {
      const through = await run(accountId, [journalBaseKey], ({ records }) => {
        const base = records.get(journalBaseKey)
        return { result: isJournalBase(base) ? base.seq : 0n }
      })
      return seq <= through
    },
    async forget(accountId, throughSeq) {
      if (store.trim === undefined) throw new RangeError('The ledger store keeps every journal as a whole.')
      await reach(clock, async () => store.trim?.(accountId, throughSeq))
    },
  }
}

/**
 * Makes a write of every decision, so that the account moves on. Then nothing that an earlier try has sent can be applied
 * any more: a write that arrives late must not do what its caller has meanwhile been told is refused.
 *
 * An account that was never written has nothing to write again. What lands there late is a hold that runs out.
 */
function fenced<R>(reduce: Reduce<R>): Reduce<R> {
  return (cut) => {
    const { result, write } = reduce(cut)
    if (write !== undefined || cut.head === null) return { result, write }
    return { result, write: { head: cut.head } }
  }
}
