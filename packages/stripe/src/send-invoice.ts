import type { Nano } from '@farebox/core'
import type Stripe from 'stripe'
import { nanoOfCents } from './cents.ts'
import type { PaymentsContext } from './context.ts'
import { invoiceMetadata, metadataTextMax } from './metadata.ts'
import { isReplayedFailure, keyOf, keysMax } from './once.ts'
import { type CentLine, type DueLine, oneLine, stripeLines } from './stripe-lines.ts'

/** What is needed of an invoice of the gateway: the result of `gateway.invoices.close` fits as it is. */
export interface DueInvoice {
  readonly invoiceId: string
  readonly accountId: string
  readonly periodKey: string
  readonly startMs: number
  readonly endMs: number
  readonly closedAtMs: number
  readonly currency: 'USD'
  readonly lines: readonly DueLine[]
  readonly carryIn: bigint
  readonly dueCents: bigint
}

export type SendInvoiceResult =
  | {
      /** `sent` now or before; `settled` when it is paid, voided or written off by now. */
      readonly outcome: 'sent' | 'settled'
      readonly stripeInvoiceId: string
      readonly status: string
      /** Where the customer can look at it and pay. */
      readonly url: string | undefined
      /** What Stripe asks for, with tax if you have it add any. */
      readonly total: Nano
    }
  /** Nothing, or less, is to pay. */
  | { readonly outcome: 'nothing-due' }
  /** `customerOf` knows no customer for this account. */
  | { readonly outcome: 'no-customer' }
  /** Somebody has changed the draft in Stripe. It was not sent: correct or delete it there, then call again. */
  | {
      readonly outcome: 'changed-in-stripe'
      readonly stripeInvoiceId: string
      readonly expected: Nano
      readonly found: Nano
    }

/** Three steps, each tried with every key, are fewer than this. */
const stepsMax = 30

/** How many invoices of one customer are looked through, newest first, for the one of this period. */
const invoicesMax = 1000

const dayMs = 24 * 60 * 60 * 1000

/**
 * Makes an invoice in Stripe of an invoice of the gateway, and sends it or charges it.
 *
 * It looks for the invoice, does the next step, and looks again: a draft, its lines, and only then the step that bills.
 * So it may be called again after any failure, tomorrow too, when Stripe has forgotten the idempotency keys. Two calls at
 * once end in one invoice.
 *
 * @throws RangeError when an id is longer than Stripe can keep. @throws StripeError
 */
export async function sendInvoice(context: PaymentsContext, invoice: DueInvoice): Promise<SendInvoiceResult> {
  const { accountId, invoiceId, dueCents } = invoice
  if (Math.max(accountId.length, invoiceId.length) > metadataTextMax) {
    throw new RangeError(`Stripe keeps ids of at most ${metadataTextMax} characters.`)
  }
  if (dueCents <= 0n) return { outcome: 'nothing-due' }
  const customer = await context.options.customerOf?.(accountId)
  if (customer === undefined) return { outcome: 'no-customer' }

  const keys = createKeys(keyOf(context.application, 'invoice', accountId, invoiceId))
  const { stripe, options } = context
  for (let step = 0; step < stepsMax; step += 1) {
    const found = await findInvoice(context, invoice, customer)
    if (found === undefined) {
      const params = draftOf(context, invoice, customer)
      await keys.use('create', params, (key) => stripe.invoices.create(params, key))
    } else if (found.status !== 'draft') {
      return sent(found)
    } else if (found.lines.data.length === 0) {
      const lines =
        options.invoices?.lines === 'total' ? oneLine(invoice.periodKey, dueCents) : stripeLines(invoice)
      const params = { lines: lines.map((line) => lineOf(line, invoice)) }
      await keys.use(`lines ${found.id}`, params, (key) => stripe.invoices.addLines(found.id, params, key))
    } else if (nanoOfCents(found.subtotal) !== nanoOfCents(Number(dueCents))) {
      return {
        outcome: 'changed-in-stripe',
        stripeInvoiceId: found.id,
        expected: nanoOfCents(Number(dueCents)),
        found: nanoOfCents(found.subtotal),
      }
    } else {
      const params = { auto_advance: true }
      await keys.use(`finalize ${found.id}`, params, (key) =>
        stripe.invoices.finalizeInvoice(found.id, params, key),
      )
    }
  }
  throw new Error(`Invoice ${invoiceId} could not be made in Stripe in ${stepsMax} steps.`)
}

/**
 * The invoice that was made for this one, of several the oldest, so that everybody who looks works on the same.
 * Lists show what was just made; Stripe's search does not.
 */
async function findInvoice(
  { stripe, application }: PaymentsContext,
  invoice: DueInvoice,
  customer: string,
): Promise<Stripe.Invoice | undefined> {
  const wanted = invoiceMetadata(application, invoice)
  // It can not be older than the closing of its period, but the clocks may differ.
  const since = Math.floor((invoice.closedAtMs - dayMs) / 1000)
  const all = stripe.invoices.list({ customer, created: { gte: since }, limit: 100 })
  const matching: Stripe.Invoice[] = []
  let seen = 0
  for await (const each of all) {
    seen += 1
    if (seen > invoicesMax) {
      throw new Error(
        `Customer ${customer} has more than ${invoicesMax} invoices since the period was closed.`,
      )
    }
    if (Object.entries(wanted).every(([name, value]) => each.metadata?.[name] === value)) matching.push(each)
  }
  const billed = matching.find(({ status }) => status !== 'draft')
  return billed ?? matching.toSorted((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1))[0]
}

function draftOf(
  { options, application }: PaymentsContext,
  invoice: DueInvoice,
  customer: string,
): Stripe.InvoiceCreateParams {
  const { collect = 'charge', dueDays = 30, invoice: further = {} } = options.invoices ?? {}
  const collection: Stripe.InvoiceCreateParams =
    collect === 'send'
      ? { collection_method: 'send_invoice', days_until_due: dueDays }
      : { collection_method: 'charge_automatically' }
  return {
    description: `Pay-as-you-go of ${invoice.periodKey}`,
    // Exactly what providers charge is billed, so a coupon of the customer's does not count unless the host says so.
    discounts: '',
    ...further,
    ...collection,
    customer,
    currency: 'usd',
    // Stripe must not bill a draft whose lines are still to come.
    auto_advance: false,
    // Nor add what else is waiting for this customer: the total is the ledger's.
    pending_invoice_items_behavior: 'exclude',
    metadata: invoiceMetadata(application, invoice),
  }
}

function lineOf(
  { description, cents }: CentLine,
  { startMs, endMs }: DueInvoice,
): Stripe.InvoiceAddLinesParams.Line {
  return {
    description,
    amount: Number(cents),
    period: { start: Math.floor(startMs / 1000), end: Math.floor(endMs / 1000) - 1 },
  }
}

function sent({ id, status, hosted_invoice_url: url, total }: Stripe.Invoice): SendInvoiceResult {
  return {
    outcome: status === 'open' ? 'sent' : 'settled',
    stripeInvoiceId: id,
    status: status ?? 'open',
    url: url ?? undefined,
    total: nanoOfCents(total),
  }
}

/**
 * Idempotency keys for the steps of one invoice. A failure that Stripe has saved and gives again is not thrown: the caller
 * looks at what is there and comes back, and then has the next key.
 */
function createKeys(base: string) {
  const failures = new Map<string, number>()
  return {
    /** The parameters are part of the key: other options tomorrow are another request, not a conflict. */
    async use(
      step: string,
      params: object,
      call: (options: { readonly idempotencyKey: string }) => Promise<unknown>,
    ): Promise<void> {
      const failed = failures.get(step) ?? 0
      try {
        await call({ idempotencyKey: keyOf(base, step, JSON.stringify(params), String(failed)) })
      } catch (error) {
        if (failed + 1 >= keysMax || !isReplayedFailure(error)) throw error
        failures.set(step, failed + 1)
      }
    },
  }
}
