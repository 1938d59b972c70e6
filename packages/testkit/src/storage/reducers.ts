import type {
  Cut,
  Decision,
  Key,
  LedgerStore,
  Put,
  Reduce,
  StoredEntry,
  TransactOptions,
  Value,
} from '@farebox/core'

/** Adds one to the number in the head and answers the new number. */
export function increment(cut: Cut): Decision<number> {
  const count = Number(cut.head ?? 0) + 1
  return { result: count, write: { head: count } }
}

/** Writes `head` with these parts and answers the version it was decided on. */
export function write(
  head: Value,
  parts: { readonly put?: readonly Put[]; readonly append?: readonly StoredEntry[] } = {},
): Reduce<bigint> {
  return (cut) => ({ result: cut.version, write: { head, ...parts } })
}

/** Answers the cut and writes nothing. */
export function look(cut: Cut): Decision<Cut> {
  return { result: cut }
}

export function readCut(
  ledger: LedgerStore,
  accountId: string,
  keys: readonly Key[] = [],
  options: TransactOptions = {},
): Promise<Cut> {
  return ledger.transact(accountId, keys, look, options)
}

/** An entry whose text and hash tell its number. */
export function entry(seq: number): StoredEntry {
  return { seq: BigInt(seq), text: `{"entry":${seq}}`, hash: seq.toString(16).padStart(64, '0') }
}

export function entries(from: number, to: number): readonly StoredEntry[] {
  return Array.from({ length: to - from + 1 }, (_, index) => entry(from + index))
}

/** The same store, with something around every reducer that is handed to it. */
export function aroundReducers(
  store: LedgerStore,
  around: <R>(reduce: Reduce<R>, accountId: string) => Reduce<R>,
): LedgerStore {
  return {
    ...store,
    transact: (accountId, keys, reduce, options) =>
      store.transact(accountId, keys, around(reduce, accountId), options),
  }
}
