import { markText, type Position } from './position.ts'
import type { Reading } from './reading.ts'

/** Where each account was when this process last saw it. */
export interface Sightings {
  get(accountId: string): Position | undefined
  /** Keeps the newest, whichever comes first. */
  note(accountId: string, position: Position): void
}

const accountsMax = 100_000

export function sightings(): Sightings {
  const seen = new Map<string, Position>()
  return {
    get: (accountId) => seen.get(accountId),
    note(accountId, position) {
      const known = seen.get(accountId)
      seen.delete(accountId)
      seen.set(accountId, known !== undefined && isAfter(known, position) ? known : position)
      if (seen.size <= accountsMax) return
      for (const oldest of seen.keys()) {
        seen.delete(oldest)
        break
      }
    },
  }
}

/**
 * Whether what was read follows what was known before it was asked for. `behind`: writes are missing that were seen.
 * `forked`: others stand in their place.
 */
export function judge(
  known: Position | undefined,
  { position: found, markThen }: Pick<Reading, 'position' | 'markThen'>,
): 'whole' | 'behind' | 'forked' {
  if (known === undefined || found.epoch > known.epoch) return 'whole'
  if (found.epoch < known.epoch || found.writes < known.writes) return 'behind'
  if (found.writes === known.writes) return found.mark === known.mark ? 'whole' : 'forked'
  // The place of a mark is taken by another one later: then nobody can tell any more.
  const isKept = markThen?.startsWith(`${known.writes} `) === true
  return isKept && markThen !== markText(known) ? 'forked' : 'whole'
}

function isAfter(a: Position, b: Position): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.writes > b.writes)
}
