import { type Gateway, type Nano, nano, zero } from '@farebox/core'

/** What the payments do to credit. */
export type CreditBook = Pick<Gateway['credits'], 'grant' | 'void'>

/** The name the journal knows us by. */
const actor = 'stripe'

export interface TakeBackRequest {
  readonly accountId: string
  /** The same id takes once. */
  readonly takeId: string
  /** The credit that was bought with the money that left. Credit of other payments is not touched. */
  readonly grantId: string
  readonly amount: Nano
  readonly reason: string
}

export interface TakenBack {
  readonly taken: Nano
  /** Not there to take: used, expired, or set aside for requests under way. */
  readonly missing: Nano
  /** The part of `missing` that was set aside. */
  readonly held: Nano
}

/** Takes what is left of bought credit, or gives undefined when the id was used before for another amount. */
export async function takeBack(
  credits: CreditBook,
  request: TakeBackRequest,
): Promise<TakenBack | undefined> {
  const { accountId, takeId, grantId, amount, reason } = request
  // A cent of which nearly all is tax may come to no credit at all.
  if (amount === 0n) return { taken: zero, missing: zero, held: zero }
  // The amount is named also when it is all of the grant: what is taken can then be given back exactly.
  const result = await credits.void({ accountId, opId: takeId, grantId, amount, actor, reason })
  if (result.outcome === 'conflict') return undefined
  const { voided: taken, held } = result.outcome === 'voided' ? result : { voided: zero, held: zero }
  const missing = nano(amount - taken)
  return { taken, missing, held: held < missing ? held : missing }
}

export interface GiveBackRequest {
  readonly accountId: string
  readonly takeId: string
  readonly amount: Nano
  readonly expiresAtMs: number | undefined
}

/** Gives back what was taken under `takeId`, as a grant of its own: voided credit stays voided. */
export async function giveBack(
  credits: CreditBook,
  { accountId, takeId, amount, expiresAtMs }: GiveBackRequest,
): Promise<'given' | 'too-many-grants'> {
  const { outcome } = await credits.grant({
    accountId,
    grantId: `${takeId}:returned`,
    amount,
    kind: 'purchased',
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
  })
  return outcome === 'too-many-grants' ? outcome : 'given'
}
