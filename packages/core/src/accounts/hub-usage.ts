import { GatewayError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { dayMs, dayOf } from '../ledger/usage-day.ts'
import { queryUsage } from '../statements/usage-query.ts'
import { readParameters, readWhole } from '../statements/usage-request.ts'

/** The year 2100. Whoever sends milliseconds is beyond it. */
const secondsMax = 4_102_444_800

/**
 * `GET /api/settings/billing/usage-v2`, as Hugging Face answers it (observed 2026-09, with `startDate` and `endDate` in
 * seconds since 1970): for clients that show what is left of their credit. Whole UTC days; without dates the current period.
 */
export async function answerHubUsage(
  ledger: Pick<Ledger, 'balance' | 'statements'>,
  { accountId, query }: { readonly accountId: string; readonly query: string | undefined },
): Promise<string> {
  const values = readParameters(query, ['startDate', 'endDate'])
  const balance = await ledger.balance(accountId)
  const startMs = secondsOf(values, 'startDate') ?? balance.periodStartMs
  const endMs = secondsOf(values, 'endDate') ?? balance.resetsAtMs
  const days = { from: dayOf(startMs), to: dayOf(Math.ceil(endMs / dayMs) * dayMs) }
  const { total } = await queryUsage(ledger.statements, { accountId, ...days })
  const used = total.charged - total.refunded
  const limit = balance.includedIssued + balance.overage.limit
  const periodStart = new Date(startMs).toISOString()
  const periodEnd = new Date(endMs - 1).toISOString()
  // Amounts are JSON numbers there. Written out, because no number of ours holds money.
  return (
    `{"usage":{"inferenceProviders":{"usedNanoUsd":${used},"includedNanoUsd":${balance.includedIssued},` +
    `"limitNanoUsd":${limit},"numRequests":${total.requests},` +
    `"periodStart":"${periodStart}","periodEnd":"${periodEnd}"}}}`
  )
}

function secondsOf(values: ReadonlyMap<string, string>, param: string): number | undefined {
  const text = values.get(param)
  if (text === undefined) return undefined
  const seconds = text.length > 10 ? secondsMax : readWhole(text, param)
  if (seconds < secondsMax) return seconds * 1000
  throw new GatewayError('invalid_request', `${param} is in seconds since 1970, not in milliseconds.`, {
    param,
  })
}
