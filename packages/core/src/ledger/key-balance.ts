import type { Nano } from '../money.ts'
import { type CappedKey, checkCappedKey, type KeyCap, keyLeft, keyLine, spendingKey } from './key-cap.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import { needRecords } from './records-needed.ts'
import { spenderSpendable } from './spender.ts'
import type { Key, Reduce } from './storage.ts'

export interface KeyRequest extends CappedKey {
  /** The account that pays: what is spent of another one with the same key is counted there. */
  readonly accountId: string
}

/** What was spent of an account with a key that has a cap, and may still be spent. */
export interface KeyBalance {
  readonly accountId: string
  readonly keyId: string
  readonly cap: KeyCap
  /** In the period that the account is in, or since there is the key. */
  readonly used: Nano
  readonly held: Nano
  /** What is left of the cap. */
  readonly left: Nano
  /** What a new request with the key may cost at most, whoever of the account asks. */
  readonly spendable: Nano
  /** When the period ends, and what was used counts no more; `null` under a cap per lifetime. */
  readonly resetsAtMs: number | null
}

/** The records that tell what was spent with keys. */
export function keyBalanceKeys(keys: readonly CappedKey[]): Key[] {
  return keys.map(spendingKey)
}

/**
 * Reads what was spent with keys as it is now. Writes nothing.
 *
 * @throws RangeError when a cap, or the id of the key that has it, cannot be meant.
 */
export function keyBalances(
  accountId: string,
  keys: readonly CappedKey[],
  plans: PlanTable,
): Reduce<readonly KeyBalance[]> {
  for (const key of keys) checkCappedKey(key)
  return (cut) => {
    const draft = openAccount(cut, accountId, plans)
    const { key: periodKey, endMs } = draft.account.period
    needRecords(draft.records, keyBalanceKeys(keys))
    const result = keys.map((key): KeyBalance => {
      const { keyId, cap } = key
      const { used, held } = keyLine(draft, key, periodKey)
      const spendable = spenderSpendable(draft, { keyId, keyCap: cap, periodKey })
      const left = keyLeft(draft, key, periodKey) ?? cap.amount
      return {
        accountId,
        keyId,
        cap,
        used,
        held,
        left,
        spendable,
        resetsAtMs: cap.per === 'lifetime' ? null : endMs,
      }
    })
    return { result }
  }
}
