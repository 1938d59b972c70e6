import assert from 'node:assert/strict'
import type { Entry, KeyCap, KeySpending, LedgerStore, Reservation, Value } from '@farebox/core'
import { setAsideBy } from './members.ts'

/** What the journal says of a key under a cap of one kind. */
export interface FoldedKey {
  /** The highest cap that any of its requests came with. */
  capMax: bigint
  /** By period, or `lifetime`. */
  readonly used: Map<string, bigint>
}

/** `keys` by the name of their record. */
export function foldKey(keys: Map<string, FoldedKey>, { kind, terms, attempts }: Entry): void {
  const { keyId, keyCap, periodKey, amount } = terms ?? {}
  if (typeof keyId !== 'string' || keyCap === undefined) return
  const cap = keyCap as KeyCap
  const key = keyIn(keys, keyId, cap)
  const line = lineOf(cap, String(periodKey))
  const charged = (attempts ?? []).reduce((sum, attempt) => sum + attempt.charged, 0n)
  const refunded = kind === 'refunded' ? (amount as bigint) : 0n
  key.used.set(line, (key.used.get(line) ?? 0n) + charged - refunded)
}

/** What is counted of keys is what the journal charged them and what their open holds set aside, and never above their caps. */
export async function checkKeys(
  ledger: LedgerStore,
  accountId: string,
  folded: ReadonlyMap<string, FoldedKey>,
  holds: readonly Reservation[],
): Promise<void> {
  const keys = new Map([...folded].map(([name, { capMax, used }]) => [name, { capMax, used }]))
  for (const { subject } of holds) if (subject.keyCap) keyIn(keys, String(subject.keyId), subject.keyCap)
  if (keys.size === 0) return
  const records: ReadonlyMap<string, Value> = await ledger.transact(accountId, [...keys.keys()], (cut) => ({
    result: cut.records,
  }))
  for (const [name, { capMax, used }] of keys) {
    const record = records.get(name) as unknown as KeySpending | undefined
    assert.ok(record !== undefined || !name.startsWith('key:lifetime:'), `${name} was forgotten`)
    for (const line of record?.lines ?? []) {
      const what = `${name} in ${line.periodKey}`
      assert.equal(line.used, used.get(line.periodKey) ?? 0n, `what was used by ${what} is not the journal's`)
      const held = setAsideBy(holds, ({ subject: { keyId, keyCap }, periodKey }) => {
        return (
          keyCap !== undefined &&
          name === nameOf(keyId, keyCap) &&
          line.periodKey === lineOf(keyCap, periodKey)
        )
      })
      assert.equal(line.held, held, `what is held by ${what} is not its holds'`)
      assert.ok(line.used + line.held <= capMax, `${what} is above its cap`)
    }
  }
}

function keyIn(keys: Map<string, FoldedKey>, keyId: string, cap: KeyCap): FoldedKey {
  const name = nameOf(keyId, cap)
  const key = keys.get(name) ?? { capMax: 0n, used: new Map<string, bigint>() }
  if (cap.amount > key.capMax) key.capMax = cap.amount
  keys.set(name, key)
  return key
}

function nameOf(keyId: string | undefined, { per }: KeyCap): string {
  return `key:${per}:${keyId}`
}

function lineOf({ per }: KeyCap, periodKey: string): string {
  return per === 'lifetime' ? per : periodKey
}
