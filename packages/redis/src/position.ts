/** Which write of an account a state comes after. */
export interface Position {
  /** Goes up when a loss was accepted: what was known before no longer counts. */
  readonly epoch: number
  /** Counts the scripts that wrote the account. Each carries the writes of all calls that shared it. */
  readonly writes: number
  /** A name that no other write has. Two states with one mark are the same. */
  readonly mark: string
  readonly version: bigint
}

/** Whether two positions come after one and the same write. */
export function isSame(a: Position, b: Position): boolean {
  return a.mark === b.mark
}

/** How many of the last marks an account keeps, so that others can see whether theirs is among them. */
const marksKept = 256

/** The field that keeps the mark of a write, until another takes its place. */
export function markField(writes: number): string {
  return `m${writes % marksKept}`
}

export function markText({ writes, mark }: Pick<Position, 'writes' | 'mark'>): string {
  return `${writes} ${mark}`
}
