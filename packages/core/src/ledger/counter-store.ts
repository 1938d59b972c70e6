/** How much of one thing a request takes, and how much of it there may be. Whole numbers of at most 2^53 - 1. */
export interface Count {
  /**
   * Unique in the account, 1 to 512 characters. What is counted in a window has the window in its name, so that each has a
   * counter of its own: a name without a holder is not used again after its `untilMs`.
   */
  readonly name: string
  /** Wanted, and the least that will do: as much is taken as there is room for. */
  readonly amount: number
  readonly least: number
  /** Everything that is taken under this name stays within this. */
  readonly limit: number
  /** When what is taken is forgotten, if it was not given back. */
  readonly untilMs: number
  /**
   * Whose it is, where one is held and given back, such as a place among the requests under way. Each holder's is forgotten by
   * itself. A name has holders always, with an amount of 1 for each, or never. @default nobody's
   */
  readonly holder?: string
}

export interface TakeRequest {
  /** 1 to 512 characters. */
  readonly accountId: string
  readonly nowMs: number
  /** At most 16, no name twice. */
  readonly counts: readonly Count[]
}

/** What became of a request, for each count in the order they were asked in. */
export interface Taken {
  /** Everything, or nothing: a request that is refused counts nowhere. */
  readonly isTaken: boolean
  readonly counts: readonly {
    /** Taken by others before. */
    readonly before: number
    /** Taken now: 0 when refused. */
    readonly taken: number
  }[]
}

export interface GiveBackRequest {
  readonly accountId: string
  readonly counts: readonly {
    readonly name: string
    /** A negative amount takes more, whatever the limit: it was used. What has a holder goes back whole. */
    readonly amount: number
    readonly holder?: string
  }[]
}

/**
 * Counters that may be forgotten: when they are lost, some requests too many are admitted, and nothing is charged wrongly.
 * They are for rate limits, and for what processes tell each other of targets. All counters of an account are in one place, and time comes from the caller.
 *
 * @throws Unavailable when surely nothing was counted. @throws OutcomeUnknown when it may have been: nothing is repeated then,
 * so a request may count that was never made, until its time is over.
 */
export interface CounterStore {
  /** Looks at all limits of a request and counts it against all of them, in one step. */
  take(request: TakeRequest): Promise<Taken>
  /** Corrects counters. One that was forgotten stays forgotten, and none falls below zero. */
  giveBack(request: GiveBackRequest): Promise<void>
}

/** The share of one count that is taken where this much room is left; `undefined` when that is too little. */
export function shareOf({ amount, least, limit }: Count, before: number): number | undefined {
  const room = limit - before
  return room < least ? undefined : Math.min(amount, room)
}
