/** What a host should know of its Redis. */
export type RedisEvent =
  /** The server keeps to itself whether it would throw keys away when it runs out of memory. */
  | { readonly kind: 'settings-unknown'; readonly message: string }
  /** Writes that were answered are gone. The account is stopped. */
  | {
      readonly kind: 'account-regressed'
      readonly accountId: string
      /** The version that was seen, and the one that is there now. */
      readonly seen: bigint
      readonly found: bigint
      readonly reason: string
    }
  /** Everything is back, and the account goes on. */
  | {
      readonly kind: 'account-repaired'
      readonly accountId: string
      readonly version: bigint
      /** How many writes this process put back. */
      readonly replayed: number
    }
  /** Somebody decided to go on from what is there. */
  | { readonly kind: 'loss-accepted'; readonly accountId: string; readonly version: bigint }

/** Where nobody listens, the process tells it. */
export function warn(event: RedisEvent): void {
  const about = 'accountId' in event ? ` (account ${JSON.stringify(event.accountId)})` : ''
  const text = 'message' in event ? event.message : 'reason' in event ? event.reason : event.kind
  process.emitWarning(`${text}${about}`, { type: 'FareboxRedis', code: event.kind })
}
