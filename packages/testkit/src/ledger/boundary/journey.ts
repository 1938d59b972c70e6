/** What a request asks of the ledger, step by step. Between `extend` and what follows it its answer is streamed. */
export type Step = 'reserve' | 'extend' | 'settle' | 'estimate' | 'cost' | 'refund some' | 'refund the rest'

/** A request whose cost is known as it ends, and one whose provider tells it later. */
const journeys: readonly (readonly Step[])[] = [
  ['reserve', 'extend', 'settle', 'refund some', 'refund the rest'],
  ['reserve', 'extend', 'estimate', 'cost', 'refund some', 'refund the rest'],
]

/**
 * What happens to the account in the first moment of the new period besides the request: nothing, so that the request
 * itself finds the period over; another request, which spends all of the new credit but `spared`; or the invoice of the
 * period that is over.
 */
export type Wake = 'nothing' | 'use' | 'close'

const wakes: readonly Wake[] = ['nothing', 'use', 'close']

export const spared = 100n

/** One request over the end of a period: its steps from `gap` on happen in the new one. */
export interface Journey {
  readonly accountId: string
  readonly steps: readonly Step[]
  readonly gap: number
  readonly wake: Wake
  /** Above what is held, and below it. */
  readonly cost: bigint
}

export const heldFirst = 200n
export const heldMore = 300n
export const estimate = 400n
const costs = [900n, 250n] as const
export const refundedFirst = 120n

/** The period's end between every two steps, before the first and after the last, in every way. */
export const everyJourney: readonly Journey[] = journeys.flatMap((steps) =>
  Array.from({ length: steps.length + 1 }, (_, gap) => gap).flatMap((gap) =>
    wakes.flatMap((wake) =>
      costs.map((cost) => ({
        accountId: `${steps[2]} at ${cost}, ends before ${steps[gap] ?? 'nothing'}, then ${wake}`,
        steps,
        gap,
        wake,
        cost,
      })),
    ),
  ),
)
