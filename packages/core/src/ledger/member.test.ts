import { describe, expect, it } from 'vitest'
import { nano } from '../money.ts'
import { capMember } from './cap-member.ts'
import type { PlanTable } from './plan.ts'
import type { Put } from './storage.ts'

const now = Date.UTC(2026, 10, 10)
const plan = {
  planId: 'plan',
  subscriptionPrice: undefined,
  includedCredit: { amount: nano(0n), per: 'account' },
  overage: 'hard-stop',
} as const
const plans: PlanTable = { plans: [plan], defaultPlanId: 'plan', spendingLimit: nano(0n) }

/** What is written as ada is given this cap; before it she had another one. */
function putOf(cap: bigint | null): Put | undefined {
  const before = { memberId: 'ada', cap: 'none', lines: [] }
  const records = new Map([['member:ada', before]])
  const cut = { head: null, records, due: [], moreDue: false, version: 0n, now }
  const request = { accountId: 'alice', memberId: 'ada', cap: cap === null ? null : nano(cap) }
  return capMember(request, plans)(cut).write?.put?.[0]
}

describe('the record of a member', () => {
  it('may be forgotten seventy days after their last request, and not a moment sooner', () => {
    const put = putOf(null)
    expect([put?.key, put?.keepUntil]).toEqual(['member:ada', now + 70 * 24 * 3_600_000])
  })

  it('is never forgotten with a cap of their own, also one of zero', () => {
    expect([100n, 0n].map((cap) => putOf(cap)?.keepUntil)).toEqual([undefined, undefined])
  })
})
