import { expect, it } from 'vitest'
import { nano } from '../money.ts'
import type { Account } from './account.ts'
import { grant } from './grant.ts'
import type { PlanTable } from './plan.ts'
import { reserve } from './reserve.ts'
import type { Cut, Reduce, Value } from './storage.ts'

const plan = {
  planId: 'plan',
  subscriptionPrice: undefined,
  includedCredit: { amount: nano(0n), per: 'account' },
  overage: 'pay-as-you-go',
} as const
const plans: PlanTable = { plans: [plan], defaultPlanId: 'plan', spendingLimit: nano(100n) }

/** The head that an operation writes. */
function written(head: Account | null, reduce: Reduce<unknown>): Account {
  const cut: Cut = {
    head: head as Value,
    records: new Map(),
    due: [],
    moreDue: false,
    version: 1n,
    now: Date.UTC(2026, 10, 10),
  }
  return reduce(cut).write?.head as unknown as Account
}

it('changes nothing of the head that it read, which others may be deciding on', () => {
  const give = (grantId: string) => grant({ accountId: 'alice', grantId, amount: nano(10n) }, plans)
  const subject = { model: 'model', costProviderIds: [], attemptsMax: 1 }
  const hold = { accountId: 'alice', reservationId: 'r1', amount: nano(50n), timeToLiveMs: 1000, subject }

  const first = written(null, give('g1'))
  const granted = written(first, give('g2'))
  const held = written(granted, reserve(hold, plans))

  expect([first, granted, held].map(({ grants, overage }) => [grants.length, overage.length])).toEqual([
    [1, 0],
    [2, 0],
    [2, 1],
  ])
  expect(granted.grants.map((each) => each.held)).toEqual([0n, 0n])
})
