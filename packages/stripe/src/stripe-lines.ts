import { nanoPerCent } from './cents.ts'

/** A line as an invoice of the gateway has it. */
export interface DueLine {
  readonly kind: 'subscription' | 'usage' | 'credit' | 'overage' | 'late' | 'refund' | 'adjustment'
  readonly description: string
  /** Nano-USD. Negative for what lowers the bill. */
  readonly amount: bigint
}

/** A line as Stripe wants it: whole cents. */
export interface CentLine {
  readonly description: string
  readonly cents: bigint
}

/** Stripe allows 250 lines. */
const linesMax = 100

const descriptionMax = 250

/**
 * Turns lines in nano-USD into lines in cents that add up to exactly `dueCents`.
 *
 * Each line is what the whole cents of the running total grow by, starting with what was carried over. So no line is off by
 * a cent or more, and the sum is the rounding of the sum. Lines that come to no cent are left out. Lines the plan is
 * collected by and lines that repeat others do not count. When what is left does not lead to `dueCents`, the bill is one
 * line: an invoice is never of another amount.
 */
export function stripeLines(invoice: {
  readonly lines: readonly DueLine[]
  readonly carryIn: bigint
  readonly dueCents: bigint
  readonly periodKey: string
}): readonly CentLine[] {
  const { dueCents, carryIn, periodKey } = invoice
  const counted = fold(invoice.lines.filter(({ kind }) => kind !== 'subscription' && kind !== 'overage'))
  const lines: CentLine[] = []
  let total = 0n
  for (const { description, amount } of [{ description: 'Carried over', amount: carryIn }, ...counted]) {
    const cents = wholeCents(total + amount) - wholeCents(total)
    total += amount
    if (cents !== 0n) lines.push({ description: description.slice(0, descriptionMax), cents })
  }
  return wholeCents(total) === dueCents ? lines : oneLine(periodKey, dueCents)
}

export function oneLine(periodKey: string, dueCents: bigint): readonly CentLine[] {
  return [{ description: `Pay-as-you-go of ${periodKey}`, cents: dueCents }]
}

/** Cents below the amount, also for a negative one: what is owed to the customer is not rounded away. */
function wholeCents(amount: bigint): bigint {
  const cents = amount / nanoPerCent
  return amount < 0n && amount % nanoPerCent !== 0n ? cents - 1n : cents
}

/** The largest usage lines, and one for all others. */
function fold(lines: readonly DueLine[]): readonly DueLine[] {
  if (lines.length <= linesMax) return lines
  const others = lines.filter(({ kind }) => kind !== 'usage')
  const usage = lines
    .filter(({ kind }) => kind === 'usage')
    .toSorted((a, b) => (a.amount > b.amount ? -1 : a.amount < b.amount ? 1 : 0))
  const kept = Math.max(0, linesMax - others.length - 1)
  const rest = usage.slice(kept)
  if (rest.length === 0) return lines
  const amount = rest.reduce((sum, line) => sum + line.amount, 0n)
  return [
    ...usage.slice(0, kept),
    { kind: 'usage', description: `${rest.length} further models`, amount },
    ...others,
  ]
}
