import { decodeValue, type Key, type Value } from '@farebox/core'
import type { AccountReading } from '@farebox/core/batching'
import type { Position } from './position.ts'

/** What one script has read of an account: all of it at one position. */
export interface Reading extends AccountReading<Position> {
  readonly serverMs: number
  /** Count and mark of the write whose place was asked for. */
  readonly markThen: string | undefined
  /** Why the account was stopped. */
  readonly frozen: string | undefined
}

/** How many others are ahead when the account's turn is somebody else's. */
export interface NotYet {
  readonly ahead: number
  readonly serverMs: number
}

type Text = string | null | undefined
type AccountFields = readonly [Text, Text, Text, Text, Text, Text, Text, Text]

/** Puts together what the script answers. `keys` are those that were asked for, `dueMax` how many due records at most. */
export function readingOf(
  answer: unknown,
  { keys, dueMax }: { readonly keys: readonly Key[]; readonly dueMax: number },
): Reading | NotYet {
  const [seconds, micros, ahead, account, values, dueKeys, dueTexts, next] = answer as readonly [
    string,
    string,
    number,
    AccountFields,
    readonly Text[],
    readonly string[],
    readonly Text[],
    string,
  ]
  const serverMs = millisecondsOf(seconds, micros)
  if (ahead > 0) return { ahead, serverMs }
  const [version, seq, head, epoch, writes, mark, frozen, markThen] = account
  const records = new Map<Key, Value | undefined>()
  for (const [index, key] of keys.entries()) {
    const text = values[index]
    records.set(key, text == null ? undefined : decodeValue(text))
  }
  const due = dueTexts.map((text, index) => ({
    key: dueKeys[2 * index] ?? '',
    value: decodeValue(text ?? ''),
    dueAt: scoreOf(dueKeys[2 * index + 1] ?? ''),
  }))
  const position: Position = {
    epoch: Number(epoch ?? 0),
    writes: Number(writes ?? 0),
    mark: mark ?? '',
    version: BigInt(version ?? 0),
  }
  return {
    head: head == null ? null : decodeValue(head),
    headChars: head?.length ?? 0,
    version: position.version,
    position,
    lastSeq: BigInt(seq ?? 0),
    records,
    due: due.sort((a, b) => a.dueAt - b.dueAt || (a.key < b.key ? -1 : 1)),
    isDueCut: due.length >= dueMax,
    nextDueAt: scoreOf(next),
    serverMs,
    markThen: markThen ?? undefined,
    frozen: frozen ?? undefined,
  }
}

/** What `TIME` answers, in whole milliseconds. */
export function millisecondsOf(seconds: string, micros: string): number {
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
}

function scoreOf(text: string): number {
  return text === 'inf' ? Number.POSITIVE_INFINITY : Number(text)
}
