import assert from 'node:assert/strict'
import type { Account, StoredEntry } from '@farebox/core'
import { readEntry } from './read-entry.ts'

/**
 * Checks what an account's invoices ask for against its journal alone: every nano of pay-as-you-go is on exactly one
 * invoice, in the carry, or in a period that is still open.
 *
 * @throws AssertionError that names the period that does not add up.
 */
export function checkClosings(account: Account, stored: readonly StoredEntry[]): void {
  /** Pay-as-you-go that no invoice has, by the period it belongs to; and what of it was corrected by hand. */
  const open = new Map<string, bigint>()
  const corrections = new Map<string, bigint>()
  let billedCents = 0n
  let used = 0n
  let carry = 0n
  let closedThrough: string | null = null
  for (const each of stored) {
    const entry = readEntry(each)
    for (const { source, from, to, amount } of entry.postings) {
      if (!source.startsWith('overage:')) continue
      const change = (to === 'used' ? amount : 0n) - (from === 'used' ? amount : 0n)
      const periodKey = source.slice('overage:'.length)
      open.set(periodKey, (open.get(periodKey) ?? 0n) + change)
      used += change
      if (entry.kind === 'adjusted') corrections.set(periodKey, (corrections.get(periodKey) ?? 0n) + change)
    }
    if (entry.kind !== 'closed') continue
    const terms = entry.terms as unknown as ClosedTerms
    const { periodKey, overage, adjustments, carryIn, carryOut, dueCents } = terms
    assert.ok(closedThrough === null || closedThrough < periodKey, `${periodKey} was closed out of order`)
    let own = 0n
    let earlier = 0n
    for (const [key, amount] of open) {
      if (key > periodKey) continue
      if (key === periodKey) own += amount
      else earlier += amount
      open.delete(key)
    }
    const byHand = corrections.get(periodKey) ?? 0n
    assert.equal(overage, own - byHand, `the invoice of ${periodKey} has other pay-as-you-go`)
    assert.equal(adjustments, earlier + byHand, `the invoice of ${periodKey} has other adjustments`)
    assert.equal(carryIn, carry, `the invoice of ${periodKey} does not go on where the last one ended`)
    assert.equal(
      carryIn + overage + adjustments,
      dueCents * 10_000_000n + carryOut,
      `${periodKey} loses money`,
    )
    assert.ok(dueCents >= 0n && carryOut < 10_000_000n, `${periodKey} asks for ${dueCents} cents`)
    billedCents += dueCents
    carry = carryOut
    closedThrough = periodKey
  }
  const waiting = [...open.values()].reduce((sum, amount) => sum + amount, 0n)
  assert.equal(billedCents * 10_000_000n + carry + waiting, used, 'invoices and pay-as-you-go differ')
  assert.equal(account.carry ?? 0n, carry, 'the head carries something else than the last invoice')
  assert.equal(account.closedThrough ?? null, closedThrough, 'the head is closed through another period')
}

interface ClosedTerms {
  readonly periodKey: string
  readonly overage: bigint
  readonly adjustments: bigint
  readonly carryIn: bigint
  readonly carryOut: bigint
  readonly dueCents: bigint
}
