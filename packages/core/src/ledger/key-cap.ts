import type { Nano } from '../money.ts'
import { checkText } from './check-text.ts'
import { type Draft, keep } from './draft.ts'
import {
  countedIn,
  keepLinesMs,
  type LineChange,
  leftOf,
  lifetime,
  lineOf,
  recordOf,
  type SpentLine,
} from './spent-lines.ts'
import type { Key } from './storage.ts'

/** The most that may be spent with an API key: in each period of the account that pays, or as long as there is the key. */
export type KeyCap = { readonly amount: Nano; readonly per: 'period' | 'lifetime' }

/**
 * What was spent of an account with an API key that has a cap. The cap itself is kept where the key is, and comes with each
 * request: those of keys without one read and write nothing more.
 */
export type KeySpending = {
  readonly keyId: string
  /** Of the last two periods in which something was asked for with the key, or the one line that never ends. */
  readonly lines: readonly SpentLine[]
}

/** A key, and the cap that it has now. */
export interface CappedKey {
  readonly keyId: string
  readonly cap: KeyCap
}

const keyIdMax = 128

/** @throws RangeError, not GatewayError: key ids come from the host, so the caller cannot help it. */
export function checkKeyId(keyId: string): void {
  if (keyId.length === 0 || keyId.length > keyIdMax) {
    throw new RangeError(`A key id has 1 to ${keyIdMax} characters, not ${keyId.length}.`)
  }
}

/** @throws RangeError when a cap, or the id of the key that has it, cannot be meant. */
export function checkCappedKey({ keyId, cap }: CappedKey): void {
  checkKeyId(keyId)
  checkText(keyId, 'key id')
  checkKeyCap(cap)
}

/** @throws RangeError when a cap cannot be meant. */
export function checkKeyCap({ amount, per }: KeyCap): void {
  if (typeof amount !== 'bigint' || amount < 0n) {
    throw new RangeError(`The cap of a key is an amount of nano-USD from 0 on, such as usd('5.00').`)
  }
  if (per !== 'period' && per !== 'lifetime') {
    throw new RangeError(`The cap of a key is per 'period' or per 'lifetime', not ${JSON.stringify(per)}.`)
  }
}

/** The record of a key. What counts for a period and what counts for good are told apart, whatever cap the key gets later. */
export function spendingKey({ keyId, cap: { per } }: CappedKey): Key {
  return `key:${per}:${keyId}`
}

/** @throws RecordsNeeded when the key's record was not asked for. */
function keySpendingOf(draft: Draft, key: CappedKey): KeySpending {
  return (recordOf(draft, spendingKey(key)) as KeySpending | null) ?? { keyId: key.keyId, lines: [] }
}

/** What was spent with a key that counts for a request of a period. */
export function keyLine(draft: Draft, key: CappedKey, periodKey: string): SpentLine {
  return lineOf(keySpendingOf(draft, key).lines, lineKey(key, periodKey))
}

/** What may still be spent with a key; `null` for a period that was forgotten. */
export function keyLeft(draft: Draft, key: CappedKey, periodKey: string): Nano | null {
  const { lines } = keySpendingOf(draft, key)
  return leftOf(draft, lines, key.cap.amount, lineKey(key, periodKey))
}

/** Counts what a request with a key holds, uses, or gives back. What counts for good is kept for good. */
export function countKey(draft: Draft, key: CappedKey, periodKey: string, spending: LineChange): void {
  const { keyId, lines: before } = keySpendingOf(draft, key)
  const lines = countedIn(draft, before, lineKey(key, periodKey), spending)
  if (lines === undefined) return
  keep(draft, {
    key: spendingKey(key),
    value: { keyId, lines },
    mode: 'replace',
    keepUntil: key.cap.per === 'lifetime' ? undefined : draft.now + keepLinesMs,
  })
}

function lineKey({ cap }: CappedKey, periodKey: string): string {
  return cap.per === 'lifetime' ? lifetime : periodKey
}
