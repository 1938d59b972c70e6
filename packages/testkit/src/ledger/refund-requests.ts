import { type Ledger, nano, type RefundRequest, type RefundResult } from '@farebox/core'
import { deed, refunded } from './requests.ts'

/** Refunds the only attempt of a request, or the one that is named. */
export function refund(
  ledger: Ledger,
  requestId: string,
  options: Partial<Omit<RefundRequest, 'amount'>> & { readonly amount?: bigint } = {},
): Promise<RefundResult> {
  const { amount, ...rest } = options
  const some = amount === undefined ? {} : { amount: nano(amount) }
  return ledger.refund({ ...deed('o1'), requestId, attemptId: 'attempt', ...some, ...rest })
}

/** `[source, to, amount]` of everything that was given back. */
export function parts(result: RefundResult): [string, string, bigint][] {
  return refunded(result).parts.map(({ source, to, amount }) => [source, to, amount])
}
