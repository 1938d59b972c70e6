import { type Ledger, nano, type Quantities, type SettledAttempt, type UsageRow } from '@farebox/core'
import { holdOf, reserved, served, settled } from './requests.ts'

/** When the cases begin. */
export const today = '2026-11-10'

/** A day's usage, after everything that was booked is added up. */
export async function usageOf(
  ledger: Ledger,
  date: string,
  accountId = 'alice',
): Promise<readonly UsageRow[]> {
  await ledger.statements.fold(accountId, Number.MAX_SAFE_INTEGER)
  const first = await ledger.statements.usage(accountId, [{ day: date, page: 0 }])
  const rest = await ledger.statements.usage(accountId, first.further)
  return [...first.pages, ...rest.pages].flatMap(({ rows }) => rows)
}

/** A request that holds 50 and is settled with these attempts. */
export async function ask(
  ledger: Ledger,
  id: string,
  attempts: readonly SettledAttempt[],
  options: Parameters<typeof holdOf>[2] = {},
): Promise<void> {
  reserved(await ledger.reserve(holdOf(id, 50n, options)))
  settled(await ledger.settle({ accountId: 'alice', reservationId: id, attempts }))
}

/** A served attempt with what it used. */
export function used(
  cost: bigint,
  quantities: Quantities,
  certainty: 'exact' | 'estimate' = 'exact',
): SettledAttempt {
  return { ...served(cost), cost: nano(cost), usage: { quantities, certainty } }
}
