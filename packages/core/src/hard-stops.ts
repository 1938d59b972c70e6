import type { OnEvent } from './events.ts'
import type { Insufficient } from './ledger/reserve.ts'
import { type Nano, nano } from './money.ts'

/** Takes note of a refusal for lack of credit. `least` is what the request would have needed at its cheapest. */
export type NoteRefusal = (accountId: string, refusal: Insufficient, least: Nano) => void

/** Accounts whose stop was told; beyond that the one told longest ago may be told again. */
const toldMax = 10_000

/**
 * Tells of the first refusal of an account in a period. Remembered in this process: a refusal writes nothing, so that
 * stopped accounts cost the store no writes, and other processes tell it too.
 */
export function createHardStops(onEvent: OnEvent): NoteRefusal {
  /** The period in which an account's stop was told last. */
  const told = new Map<string, string>()
  return (accountId, { limit, periodKey, spendable, held, planId, resetsAtMs }, least) => {
    // Who reached their own cap, or that of a key, has stopped nobody else.
    if (limit === 'member-cap' || limit === 'key-cap') return
    const missing = nano(least - spendable)
    // What is missing is held for requests under way: they will give some of it back.
    if (missing <= held || told.get(accountId) === periodKey) return
    told.delete(accountId)
    told.set(accountId, periodKey)
    if (told.size > toldMax) told.delete(told.keys().next().value ?? '')
    onEvent({ kind: 'alert.hard-stop', accountId, periodKey, missing, spendable, planId, resetsAtMs })
  }
}
