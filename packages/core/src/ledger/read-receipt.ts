import { assert } from '../assert.ts'
import type { Access } from './access.ts'
import type { Account } from './account.ts'
import type { JournalEntry } from './entry.ts'
import { isAwaited } from './late.ts'
import { type Receipt, receiptOf, sum, withLateCosts } from './receipt.ts'
import { type Reservation, reservationKey } from './reservation.ts'

/** The receipt as it was when the request was settled. */
export async function readFirstReceipt(access: Access, accountId: string, seq: bigint): Promise<Receipt> {
  return receiptOf(accountId, await entryOf(access, accountId, seq), seq)
}

/** The receipt as it is now, with costs that came later and refunds; `undefined` before the request was settled. */
export async function readReceipt(
  access: Access,
  accountId: string,
  requestId: string,
): Promise<Receipt | undefined> {
  const key = reservationKey(requestId)
  const { hold, now } = await access.run(accountId, [key], (cut) => ({
    result: {
      hold: cut.records.get(key) as Reservation | undefined,
      now: Math.max(cut.now, (cut.head as Account | null)?.asOfMs ?? 0),
    },
  }))
  if (hold === undefined) return undefined
  const first =
    hold.settledBy === undefined ? hold.receipt : await readFirstReceipt(access, accountId, hold.settledBy)
  if (first === undefined) return undefined
  const receipt =
    hold.late === undefined && hold.reconciled === undefined ? first : await current(access, first, hold, now)
  if (hold.refunds === undefined) return receipt
  return { ...receipt, refunded: sum(hold.refunds.map(({ amount }) => amount)) }
}

async function current(access: Access, first: Receipt, hold: Reservation, nowMs: number): Promise<Receipt> {
  const entries: JournalEntry[] = []
  for (const { seq } of hold.reconciled ?? []) entries.push(await entryOf(access, first.accountId, seq))
  const isOpen = hold.state !== 'released' && isAwaited(hold, nowMs)
  const awaited = new Set(isOpen ? hold.late?.attempts.map(({ attemptId }) => attemptId) : [])
  return withLateCosts(first, entries, (attemptId) => awaited.has(attemptId))
}

async function entryOf(access: Access, accountId: string, seq: bigint): Promise<JournalEntry> {
  const entry = await access.entry(accountId, seq)
  assert(entry !== undefined, () => `the journal of an account has lost entry ${seq}`)
  return entry
}
