import { type PlanTable, usd } from '@farebox/core'

/** Nothing is included, and nothing may be owed: accounts have what they are granted. */
export const barePlans: PlanTable = {
  plans: [
    {
      planId: 'bare',
      subscriptionPrice: undefined,
      includedCredit: { amount: usd('0'), per: 'account' },
      overage: 'hard-stop',
    },
  ],
  defaultPlanId: 'bare',
  spendingLimit: usd('0'),
}
