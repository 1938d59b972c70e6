import { type Nano, zero } from '../money.ts'
import { defaultPriority, type Grant, type GrantKind, isOpen, openGrantsMax } from './account.ts'
import { addGrant, append, decide, forgetClosed, keep } from './draft.ts'
import { includedPrefix } from './included.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import type { Key, Reduce, Value } from './storage.ts'
import { encodeValue } from './value-text.ts'

export interface GrantRequest {
  readonly accountId: string
  /** Unique in the account, chosen by the caller: the same id grants once, however often it is sent. Not `incl:…`. */
  readonly grantId: string
  readonly amount: Nano
  /** @default 'purchased' */
  readonly kind?: Exclude<GrantKind, 'included'>
  /** Lower is drawn first. @default 20 for promotional and courtesy credit, 50 for purchased */
  readonly priority?: number
  /** Not usable before. Milliseconds since 1970 UTC. @default now */
  readonly effectiveAtMs?: number
  /** Not usable from then on; `null` for never. @default null */
  readonly expiresAtMs?: number | null
}

export type GrantResult =
  | { readonly outcome: 'granted'; readonly grant: Grant }
  /** The id was used before for something else. */
  | { readonly outcome: 'conflict' }
  /** The account holds as many open grants as an account may. */
  | { readonly outcome: 'too-many-grants'; readonly max: number }

export function grantKey(grantId: string): Key {
  return `grant:${grantId}`
}

/**
 * Adds credit to an account.
 *
 * @throws RangeError when the amount is not positive, the expiry is not after the start, a time or the priority is not
 * finite, or the id is one of included credit.
 */
export function grant(request: GrantRequest, plans: PlanTable): Reduce<GrantResult> {
  if (request.amount <= 0n) throw new RangeError('A grant must be of a positive amount.')
  if (request.grantId.startsWith(includedPrefix)) {
    throw new RangeError(`Ids that start with "${includedPrefix}" belong to included credit.`)
  }
  const key = grantKey(request.grantId)
  const fingerprint = encodeValue({
    amount: request.amount,
    kind: request.kind,
    priority: request.priority,
    effectiveAtMs: request.effectiveAtMs,
    expiresAtMs: request.expiresAtMs,
  })
  return (cut) => {
    const earlier = cut.records.get(key) as { fingerprint: string; grant: Grant } | undefined
    if (earlier !== undefined) {
      const isSame = earlier.fingerprint === fingerprint
      return { result: isSame ? { outcome: 'granted', grant: earlier.grant } : { outcome: 'conflict' } }
    }
    const draft = openAccount(cut, request.accountId, plans)
    // Included credit does not count: a team that grew seat by seat must be able to buy more.
    const open = draft.account.grants.filter((grant) => grant.kind !== 'included' && isOpen(grant))
    if (open.length >= openGrantsMax) {
      return { result: { outcome: 'too-many-grants', max: openGrantsMax } }
    }
    const issued = newGrant(request, draft.now)
    forgetClosed(draft.account)
    addGrant(draft, issued)
    append(draft, {
      kind: 'granted',
      opId: key,
      recordedAtMs: draft.now,
      effectiveAtMs: issued.effectiveAtMs,
      postings: [
        { source: `grant:${issued.grantId}`, from: 'issued', to: 'available', amount: issued.issued },
      ],
      terms: { kind: issued.kind, priority: issued.priority, expiresAtMs: issued.expiresAtMs },
    })
    keep(draft, { key, value: { fingerprint, grant: issued } as Value, mode: 'create' })
    return decide(draft, { outcome: 'granted', grant: issued })
  }
}

function newGrant(request: GrantRequest, now: number): Grant {
  const kind = request.kind ?? 'purchased'
  const effectiveAtMs = request.effectiveAtMs ?? now
  const expiresAtMs = request.expiresAtMs ?? null
  if (expiresAtMs !== null && expiresAtMs <= Math.max(effectiveAtMs, now)) {
    throw new RangeError('A grant must expire after it starts, and in the future.')
  }
  return {
    grantId: request.grantId,
    kind,
    priority: request.priority ?? defaultPriority[kind],
    effectiveAtMs,
    expiresAtMs,
    issued: request.amount,
    available: request.amount,
    held: zero,
    settled: zero,
    expired: zero,
    voided: zero,
  }
}
