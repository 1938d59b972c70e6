import { formatUsd, type Nano } from '@farebox/core'
import type { PaymentsContext } from './context.ts'
import type { PaymentEvent } from './events.ts'
import { type Purchase, type Reversal, readReversals } from './purchase.ts'
import { type GiveBackRequest, giveBack, takeBack } from './take-back.ts'

/**
 * Brings the ledger in line with what Stripe says about a purchase now.
 *
 * Nothing is remembered outside the ledger, and no event is believed for what it says, only for where to look. Every step
 * has an id made of Stripe's ids, and the ledger does each id once. So it makes no difference which event comes first, how
 * often it comes, or at which step the call before broke off.
 */
export async function syncPurchase(context: PaymentsContext, purchase: Purchase): Promise<PaymentEvent[]> {
  const { sessionId, terms, paymentId, currency, credit, paid } = purchase
  const { accountId } = terms
  const refuse = (
    reason: 'currency' | 'nothing-paid' | 'grant-conflict',
    message: string,
  ): PaymentEvent[] => [{ kind: 'payment.refused', accountId, sessionId, paymentId, reason, message }]
  if (purchase.status === 'pending') return [{ kind: 'payment.pending', accountId, sessionId }]
  if (purchase.status === 'free') return refuse('nothing-paid', 'Nothing was to pay, so there is no credit.')
  if (purchase.status !== 'paid') return []
  if (currency !== 'usd') {
    return refuse('currency', `Credit is in US dollars, and this payment was in "${currency}".`)
  }
  if (paymentId === undefined || credit <= 0n) return refuse('nothing-paid', 'Nothing but tax was paid.')
  const expiresAtMs = expiryOf(purchase)
  // What has expired can neither be added nor taken any more.
  if (expiresAtMs !== undefined && expiresAtMs <= context.clock.now()) return []

  const grantId = grantIdOf(paymentId)
  const granted = await context.gateway.credits.grant({
    accountId,
    grantId,
    amount: credit,
    kind: 'purchased',
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
  })
  if (granted.outcome === 'too-many-grants') return [delayed(purchase, paymentId, credit)]
  if (granted.outcome === 'conflict') {
    return refuse('grant-conflict', `The account has a grant "${grantId}" of another amount.`)
  }
  const events: PaymentEvent[] = [
    { kind: 'credit.purchased', accountId, sessionId, paymentId, grantId, amount: credit, paid },
  ]
  for (const reversal of await readReversals(context, paymentId)) {
    events.push(await reverse(context, purchase, { paymentId, reversal }))
  }
  return events
}

/** The grant of a payment. */
function grantIdOf(paymentId: string): string {
  return `stripe:${paymentId}`
}

/**
 * Takes credit back for money that left, and gives it back if the money returned. The first step is done even when both
 * have happened: whoever read Stripe a moment earlier may be about to do the first, and then finds it done.
 */
async function reverse(
  { gateway: { credits } }: PaymentsContext,
  purchase: Purchase,
  { paymentId, reversal }: { readonly paymentId: string; readonly reversal: Reversal },
): Promise<PaymentEvent> {
  const { sessionId, terms } = purchase
  const { accountId } = terms
  const { cause, causeId, reversalId, isUndone, amount } = reversal
  const about = { accountId, paymentId, cause, causeId }
  const takeId = `stripe:${reversalId}`
  const taken = await takeBack(credits, {
    accountId,
    takeId,
    grantId: grantIdOf(paymentId),
    amount: shareOf(purchase, amount),
    reason: `Stripe ${cause} ${causeId}`,
  })
  if (taken === undefined) {
    const message = `Credit was taken back under "${takeId}" before, but of another amount.`
    return { kind: 'payment.refused', accountId, sessionId, paymentId, reason: 'take-conflict', message }
  }
  if (!isUndone) return { kind: 'credit.taken-back', ...about, ...taken }
  const returned = taken.taken
  const given: GiveBackRequest = { accountId, takeId, amount: returned, expiresAtMs: expiryOf(purchase) }
  if (returned > 0n && (await giveBack(credits, given)) === 'too-many-grants') {
    return delayed(purchase, paymentId, returned)
  }
  return { kind: 'credit.given-back', ...about, amount: returned }
}

function delayed(
  { sessionId, terms: { accountId } }: Purchase,
  paymentId: string,
  amount: Nano,
): PaymentEvent {
  const message = `The account holds as many open grants as it may. $${formatUsd(amount)} waits until one is used up.`
  return { kind: 'credit.delayed', accountId, sessionId, paymentId, reason: 'too-many-grants', message }
}

/**
 * The part of a reversal that is credit: tax goes back with it in proportion. Rounded down to a nano-USD, in the customer's
 * favour; a reversal of everything is exact.
 */
function shareOf({ credit, paid }: Purchase, amount: Nano): Nano {
  return (amount >= paid ? credit : (amount * credit) / paid) as Nano
}

function expiryOf({ terms, createdAtMs }: Purchase): number | undefined {
  return terms.creditDays === undefined ? undefined : createdAtMs + terms.creditDays * 24 * 60 * 60 * 1000
}
