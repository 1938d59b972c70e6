import type { Cut, Decision, Key, Reduce, Value } from '../storage.ts'
import type { AccountDraft } from './account-draft.ts'
import { prepareWrite } from './prepared-write.ts'

export interface Call {
  readonly accountId: string
  readonly keys: readonly Key[]
  readonly reduce: Reduce<unknown>
  readonly dueBy: number
  readonly dueMax: number
}

export type Outcome =
  | { readonly kind: 'decided'; readonly result: unknown; readonly isWrite: boolean }
  | { readonly kind: 'failed'; readonly error: unknown }

/**
 * Decides calls one after another, each on what the earlier ones wrote. A call that fails leaves the others alone. Ends
 * before the first one whose due records have to be read.
 */
export function decideAll(
  calls: readonly Call[],
  draft: AccountDraft<unknown>,
  now: number,
): readonly Outcome[] {
  const outcomes: Outcome[] = []
  for (const call of calls) {
    const due = draft.due(Math.max(now, call.dueBy), call.dueMax + 1)
    if (due === undefined) break
    outcomes.push(decide(call, draft, due, now))
  }
  return outcomes
}

function decide(call: Call, draft: AccountDraft<unknown>, due: Cut['due'], now: number): Outcome {
  try {
    const decision: Decision<unknown> = call.reduce(cutOf(call, draft, due, now))
    if (decision.write !== undefined) draft.apply(prepareWrite(decision.write))
    return { kind: 'decided', result: decision.result, isWrite: decision.write !== undefined }
  } catch (error) {
    return { kind: 'failed', error }
  }
}

/** What a call is shown of its account. `due` has one record more than it asked for when there are more. */
export function cutOf(
  call: Pick<Call, 'keys' | 'dueMax'>,
  draft: Pick<AccountDraft<unknown>, 'head' | 'version' | 'record'>,
  due: Cut['due'],
  now: number,
): Cut {
  const records = new Map<Key, Value>()
  for (const key of call.keys) {
    const value = draft.record(key)
    if (value !== undefined) records.set(key, value)
  }
  const moreDue = due.length > call.dueMax
  return {
    head: draft.head,
    records,
    due: moreDue ? due.slice(0, call.dueMax) : due,
    moreDue,
    version: draft.version,
    now,
  }
}
