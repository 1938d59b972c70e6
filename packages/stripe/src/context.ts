import type { Clock } from '@farebox/core'
import type Stripe from 'stripe'
import type { PaymentsOptions } from './options.ts'
import type { CreditBook } from './take-back.ts'

/** What every part of a payment needs: the host's options, checked, and a client made from them. */
export interface PaymentsContext {
  readonly stripe: Stripe
  readonly gateway: { readonly credits: CreditBook }
  readonly options: PaymentsOptions
  readonly application: string
  readonly clock: Clock
}
