import assert from 'node:assert/strict'
import { type KeyBalance, type KeyCap, type Ledger, nano, type ReserveRequest } from '@farebox/core'
import { holdOf, reserved, settleAt } from './requests.ts'

/** A cap for each period. */
export function each(amount: bigint): KeyCap {
  return { amount: nano(amount), per: 'period' }
}

/** A cap for good. */
export function inAll(amount: bigint): KeyCap {
  return { amount: nano(amount), per: 'lifetime' }
}

/** A hold for a request with a key. */
export function holdWith(
  keyCap: KeyCap,
  reservationId: string,
  amount: bigint,
  {
    keyId = 'k1',
    memberId,
    ...options
  }: Partial<ReserveRequest> & Partial<{ keyId: string; memberId: string }> = {},
): ReserveRequest {
  const { subject } = holdOf(reservationId, amount, options)
  const member = memberId === undefined ? {} : { memberId }
  return { ...holdOf(reservationId, amount, options), subject: { ...subject, ...member, keyId, keyCap } }
}

export async function spendWith(
  ledger: Ledger,
  keyCap: KeyCap,
  requestId: string,
  amount: bigint,
): Promise<void> {
  reserved(await ledger.reserve(holdWith(keyCap, requestId, amount)))
  await settleAt(ledger, requestId, amount)
}

async function balanceOf(ledger: Ledger, cap: KeyCap, keyId = 'k1'): Promise<KeyBalance> {
  const [balance] = await ledger.keyBalances('alice', [{ keyId, cap }])
  assert.ok(balance !== undefined)
  return balance
}

/** `[used, held, left]` of a key. */
export async function counted(ledger: Ledger, cap: KeyCap, keyId?: string): Promise<bigint[]> {
  const { used, held, left } = await balanceOf(ledger, cap, keyId)
  return [used, held, left]
}
