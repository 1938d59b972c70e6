import type { KeyBalance } from '../ledger/key-balance.ts'
import type { CappedKey } from '../ledger/key-cap.ts'
import type { KeyDocument } from './key-documents.ts'

/** What was used with a key of its cap, what requests under way hold of it, and what is left. */
export type KeySpent = Pick<KeyBalance, 'used' | 'held' | 'left'>

/** Reads what was spent of an account with keys that have caps, in their order. */
export type ReadKeyBalances = (
  accountId: string,
  keys: readonly CappedKey[],
) => Promise<readonly KeyBalance[]>

/** Keys whose spending is read at once. */
const pageMax = 100

/** What was spent of an account with those of its keys that have a cap, by key. */
export async function keysSpent(
  balances: ReadKeyBalances,
  accountId: string,
  documents: readonly KeyDocument[],
): Promise<ReadonlyMap<string, KeySpent>> {
  const capped = documents.flatMap(({ keyId, cap }) => (cap === undefined ? [] : [{ keyId, cap }]))
  const spent = new Map<string, KeySpent>()
  for (let from = 0; from < capped.length; from += pageMax) {
    const page = await balances(accountId, capped.slice(from, from + pageMax))
    for (const { keyId, used, held, left } of page) spent.set(keyId, { used, held, left })
  }
  return spent
}
