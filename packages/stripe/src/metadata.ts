import type { Nano } from '@farebox/core'

/** Stripe's bound on the text of one member of `metadata` (https://docs.stripe.com/metadata, read 2026-11-25). */
export const metadataTextMax = 500

/** What a checkout session of ours says about itself. Only holders of the host's secret key can write it. */
export interface Terms {
  readonly accountId: string
  /** Whole days until the credit expires after it was paid; undefined for never. */
  readonly creditDays: number | undefined
}

/** Everything that decides about the grant is written down when the session is made, so that a later change of options can not make a repeat differ. */
export function sessionMetadata(
  application: string,
  { accountId, creditDays }: Terms,
  amount: Nano,
): Record<string, string> {
  return {
    farebox: application,
    farebox_account: accountId,
    farebox_amount_nano: amount.toString(),
    ...(creditDays === undefined ? {} : { farebox_credit_days: String(creditDays) }),
  }
}

/** The terms of a session, or undefined when it is not one of this application. */
export function readTerms(
  application: string,
  metadata: Readonly<Record<string, string>> | null,
): Terms | undefined {
  const accountId = metadata?.['farebox_account']
  if (metadata?.['farebox'] !== application || accountId === undefined || accountId === '') return undefined
  const days = metadata['farebox_credit_days']
  return { accountId, creditDays: days === undefined ? undefined : Number(days) }
}

export function invoiceMetadata(
  application: string,
  { accountId, invoiceId }: { readonly accountId: string; readonly invoiceId: string },
): Record<string, string> {
  return { farebox: application, farebox_account: accountId, farebox_invoice: invoiceId }
}
