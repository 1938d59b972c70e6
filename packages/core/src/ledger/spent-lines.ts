import { assert } from '../assert.ts'
import { type Nano, nano, zero } from '../money.ts'
import type { Draft } from './draft.ts'
import { RecordsNeeded } from './records-needed.ts'
import type { Key, Value } from './storage.ts'

/** What somebody inside an account has used of it in one period, and holds for requests that began in it. */
export type SpentLine = { readonly periodKey: string; readonly held: Nano; readonly used: Nano }

/** Stands for a period where what is used counts for good. */
export const lifetime = 'lifetime'

/** How much more, or less, is held and used. */
export interface LineChange {
  readonly held?: bigint
  readonly used?: bigint
}

/** A record of lines may be forgotten so long after the last one was counted in. Two periods fit into it. */
export const keepLinesMs: number = 70 * 24 * 3_600_000

const linesMax = 2

/** @throws RecordsNeeded when the record was not asked for. `null` when it does not exist. */
export function recordOf(draft: Draft, key: Key): Value {
  const value = draft.puts.get(key)?.value ?? draft.records.get(key)
  if (value === undefined) throw new RecordsNeeded([key])
  return value
}

export function lineOf(lines: readonly SpentLine[], periodKey: string): SpentLine {
  return lines.find((line) => line.periodKey === periodKey) ?? { periodKey, held: zero, used: zero }
}

/** What is left of a cap on a period; `null` for no bound, as of a period that was forgotten. */
export function leftOf(
  draft: Draft,
  lines: readonly SpentLine[],
  cap: Nano | null,
  periodKey: string,
): Nano | null {
  if (cap === null || !isCounted(draft, lines, periodKey)) return null
  const { held, used } = lineOf(lines, periodKey)
  const left = cap - used - held
  return left > 0n ? nano(left) : zero
}

/**
 * The lines of the last two periods with what a request holds, uses, or gives back. `undefined` for a period that was forgotten
 * meanwhile: it takes nothing any more, and nobody is held to its cap.
 */
export function countedIn(
  draft: Draft,
  lines: readonly SpentLine[],
  periodKey: string,
  { held = 0n, used = 0n }: LineChange,
): readonly SpentLine[] | undefined {
  if (!isCounted(draft, lines, periodKey)) return undefined
  const isKnown = lines.some((line) => line.periodKey === periodKey)
  const before = lineOf(lines, periodKey)
  const line = { periodKey, held: nano(before.held + held), used: nano(before.used + used) }
  assert(line.held >= 0n && line.used >= 0n, 'somebody would have used less than nothing')
  return isKnown
    ? lines.map((each) => (each.periodKey === periodKey ? line : each))
    : [...lines, line].slice(-linesMax)
}

function isCounted({ account }: Draft, lines: readonly SpentLine[], periodKey: string): boolean {
  return (
    periodKey === account.period.key ||
    periodKey === lifetime ||
    lines.some((line) => line.periodKey === periodKey)
  )
}
