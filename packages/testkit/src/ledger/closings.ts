import assert from 'node:assert/strict'
import { type ClosePeriodResult, type Invoice, type Ledger, usd } from '@farebox/core'
import { spend } from './requests.ts'

export const december: number = Date.UTC(2026, 11, 1)
export const november = { accountId: 'alice', periodKey: '2026-11' }

/** A request of $0.10 that is owed, added up. */
export async function spendMetered(ledger: Ledger): Promise<void> {
  await ledger.configure({ accountId: 'alice', planId: 'metered' })
  await spend(ledger, 'r1', usd('0.10'))
  await ledger.statements.fold('alice', 100)
}

/** The invoice of a period that was closed, which adds up. */
export function closed(result: ClosePeriodResult): Invoice {
  assert.equal(result.outcome, 'closed')
  const { invoice } = result as Extract<ClosePeriodResult, { outcome: 'closed' }>
  checkInvoice(invoice)
  return invoice
}

function checkInvoice(invoice: Invoice): void {
  const { lines, overage, adjustments, carryIn, carryOut, dueCents, periodKey } = invoice
  const summed = lines.filter(({ kind }) => kind !== 'subscription' && kind !== 'overage')
  const total = summed.reduce((sum, { amount }) => sum + amount, 0n)
  assert.equal(total, overage + adjustments, `the lines of ${periodKey} do not add up`)
  assert.equal(carryIn + total, dueCents * 10_000_000n + carryOut, `${periodKey} loses something`)
  assert.ok(dueCents >= 0n && carryOut < 10_000_000n, `${periodKey} asks for ${dueCents} cents`)
  assert.ok(carryOut >= 0n || dueCents === 0n, `${periodKey} asks for money and owes some`)
}

/** `[kind, amount]` of each line. */
export function linesOf({ lines }: Invoice): [string, bigint][] {
  return lines.map(({ kind, amount }) => [kind, amount])
}
