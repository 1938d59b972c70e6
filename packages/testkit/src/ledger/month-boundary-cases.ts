import { everyJourney } from './boundary/journey.ts'
import { type MonthEnd, monthEnds } from './boundary/month-ends.ts'
import { playJourneys } from './boundary/play.ts'
import { type Tier, tiers } from './boundary/tiers.ts'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'

/**
 * A period's end between every two steps of a request, with its cost at once or later, above or below what is held, and
 * with the new period found by the request, by another one, or by the invoice. Of three cases that follow each other each
 * has every place of the end, and a third of the ways to come there.
 */
function monthBoundaryCase(tier: Tier, monthEnd: MonthEnd, index: number): LedgerCase {
  const { anchorDay, days } = monthEnd
  const periods = anchorDay === null ? 'a calendar month' : `a period of anchor ${anchorDay}`
  return ledgerCase(
    `pays every step of a request from its own period when ${periods} ends on ${days[1]}: ${tier.planId}, ${tier.preset}`,
    (context) =>
      playJourneys(
        context,
        tier,
        monthEnd,
        everyJourney.filter((_, journey) => journey % 3 === index % 3),
      ),
    tier.plans,
  )
}

function isOf({ preset, planId }: Tier, ...names: readonly string[]): boolean {
  return names.includes(`${planId} of ${preset}`)
}

/** Every plan of every published table at one end of a month, and every end of a month on one plan: about a thousand requests. */
export const everyMonthBoundaryCase: readonly LedgerCase[] = [
  ...tiers.flatMap((tier) => monthEnds.slice(0, 1).map((monthEnd) => [tier, monthEnd] as const)),
  ...tiers
    .filter((tier) => isOf(tier, 'pro of hf-latest'))
    .flatMap((tier) => monthEnds.slice(1).map((monthEnd) => [tier, monthEnd] as const)),
].map(([tier, monthEnd], index) => monthBoundaryCase(tier, monthEnd, index))

/** One of each kind, for every store: a hard stop, credit that is bought, and pay-as-you-go, at the end of a leap February. */
export const monthBoundaryCases: readonly LedgerCase[] = tiers
  .filter((tier) => isOf(tier, 'free of hf-2026-02-04', 'free of hf-latest', 'team of hf-latest'))
  .flatMap((tier) =>
    monthEnds
      .filter(({ anchorDay, days }) => anchorDay === 31 && days[1] === '2028-02-29')
      .map((monthEnd) => [tier, monthEnd] as const),
  )
  .map(([tier, monthEnd], index) => monthBoundaryCase(tier, monthEnd, index))
