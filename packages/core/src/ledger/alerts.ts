import type { Nano } from '../money.ts'
import { type Account, isActive, overageLine } from './account.ts'
import { type Draft, planOf } from './draft.ts'
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
 * Raises the alerts that a settlement of `charged` for a hold of `periodKey` has crossed, each once a period, and remembers
 * them in the head: in one step with the charge, so that no two processes raise the same.
 *
 * What was paid from credit this period is what was paid in all, less what had been paid when the period began, less what
 * pay-as-you-go paid. So nothing is written while nothing is crossed.
 */
export function crossAlerts(draft: Draft, charged: Nano, periodKey: string): readonly Alert[] {
  const { account } = draft
  const isOfNow = periodKey === account.period.key
  let marks = account.alerted
  if (marks?.periodKey !== account.period.key) {
    marks = {
      periodKey: account.period.key,
      paidBefore: (isOfNow ? account.charged - charged : account.charged) as Nano,
      credit: 0,
      limit: 0,
    }
    account.alerted = marks
  } else if (!isOfNow && charged > 0n) {
    // A request of an earlier period says nothing about this one.
    marks = { ...marks, paidBefore: (marks.paidBefore + charged) as Nano }
    account.alerted = marks
  }
  if (marks.credit === 100 && marks.limit === 100) return nothing
  const credit = creditUsed(draft, marks.paidBefore)
  const limit = limitUsed(draft)
  const reached = { credit: highest(credit), limit: highest(limit) }
  if (reached.credit <= marks.credit && reached.limit <= marks.limit) return nothing
  account.alerted = {
    ...marks,
    credit: reached.credit > marks.credit ? reached.credit : marks.credit,
    limit: reached.limit > marks.limit ? reached.limit : marks.limit,
  }
  const alertsOf = (of: Alert['of'], { used, total }: Used, from: number, to: number): Alert[] =>
    percents
      .filter((percent) => percent > from && percent <= to)
      .map((percent) => ({ of, percent, periodKey: account.period.key, used, total }))
  return [
    ...alertsOf('credit', credit, marks.credit, reached.credit),
    ...alertsOf('spending-limit', limit, marks.limit, reached.limit),
  ]
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
  const credit = creditUsed(draft, marks.paidBefore)
  const ofCredit = highest(credit)
  if (ofCredit >= warnedFrom) return { of: 'credit', percent: ofCredit as AlertPercent, periodKey, ...credit }
  return undefined
}

interface Used {
  readonly used: Nano
  readonly total: Nano
}

function creditUsed({ account, now }: Draft, paidBefore: Nano): Used {
  const used = account.charged - paidBefore - overageUsed(account)
  let left = 0n
  for (const grant of account.grants) if (isActive(grant, now)) left += grant.available + grant.held
  const paid = used > 0n ? used : 0n
  return { used: paid as Nano, total: (paid + left) as Nano }
}

const none: Used = { used: 0n as Nano, total: 0n as Nano }

function limitUsed(draft: Draft): Used {
  const used = overageUsed(draft.account)
  if (used === 0n) return none
  return { used, total: overageLimit(draft.plans, planOf(draft), draft.account.spendingLimit) }
}

function overageUsed(account: Account): Nano {
  return overageLine(account, account.period.key).used
}

/** The highest alert that this is enough for; 0 for none. */
function highest({ used, total }: Used): AlertPercent | 0 {
  if (used === 0n || used * 2n < total) return 0
  if (used >= total) return 100
  return used * 5n >= total * 4n ? 80 : 50
}
