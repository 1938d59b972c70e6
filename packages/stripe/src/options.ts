import { type Clock, formatUsd, type Nano } from '@farebox/core'
import type Stripe from 'stripe'
import { centsOf } from './cents.ts'
import { metadataTextMax } from './metadata.ts'
import type { CreditBook } from './take-back.ts'

export interface PaymentsOptions {
  /** Whose accounts the credit goes to. */
  readonly gateway: { readonly credits: CreditBook }
  /** The secret key of your Stripe account: `sk_live_…`, `sk_test_…` or a restricted key. */
  readonly apiKey: string
  /** The signing secret of the webhook endpoint: `whsec_…`. */
  readonly webhookSecret: string
  /** Where the customer goes after paying. Stripe replaces `{CHECKOUT_SESSION_ID}` in it. */
  readonly successUrl: string
  /** Where the customer goes who changes their mind. */
  readonly cancelUrl: string
  /** Amounts to choose from. @default none */
  readonly packs?: readonly CreditPack[]
  /** Bounds of an amount that the customer names, both included. @default no such amounts, only packs */
  readonly amounts?: { readonly min: Nano; readonly max: Nano }
  /** Whole days after which bought credit expires, counted from when checkout began; at least 30. @default never */
  readonly creditDays?: number
  /** What the customer reads on the payment page. @default 'Prepaid credit' */
  readonly productName?: string
  /** Stripe's customer (`cus_…`) of an account. Needed for invoices. @default nobody: checkout asks for an address */
  readonly customerOf?: (accountId: string) => string | undefined | Promise<string | undefined>
  /** How overage is invoiced. */
  readonly invoices?: InvoiceOptions
  /** Further members of a checkout session, such as `automatic_tax` or `locale`. Ours win. @default none */
  readonly session?: Partial<Stripe.Checkout.SessionCreateParams>
  /** Tells apart what several gateways sell on one Stripe account. Never change it. @default 'farebox' */
  readonly application?: string
  /** Further configuration of Stripe's client, such as `maxNetworkRetries`. @default 20 seconds for each request */
  readonly connection?: Omit<Stripe.StripeConfig, 'apiVersion'>
  /** @default systemClock */
  readonly clock?: Clock
}

/** An amount with a name. */
export interface CreditPack {
  readonly packId: string
  /** What it costs, and the credit it gives. Whole cents. */
  readonly amount: Nano
  /** @default the product's name */
  readonly name?: string
}

export interface InvoiceOptions {
  /** Charge the customer's default payment method, or send an invoice to pay by hand. @default 'charge' */
  readonly collect?: 'charge' | 'send'
  /** Days to pay an invoice that is sent. @default 30 */
  readonly dueDays?: number
  /** Every line, or one with the total, which `automatic_tax` needs: it allows no negative lines. @default 'all' */
  readonly lines?: 'all' | 'total'
  /** Further members of the Stripe invoice, such as `automatic_tax` or `footer`. Ours win. @default none */
  readonly invoice?: Partial<Stripe.InvoiceCreateParams>
}

/** Stripe takes no less for a payment in US dollars, and no more (https://docs.stripe.com/currencies, read 2026-11-25). */
const centsMin = 50
const centsMax = 99_999_999

/** @throws RangeError that names the option at fault. */
export function checkPaymentsOptions(options: PaymentsOptions): void {
  const { packs = [], amounts, creditDays, invoices, application } = options
  for (const name of ['apiKey', 'webhookSecret'] as const) {
    if (typeof options[name] !== 'string' || options[name].trim() === '') {
      throw new RangeError(`createPayments needs ${name}, from your Stripe dashboard.`)
    }
  }
  for (const name of ['successUrl', 'cancelUrl'] as const) {
    if (!URL.canParse(options[name]))
      throw new RangeError(`${name} must be a whole URL, not "${options[name]}".`)
  }
  if (packs.length === 0 && amounts === undefined) {
    throw new RangeError('createPayments sells nothing: give packs, or amounts: { min, max }.')
  }
  const ids = packs.map(({ packId }) => packId)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) throw new RangeError(`The pack "${twice}" is there twice.`)
  for (const { packId, amount } of packs) checkAmount(amount, `The amount of pack "${packId}"`)
  if (amounts !== undefined) {
    checkAmount(amounts.min, 'amounts.min')
    checkAmount(amounts.max, 'amounts.max')
    if (amounts.min > amounts.max) throw new RangeError('amounts.min is above amounts.max.')
  }
  if (creditDays !== undefined && !(Number.isInteger(creditDays) && creditDays >= 30)) {
    throw new RangeError('creditDays must be a whole number of at least 30: some payments take two weeks.')
  }
  const { dueDays } = invoices ?? {}
  if (dueDays !== undefined && !(Number.isInteger(dueDays) && dueDays >= 0)) {
    throw new RangeError('invoices.dueDays must be a whole number of days.')
  }
  if (application !== undefined && (application === '' || application.length > metadataTextMax)) {
    throw new RangeError(`application must have 1 to ${metadataTextMax} characters.`)
  }
}

function checkAmount(amount: Nano, name: string): void {
  const cents = centsOf(amount)
  if (cents === undefined) throw new RangeError(`${name} must be whole cents, not $${formatUsd(amount)}.`)
  if (cents < centsMin || cents > centsMax) {
    throw new RangeError(`${name} must be from $0.50 to $999999.99, not $${formatUsd(amount)}.`)
  }
}
