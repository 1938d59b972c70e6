import assert from 'node:assert/strict'
import { isOutcomeUnknown, isUnavailable, type LedgerStore } from '@farebox/core'

/**
 * Books ids on the account `alice`, each from any of the stores, and again and again until it is told that it is booked. `told`
 * grows with what it was told. What goes wrong meanwhile is for the caller to do.
 */
export async function book(
  stores: readonly LedgerStore[],
  ids: readonly string[],
  told: Set<string>,
): Promise<void> {
  let next = 0
  const work = async (store: LedgerStore): Promise<void> => {
    for (let id = ids[next++]; id !== undefined; id = ids[next++]) {
      await bookOnce(store, id)
      told.add(id)
    }
  }
  await Promise.all(stores.flatMap((store) => Array.from({ length: 8 }, () => work(store))))
}

/** Checks that everything that was told is there, once, and nothing else. */
export async function checkBooked(store: LedgerStore, told: ReadonlySet<string>): Promise<void> {
  const booked = await store.transact('alice', [...told], ({ head, records }) => ({
    result: { head, found: records.size },
  }))
  const journal = await store.journal('alice', 0n, 10_000)
  assert.deepEqual(booked, { head: told.size, found: told.size })
  assert.deepEqual(new Set(journal.map(({ text }) => text)), told)
  assert.equal(journal.length, told.size)
}

/** Lets sockets have their turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2))
}

async function bookOnce(store: LedgerStore, id: string): Promise<void> {
  for (;;) {
    try {
      await store.transact('alice', [id], ({ head, records }) => {
        if (records.has(id)) return { result: 'booked' }
        const count = Number(head ?? 0) + 1
        return {
          result: 'booked',
          write: {
            head: count,
            put: [{ key: id, value: count, mode: 'create' as const }],
            append: [{ seq: BigInt(count), text: id, hash: id }],
          },
        }
      })
      return
    } catch (error) {
      if (!isUnavailable(error) && !isOutcomeUnknown(error)) throw error
      await turn()
    }
  }
}
