import { formatUsd, type Nano } from '@farebox/core'
import type Stripe from 'stripe'
import { centsOf } from './cents.ts'
import type { PaymentsContext } from './context.ts'
import { metadataTextMax, sessionMetadata } from './metadata.ts'
import { keyOf, onceMore } from './once.ts'

export interface CheckoutRequest {
  /** Whose credit it is. Take it from the session of whoever asks, never from the request's body. */
  readonly accountId: string
  /** One of the packs, or an amount within the bounds. */
  readonly packId?: string
  readonly amount?: Nano
  /**
   * Unique for what the customer did, such as the id of a form: the same id gives the same payment page, so that a
   * double click can not open two. Stripe remembers it for a day. @default every call opens a page
   */
  readonly checkoutId?: string
}

export type CheckoutResult =
  | {
      readonly outcome: 'created'
      readonly sessionId: string
      /** Send the customer there. */
      readonly url: string
      readonly amount: Nano
      readonly expiresAtMs: number
    }
  | { readonly outcome: 'unknown-pack'; readonly packIds: readonly string[] }
  /** No such amount is sold: out of bounds, not whole cents, or none was named. */
  | { readonly outcome: 'not-for-sale'; readonly message: string }
  /** The checkout id was used before for something else. */
  | { readonly outcome: 'conflict' }

/**
 * Opens a payment page for credit. Nothing is granted until Stripe says that it was paid.
 *
 * @throws RangeError when the account id is empty or longer than Stripe can keep. @throws StripeError
 */
export async function checkout(context: PaymentsContext, request: CheckoutRequest): Promise<CheckoutResult> {
  const { accountId, checkoutId } = request
  if (accountId === '' || accountId.length > metadataTextMax) {
    throw new RangeError(`Stripe keeps account ids of 1 to ${metadataTextMax} characters.`)
  }
  const choice = choose(context, request)
  if (choice.outcome !== 'chosen') return choice
  const { stripe, options, application } = context
  const customer = await options.customerOf?.(accountId)
  const metadata = sessionMetadata(application, { accountId, creditDays: options.creditDays }, choice.amount)
  const session: Stripe.Checkout.SessionCreateParams = {
    ...options.session,
    ...(customer === undefined ? {} : { customer }),
    mode: 'payment',
    success_url: options.successUrl,
    cancel_url: options.cancelUrl,
    line_items: [
      {
        quantity: 1,
        price_data: { currency: 'usd', unit_amount: choice.cents, product_data: { name: choice.name } },
      },
    ],
    metadata,
    // On the payment too, so that it can be found in the dashboard by its account.
    payment_intent_data: { ...options.session?.payment_intent_data, metadata },
    // Credit is in US dollars: what the page asks for must be what is granted.
    adaptive_pricing: { enabled: false },
  }
  const create = (idempotencyKey?: string) =>
    stripe.checkout.sessions.create(session, idempotencyKey === undefined ? {} : { idempotencyKey })
  try {
    const created =
      checkoutId === undefined
        ? await create()
        : await onceMore(keyOf(application, 'checkout', accountId, checkoutId), create)
    if (created.url === null) throw new Error(`Stripe opened session ${created.id} without a page.`)
    return {
      outcome: 'created',
      sessionId: created.id,
      url: created.url,
      amount: choice.amount,
      expiresAtMs: created.expires_at * 1000,
    }
  } catch (error) {
    if (isOtherContent(error)) return { outcome: 'conflict' }
    throw error
  }
}

type Choice =
  | { readonly outcome: 'chosen'; readonly amount: Nano; readonly cents: number; readonly name: string }
  | Extract<CheckoutResult, { outcome: 'unknown-pack' | 'not-for-sale' }>

function choose({ options }: PaymentsContext, { packId, amount }: CheckoutRequest): Choice {
  const { packs = [], amounts, productName = 'Prepaid credit' } = options
  if (packId !== undefined) {
    const pack = packs.find((each) => each.packId === packId)
    const cents = pack === undefined ? undefined : centsOf(pack.amount)
    if (pack === undefined || cents === undefined) {
      return { outcome: 'unknown-pack', packIds: packs.map((each) => each.packId) }
    }
    if (amount !== undefined && amount !== pack.amount) {
      return notForSale(`Pack "${packId}" costs $${formatUsd(pack.amount)}.`)
    }
    return { outcome: 'chosen', amount: pack.amount, cents, name: pack.name ?? productName }
  }
  if (amount === undefined) return notForSale('Name a pack or an amount.')
  if (amounts === undefined) return notForSale('Only packs are sold.')
  if (amount < amounts.min || amount > amounts.max) {
    return notForSale(`Choose from $${formatUsd(amounts.min)} to $${formatUsd(amounts.max)}.`)
  }
  const cents = centsOf(amount)
  if (cents === undefined) return notForSale('Choose a whole number of cents.')
  return { outcome: 'chosen', amount, cents, name: productName }
}

function notForSale(message: string): Choice {
  return { outcome: 'not-for-sale', message }
}

/** By Stripe's own name for it, because an app may hold two copies of its library. */
function isOtherContent(error: unknown): boolean {
  return error instanceof Error && (error as { readonly rawType?: unknown }).rawType === 'idempotency_error'
}
