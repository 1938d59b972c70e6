import type { Draft } from './draft.ts'
import { keep } from './draft.ts'
import type { Cut, Key, Value } from './storage.ts'
import { encodeValue } from './value-text.ts'

/** What somebody does to an account by hand. The journal keeps who did it and why. */
export interface ManualOperation {
  readonly accountId: string
  /** Unique in the account, chosen by the caller: the same id takes effect once, however often it is sent. 1 to 400 characters. */
  readonly opId: string
  /** Who does it: a person of the host, or one of its programs. 1 to 200 characters. */
  readonly actor: string
  /** 1 to 1,000 characters. */
  readonly reason: string
}

/** The id was used before for something else. */
export interface OperationConflict {
  readonly outcome: 'conflict'
}

/** How the ids of credit begin that an operation issues. Nobody else may use such an id. */
export const operationPrefix = 'op:'

/** @throws RangeError when the id, the actor or the reason is empty or too long. */
export function checkOperation({ opId, actor, reason }: ManualOperation): void {
  checkLength('opId', opId, 400)
  checkLength('actor', actor, 200)
  checkLength('reason', reason, 1000)
}

function checkLength(name: string, text: string, max: number): void {
  if (typeof text !== 'string' || text.length === 0 || text.length > max) {
    throw new RangeError(`"${name}" must be text of 1 to ${max} characters.`)
  }
}

export function operationKey(opId: string): Key {
  return `${operationPrefix}${opId}`
}

/** The id of the `ordinal`th credit that an operation issues. Unambiguous whatever the operation is called. */
export function issuedBy(opId: string, ordinal: number): string {
  return `${operationPrefix}${ordinal}:${opId}`
}

interface Done {
  readonly fingerprint: string
  readonly result: unknown
}

/** What was asked for, as text that is the same for the same request only. */
export function fingerprintOf(kind: string, request: ManualOperation): string {
  return encodeValue({ kind, request: { ...request } as unknown as Value })
}

/** What an operation of this id has answered before, or `undefined` when there was none. */
export function doneBefore<R>(
  cut: Cut,
  opId: string,
  fingerprint: string,
): R | OperationConflict | undefined {
  const done = cut.records.get(operationKey(opId)) as Done | undefined
  if (done === undefined) return undefined
  return done.fingerprint === fingerprint ? (done.result as R) : { outcome: 'conflict' }
}

/** Remembers the answer for ever: such operations are few, and a repeat may come however late. */
export function remember(draft: Draft, opId: string, fingerprint: string, result: object): void {
  keep(draft, {
    key: operationKey(opId),
    value: { fingerprint, result: result as Value },
    mode: 'create',
  })
}
