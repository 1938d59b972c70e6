import type { Clock } from '../clock.ts'
import { type JournalEntry, readEntry } from './entry.ts'
import { reach } from './reach.ts'
import { asking, RecordsNeeded } from './records-needed.ts'
import type { Key, LedgerStore, Reduce, StoredEntry, TransactOptions } from './storage.ts'

/** A store as the operations reach it: asked again where an outcome is unknown, and out of reach only after that. */
export interface Access {
  run<R>(accountId: string, keys: readonly Key[], reduce: Reduce<R>, options?: TransactOptions): Promise<R>
  journal(accountId: string, afterSeq: bigint, limit: number): Promise<readonly StoredEntry[]>
  /** One entry of the journal, or `undefined` when there is none of this number. */
  entry(accountId: string, seq: bigint): Promise<JournalEntry | undefined>
}

export function accessTo(store: LedgerStore, clock: Clock): Access {
  const journal: Access['journal'] = (accountId, afterSeq, limit) =>
    reach(clock, () => store.journal(accountId, afterSeq, limit))
  return {
    async run(accountId, keys, reduce, options) {
      for (let needed: readonly Key[] = []; ; ) {
        const asked = needed.length === 0 ? keys : [...keys, ...needed]
        const step = await reach(clock, () =>
          store.transact(accountId, asked, asking(reduce, needed), options),
        )
        if (!(step instanceof RecordsNeeded)) return step
        needed = [...needed, ...step.keys]
      }
    },
    journal,
    async entry(accountId, seq) {
      if (seq < 1n) return undefined
      const [stored] = await journal(accountId, seq - 1n, 1)
      return stored?.seq === seq ? readEntry(stored) : undefined
    },
  }
}
