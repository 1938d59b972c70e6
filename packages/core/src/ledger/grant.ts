import { type Nano, zero } from '../money.ts'
import { type Account, defaultPriority, type Grant, type GrantKind, isOpen } from './account.ts'
import { addGrant, append, type Draft, decide, forgetClosed, keep } from './draft.ts'
import { includedPrefix } from './included.ts'
import { operationPrefix } from './manual-operation.ts'
import { openAccount } from './open-account.ts'
import type { PlanTable } from './plan.ts'
import type { Key, Reduce, Value } from './storage.ts'
import { encodeValue } from './value-text.ts'

export interface GrantRequest {
  readonly accountId: string
  /**
   * Unique in the account, chosen by the caller: the same id grants once, however often it is sent. Not `incl:…` or
   * `op:…`.
   */
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
  | TooManyGrants

/** The account holds as many open grants as an account may. */
export interface TooManyGrants {
  readonly outcome: 'too-many-grants'
  readonly max: number
}

/** At most this many grants that still hold credit, besides included credit. */
export const openGrantsMax = 64

/** What is remembered of a grant under its key, also when it has left the head. */
export type GrantRecord = {
  /** Absent for credit that no request asked for by its id. */
  readonly fingerprint?: string
  /** The grant as it was issued. Absent for included credit. */
  readonly grant?: Grant
  /** Whether it was voided as a whole. */
  readonly isVoid?: true
}

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
  for (const prefix of [includedPrefix, operationPrefix]) {
    if (request.grantId.startsWith(prefix)) {
      throw new RangeError(`Ids that start with "${prefix}" belong to credit that the ledger issues itself.`)
    }
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
    const earlier = cut.records.get(key) as GrantRecord | undefined
    if (earlier?.grant !== undefined) {
      const isSame = earlier.fingerprint === fingerprint
      return { result: isSame ? { outcome: 'granted', grant: earlier.grant } : { outcome: 'conflict' } }
    }
    const draft = openAccount(cut, request.accountId, plans)
    if (!hasRoom(draft.account, 1)) return { result: { outcome: 'too-many-grants', max: openGrantsMax } }
    return decide(draft, { outcome: 'granted', grant: issue(draft, request, fingerprint) })
  }
}

/** Included credit does not count: a team that grew seat by seat must be able to buy more. */
export function hasRoom({ grants }: Account, more: number): boolean {
  return grants.filter((grant) => grant.kind !== 'included' && isOpen(grant)).length + more <= openGrantsMax
}

/** Issues credit, with its entry and its record. There is room for it, and its id is new. */
export function issue(draft: Draft, request: GrantRequest, fingerprint?: string): Grant {
  const issued = newGrant(request, draft.now)
  forgetClosed(draft.account)
  addGrant(draft, issued)
  append(draft, {
    kind: 'granted',
    opId: grantKey(issued.grantId),
    recordedAtMs: draft.now,
    effectiveAtMs: issued.effectiveAtMs,
    postings: [{ source: `grant:${issued.grantId}`, from: 'issued', to: 'available', amount: issued.issued }],
    terms: { kind: issued.kind, priority: issued.priority, expiresAtMs: issued.expiresAtMs },
  })
  const record: GrantRecord = fingerprint === undefined ? { grant: issued } : { fingerprint, grant: issued }
  keep(draft, { key: grantKey(issued.grantId), value: record as Value, mode: 'create' })
  return issued
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
