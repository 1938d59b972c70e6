import type { StoredEntry } from '../storage.ts'
import { decodeValue } from '../value-text.ts'
import type { Findings } from './report.ts'

type ReadJournal = (accountId: string, afterSeq: bigint, limit: number) => Promise<readonly StoredEntry[]>

/**
 * Reads the journal once more for operations that seem to be there twice, because what remembers them in little memory can
 * take one for another. `suspects` has each with the later of its entries.
 */
export async function findRepeats(
  readJournal: ReadJournal,
  accountId: string,
  suspects: ReadonlyMap<string, bigint>,
  findings: Findings,
): Promise<void> {
  const through = [...suspects.values()].reduce((a, b) => (a > b ? a : b), 0n)
  const first = new Map<string, bigint>()
  for (let seq = 0n; seq < through; ) {
    const page = await readJournal(accountId, seq, 500)
    for (const entry of page) {
      const operation = operationOf(entry)
      if (operation === undefined || !suspects.has(operation.opId)) continue
      const earlier = first.get(operation.opId)
      if (earlier === undefined) first.set(operation.opId, entry.seq)
      else if (entry.seq <= through) tell(findings, operation, entry.seq, earlier)
    }
    const last = page.at(-1)
    if (last === undefined || last.seq <= seq) return
    seq = last.seq
  }
}

interface Operation {
  readonly opId: string
  readonly requestId?: string
}

function tell(findings: Findings, { opId, requestId }: Operation, seq: bigint, earlier: bigint): void {
  findings.add({
    kind: 'repeated-operation',
    seq,
    ...(requestId === undefined ? {} : { requestId }),
    message: `Entry ${seq} books the operation "${opId}" again, after entry ${earlier}.`,
  })
}

function operationOf({ text }: StoredEntry): Operation | undefined {
  try {
    return decodeValue(text) as unknown as Operation
  } catch {
    return undefined
  }
}
