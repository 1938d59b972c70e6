import type { Connections } from './connections.ts'
import { writeFault } from './fault.ts'
import type { Tables } from './tables.ts'

export interface TrimOptions {
  readonly connections: Connections
  readonly tables: Tables
  readonly accountId: string
  readonly throughSeq: bigint
}

/** Entries in one statement: some milliseconds of work. Each is a commit of its own, on a connection taken for it alone. */
const entriesMax = 1000n

/**
 * Deletes the first entries of a journal. By ranges of its key, which leads to them without a scan: entries have numbers
 * without gaps, so a range has at most as many rows as it is long. A range has a beginning too: without it every statement would
 * walk over all that the ones before it have deleted, and the planner might rather read the whole table.
 */
export async function trim({ connections, tables, accountId, throughSeq }: TrimOptions): Promise<void> {
  const first = await connections.read((connection) => tables.firstEntry(connection, accountId))
  if (first === undefined) return
  for (let from = first; from <= throughSeq; from += entriesMax) {
    const through = from + entriesMax - 1n
    const last = through < throughSeq ? through : throughSeq
    try {
      await connections.use((connection) => tables.deleteEntries(connection, accountId, from, last))
    } catch (error) {
      throw writeFault(error)
    }
  }
}
