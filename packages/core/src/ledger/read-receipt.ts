import { assert } from '../assert.ts'
import type { Access } from './access.ts'
import type { Account } from './account.ts'
import { isStorable } from './check-text.ts'
import type { JournalEntry } from './entry.ts'
import { isAwaited } from './late.ts'
import { type Receipt, receiptOf, sum, withLateCosts } from './receipt.ts'
import { type Reservation, reservationKey } from './reservation.ts'

/** The receipt as it was when the request was settled; `undefined` when its entry was trimmed, long after. */
export async function readFirstReceipt(
  access: Access,
  accountId: string,
  seq: bigint,
): Promise<Receipt | undefined> {
  const entry = await entryOf(access, accountId, seq)
  return entry && receiptOf(accountId, entry, seq)
}

/**
 * The receipt as it is now, with costs that came later and refunds; `undefined` before the request was settled, and long
 * after, when its entries were trimmed.
 */
export async function readReceipt(
  access: Access,
  accountId: string,
  requestId: string,
): Promise<Receipt | undefined> {
  const reading = await readHold(access, accountId, requestId)
  return reading && receiptNow(access, accountId, reading)
}

/** Whether a request was charged, or may still be; `undefined` before it was settled. */
export async function readIsCharged(
  access: Access,
  accountId: string,
  requestId: string,
): Promise<boolean | undefined> {
  const reading = await readHold(access, accountId, requestId)
  if (reading?.hold.state === 'provisional') return true
  const receipt = reading && (await receiptNow(access, accountId, reading))
  return receipt && receipt.charged > 0n
}

interface HoldReading {
  readonly hold: Reservation
  readonly nowMs: number
}

async function readHold(
  access: Access,
  accountId: string,
  requestId: string,
): Promise<HoldReading | undefined> {
  const key = reservationKey(requestId)
  // Whoever asks may send anything in place of an id.
  if (!isStorable(key)) return undefined
  return access.run(accountId, [key], ({ head, records, now }) => {
    const hold = records.get(key) as Reservation | undefined
    const nowMs = Math.max(now, (head as Account | null)?.asOfMs ?? 0)
    return { result: hold && { hold, nowMs } }
  })
}

async function receiptNow(
  access: Access,
  accountId: string,
  { hold, nowMs }: HoldReading,
): Promise<Receipt | undefined> {
  const { settledBy, late, reconciled, refunds } = hold
  const first = settledBy === undefined ? hold.receipt : await readFirstReceipt(access, accountId, settledBy)
  if (first === undefined) return undefined
  const receipt =
    late === undefined && reconciled === undefined ? first : await current(access, first, hold, nowMs)
  if (receipt === undefined || refunds === undefined) return receipt
  return { ...receipt, refunded: sum(refunds.map(({ amount }) => amount)) }
}

async function current(
  access: Access,
  first: Receipt,
  hold: Reservation,
  nowMs: number,
): Promise<Receipt | undefined> {
  const entries: JournalEntry[] = []
  for (const { seq } of hold.reconciled ?? []) {
    const entry = await entryOf(access, first.accountId, seq)
    if (entry === undefined) return undefined
    entries.push(entry)
  }
  const awaited = new Set(isOpen(hold, nowMs) ? hold.late?.attempts.map(({ attemptId }) => attemptId) : [])
  return withLateCosts(first, entries, (attemptId) => awaited.has(attemptId))
}

/**
 * Whether the receipt is still to change. What is set aside for the customer's costs is charged or given back when somebody looks
 * after it, which may be later than it was waited for; what only the operator pays is open for as long as it is asked for.
 */
function isOpen(hold: Reservation, nowMs: number): boolean {
  if (hold.state === 'provisional') return true
  const isGivenUp = hold.state === 'released' && hold.settledBy !== undefined
  return !isGivenUp && isAwaited(hold, nowMs)
}

async function entryOf(access: Access, accountId: string, seq: bigint): Promise<JournalEntry | undefined> {
  const entry = await access.entry(accountId, seq)
  if (entry !== undefined) return entry
  assert(await access.isTrimmed(accountId, seq), () => `the journal of an account has lost entry ${seq}`)
  return undefined
}
