import { createReadStream } from 'node:fs'
import type { ArchivedEntry, JournalArchive } from '../ledger/audit/archive.ts'

/**
 * What `jsonLinesFile` has written, one file or several that were begun one after the other, for the audit of journals that
 * were trimmed. Each file is read once to find out where each account's lines are, and then account by account. It
 * remembers a place for every batch, not for every entry.
 */
export function jsonLinesArchive(paths: readonly string[]): JournalArchive {
  let index: Promise<Index> | undefined
  return {
    async *entries(accountId) {
      index ??= indexOf(paths)
      for (const { path, start, end } of (await index).get(accountId) ?? []) {
        for await (const { text, offset } of linesOf(path, start, end))
          yield entryOf(text, path, offset).entry
      }
    },
  }
}

/** Lines of one account that follow each other. */
interface Run {
  readonly path: string
  readonly start: number
  end: number
  readonly firstSeq: bigint
}

/** In the order of their first entry, whatever order the files were named in. */
type Index = ReadonlyMap<string, readonly Run[]>

async function indexOf(paths: readonly string[]): Promise<Index> {
  const index = new Map<string, Run[]>()
  for (const path of paths) {
    let last: (Run & { readonly accountId: string }) | undefined
    for await (const { text, offset, end } of linesOf(path)) {
      const { accountId, entry } = entryOf(text, path, offset)
      if (last?.accountId === accountId) {
        last.end = end
        continue
      }
      last = { accountId, path, start: offset, end, firstSeq: entry.seq }
      const runs = index.get(accountId)
      if (runs === undefined) index.set(accountId, [last])
      else runs.push(last)
    }
  }
  for (const runs of index.values()) runs.sort((a, b) => (a.firstSeq < b.firstSeq ? -1 : 1))
  return index
}

interface Line {
  readonly text: string
  readonly offset: number
  /** Where the next one begins. */
  readonly end: number
}

/** The whole lines of a file, or of a part of it. A last line that a crash has cut off is none: its entry came once more. */
async function* linesOf(path: string, start = 0, end = Number.POSITIVE_INFINITY): AsyncGenerator<Line> {
  let offset = start
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of createReadStream(path, { start, end: end - 1 }) as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = 0
    for (let newline = bytes.indexOf(0x0a); newline !== -1; newline = bytes.indexOf(0x0a, from)) {
      const next = offset + newline + 1 - from
      yield { text: bytes.toString('utf8', from, newline), offset, end: next }
      offset = next
      from = newline + 1
    }
    rest = bytes.subarray(from)
  }
}

/** The account's name is JSON, so what stands between the other members can not stand in it. */
const linePattern = /^\{"account":(".*?"),"seq":"(\d+)","hash":"([^"]*)","entry":(.*)\}$/su

/** The text behind `entry` is taken as it stands: it is what was hashed. */
function entryOf(text: string, path: string, offset: number): { accountId: string; entry: ArchivedEntry } {
  const [, account = '', seq = '', hash = '', entry = ''] = linePattern.exec(text) ?? []
  if (seq === '') throw new Error(`${path} has no entry of a journal at byte ${offset}.`)
  return { accountId: JSON.parse(account) as string, entry: { seq: BigInt(seq), text: entry, hash } }
}
