import { formatUsd } from '../../money.ts'
import type { JournalEntry } from '../entry.ts'
import type { Fold } from './fold.ts'

/** The last period that was closed, and what all invoices together have billed or carried on. */
export interface Closed {
  readonly periodKey: string
  readonly carryOut: bigint
  readonly invoiced: bigint
}

const nanoPerCent = 10_000_000n

/**
 * Proves the invoice that an entry closes a period with: its cents and its carry are its sums, it goes on where the last one
 * ended, and all invoices so far are exactly the pay-as-you-go of the periods they are about. So nothing that was used is
 * left out, billed twice, or lost to rounding. Tells what is wrong, and gives where the next one goes on.
 */
export function checkClosed(
  { sources, closed }: Pick<Fold, 'sources' | 'closed'>,
  { terms = {} }: JournalEntry,
  tell: (message: string) => void,
): Closed | undefined {
  const { periodKey, overage, adjustments, carryIn, carryOut, dueCents } = terms
  const isInvoice =
    typeof periodKey === 'string' &&
    typeof overage === 'bigint' &&
    typeof adjustments === 'bigint' &&
    typeof carryIn === 'bigint' &&
    typeof carryOut === 'bigint' &&
    typeof dueCents === 'bigint'
  if (!isInvoice) {
    tell('A period was closed without an invoice that can be read.')
    return closed
  }
  const invoice = `The invoice of ${periodKey}`
  if (closed !== undefined && periodKey <= closed.periodKey)
    tell(`${invoice} comes after that of ${closed.periodKey}.`)
  const before = closed?.carryOut ?? 0n
  if (carryIn !== before)
    tell(`${invoice} goes on from $${formatUsd(carryIn)}, and the last one left $${formatUsd(before)}.`)
  const billed = dueCents * nanoPerCent + carryOut
  if (carryIn + overage + adjustments !== billed || dueCents < 0n || carryOut >= nanoPerCent)
    tell(`${invoice} bills and carries on $${formatUsd(billed)}, which is not the sum of its lines.`)
  const invoiced = (closed?.invoiced ?? 0n) + overage + adjustments
  let used = 0n
  for (const [source, { buckets }] of sources) {
    if (source.startsWith('overage:') && source <= `overage:${periodKey}`) used += buckets.used
  }
  if (invoiced !== used) {
    tell(
      `Invoices up to ${periodKey} are of $${formatUsd(invoiced)}; $${formatUsd(used)} of pay-as-you-go was used.`,
    )
  }
  return { periodKey, carryOut, invoiced }
}
