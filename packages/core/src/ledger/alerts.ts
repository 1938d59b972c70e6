import { type Nano, zero } from '../money.ts'
import { type AlertMarks, isActive, overageLine } from './account.ts'
import { type Draft, planOf } from './draft.ts'
import type { Posting } from './entry.ts'
import { overageLimit } from './plan.ts'

/** How far an account has used up its credit, or its spending limit, in one period. */
export type Alert = {
  readonly of: 'credit' | 'spending-limit'
  readonly percent: AlertPercent
  readonly periodKey: string
  /** Paid so far. */
  readonly used: Nano
  /** For credit: what was paid from it this period and what is left of it. For a limit: the limit. */
  readonly total: Nano
}

/** Where an alert is raised. */
export type AlertPercent = 50 | 80 | 100

const percents: readonly AlertPercent[] = [50, 80, 100]

/** From here on answers carry a warning. */
const warnedFrom = 80

const nothing: readonly Alert[] = []

/**
 * Raises the alerts that a payment for a hold of `periodKey` has crossed, each once a period, and remembers them in the head:
 * in one step with the payment, so that no two processes raise the same.
 */
export function crossAlerts(draft: Draft, postings: readonly Posting[], periodKey: string): readonly Alert[] {
  const { account } = draft
  // What a request of an earlier period cost says nothing about this one.
  if (postings.length === 0 || periodKey !== account.period.key) return nothing
  const before = account.alerted?.periodKey === periodKey ? account.alerted : noMarks(periodKey)
  const creditPaid = (before.creditPaid + paidByCredit(postings)) as Nano
  // Member by member: spreading and then replacing one takes several times as long, and every settlement passes here.
  const marks = { periodKey, creditPaid, credit: before.credit, limit: before.limit }
  account.alerted = marks
  if (marks.credit === 100 && marks.limit === 100) return nothing
  const credit = creditUsed(draft, marks.creditPaid)
  const limit = limitUsed(draft)
  marks.credit = higher(marks.credit, highest(credit))
  marks.limit = higher(marks.limit, highest(limit))
  if (marks.credit === before.credit && marks.limit === before.limit) return nothing
  const raised = (of: Alert['of'], { used, total }: Used, from: number, to: number): Alert[] =>
    percents
      .filter((percent) => percent > from && percent <= to)
      .map((percent) => ({ of, percent, periodKey, used, total }))
  return [
    ...raised('credit', credit, before.credit, marks.credit),
    ...raised('spending-limit', limit, before.limit, marks.limit),
  ]
}

function noMarks(periodKey: string): AlertMarks {
  return { periodKey, creditPaid: zero, credit: 0, limit: 0 }
}

function paidByCredit(postings: readonly Posting[]): bigint {
  let paid = 0n
  for (const { to, amount } of postings) if (to === 'settled') paid += amount
  return paid
}

/**
 * What a caller is warned of: the limit, else the credit, as far as 80 % of it are used up now. An account that has not
 * crossed that this period costs one comparison.
 */
export function warningOf(draft: Draft): Alert | undefined {
  const { account } = draft
  const marks = account.alerted
  if (marks === null || (marks.credit < warnedFrom && marks.limit < warnedFrom)) return undefined
  const { key: periodKey } = account.period
  if (marks.periodKey !== periodKey) return undefined
  // Credit that was bought since, or a higher limit, takes the warning away.
  const limit = limitUsed(draft)
  const ofLimit = highest(limit)
  if (ofLimit >= warnedFrom)
    return { of: 'spending-limit', percent: ofLimit as AlertPercent, periodKey, ...limit }
  const credit = creditUsed(draft, marks.creditPaid)
  const ofCredit = highest(credit)
  if (ofCredit >= warnedFrom) return { of: 'credit', percent: ofCredit as AlertPercent, periodKey, ...credit }
  return undefined
}

interface Used {
  readonly used: Nano
  readonly total: Nano
}

function creditUsed({ account, now }: Draft, paid: Nano): Used {
  let left = 0n
  for (const grant of account.grants) if (isActive(grant, now)) left += grant.available + grant.held
  return { used: paid, total: (paid + left) as Nano }
}

function limitUsed(draft: Draft): Used {
  const { used } = overageLine(draft.account, draft.account.period.key)
  if (used === 0n) return none
  return { used, total: overageLimit(draft.plans, planOf(draft), draft.account.spendingLimit) }
}

const none: Used = { used: zero, total: zero }

type Mark = AlertMarks['credit']

/** The highest alert that this is enough for; 0 for none. */
function highest({ used, total }: Used): Mark {
  if (used === 0n || used * 2n < total) return 0
  if (used >= total) return 100
  return used * 5n >= total * 4n ? 80 : 50
}

function higher(a: Mark, b: Mark): Mark {
  return a > b ? a : b
}
