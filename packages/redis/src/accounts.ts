import type { Key, StoredEntry } from '@farebox/core'
import type { DraftChanges } from '@farebox/core/batching'
import type { Commands } from './commands.ts'
import type { KeyNames } from './key-names.ts'
import { markField, markText, type Position } from './position.ts'
import { millisecondsOf, type NotYet, type Reading, readingOf } from './reading.ts'
import {
  accountExists,
  leaveTurn,
  readAccount,
  readFirstDue,
  readJournal,
  trimJournal,
  writeAccount,
} from './scripts.ts'

export interface ReadRequest {
  readonly accountId: string
  readonly keys: readonly Key[]
  readonly dueBy: number
  readonly dueMax: number
  /** Whose mark to look up as well. */
  readonly known: Position | undefined
  /** Waits for the account's turn under this name. */
  readonly token: string | undefined
}

export interface WriteRequest {
  readonly accountId: string
  readonly changes: AccountChanges
  readonly from: Position
  readonly to: Position
  /** Keys that the changes rely on not to exist. */
  readonly absent: readonly Key[]
  readonly now: number
  readonly toleranceMs: number
  /** How many expired records to delete on the way, or none for 0. */
  readonly purgeMax: number
  /** Passes the turn on that was had under this name. */
  readonly token: string | undefined
  /** Puts back a write that was lost, also on an account that was stopped. */
  readonly isReplay: boolean
}

export type AccountChanges = Pick<DraftChanges, 'headText' | 'lastSeq' | 'puts' | 'entries'>

export interface WriteAnswer {
  readonly outcome: 'written' | 'lost' | 'frozen'
  readonly serverMs: number
}

/** The scripts of the store. What they mean is decided elsewhere. Each names one account. */
export interface Accounts {
  read(request: ReadRequest): Promise<Reading | NotYet>
  /** Compare-and-set. */
  write(request: WriteRequest): Promise<WriteAnswer>
  leaveTurn(accountId: string, token: string): Promise<void>
  readJournal(accountId: string, afterSeq: bigint, limit: number): Promise<readonly StoredEntry[]>
  /** Forgets entries up to this one. */
  trim(accountId: string, throughSeq: bigint): Promise<void>
  /** When the first record becomes due. */
  firstDue(accountId: string): Promise<number | undefined>
  exists(accountId: string): Promise<boolean>
}

export interface AccountsOptions {
  readonly names: KeyNames
  readonly commands: Commands
  readonly hasServerTime: boolean
}

/** A process that stops in the middle holds an account up for so long, once. */
const turnMs = 300

export function accounts({ names, commands, hasServerTime }: AccountsOptions): Accounts {
  const keysOf = (accountId: string): readonly string[] => {
    const { account, due, keep, journal } = names.of(accountId)
    return [account, due, keep, journal]
  }
  const isServerTime = hasServerTime ? '1' : '0'

  return {
    async read({ accountId, keys, dueBy, dueMax, known, token }) {
      const answer = await commands.read(readAccount, keysOf(accountId), [
        String(dueBy),
        String(dueMax),
        isServerTime,
        markField(known?.writes ?? 0),
        token ?? '',
        String(turnMs),
        ...keys.map(recordField),
      ])
      return readingOf(answer, { keys, dueMax })
    },
    async write(request) {
      const args = writeArguments(request, isServerTime)
      const answer = await commands.write(writeAccount, keysOf(request.accountId), args)
      const [seconds, micros, outcome] = answer as readonly [string, string, WriteAnswer['outcome']]
      return { outcome, serverMs: millisecondsOf(seconds, micros) }
    },
    async leaveTurn(accountId, token) {
      await commands.write(leaveTurn, [names.of(accountId).account], [token, String(turnMs)])
    },
    async readJournal(accountId, afterSeq, limit) {
      if (limit < 1) return []
      const { journal } = names.of(accountId)
      const found = await commands.read(readJournal, [journal], [`${afterSeq + 1n}-0`, String(limit)])
      return (found as readonly StreamEntry[]).map(([id, [, text, , hash]]) => ({
        seq: BigInt(id.slice(0, id.indexOf('-'))),
        text,
        hash,
      }))
    },
    async trim(accountId, throughSeq) {
      const { journal } = names.of(accountId)
      await commands.write(trimJournal, [journal], [`${throughSeq + 1n}-0`])
    },
    async firstDue(accountId) {
      const found = await commands.read(readFirstDue, [names.of(accountId).due], [])
      return found == null ? undefined : Number(found)
    },
    async exists(accountId) {
      return (await commands.read(accountExists, [names.of(accountId).account], [])) === 1
    },
  }
}

type StreamEntry = readonly [id: string, fields: readonly [string, string, string, string]]

/** Records stand in the account's own hash, behind a letter, so that no key looks like a field of the store. */
function recordField(key: Key): string {
  return `r${key}`
}

function writeArguments(request: WriteRequest, isServerTime: string): string[] {
  const { from, to, changes, absent, now, toleranceMs, purgeMax, token, isReplay } = request
  const due: string[] = []
  const undue: string[] = []
  const keep: string[] = []
  const kept: string[] = []
  const fields = [
    ...['version', String(to.version), 'seq', String(changes.lastSeq), 'head', changes.headText],
    ...['epoch', String(to.epoch), 'writes', String(to.writes), 'mark', to.mark],
    ...[markField(to.writes), markText(to)],
  ]
  for (const { put, text } of changes.puts) {
    fields.push(recordField(put.key), text)
    // A record that was not there before is in neither index.
    const isNew = put.mode === 'create' && !isReplay
    if (put.dueAt !== undefined) due.push(String(put.dueAt), put.key)
    else if (!isNew) undue.push(put.key)
    if (put.keepUntil !== undefined) keep.push(String(put.keepUntil), put.key)
    else if (!isNew) kept.push(put.key)
  }
  const lists = [absent.map(recordField), fields, due, undue, keep, kept]
  const args = [
    String(from.version),
    from.mark,
    String(now),
    String(Number.isFinite(toleranceMs) ? toleranceMs : Number.MAX_SAFE_INTEGER),
    isReplay ? '0' : isServerTime,
    String(purgeMax),
    token ?? '',
    String(turnMs),
    to.mark,
    isReplay ? '1' : '0',
  ]
  for (const list of lists) args.push(String(list.length))
  for (const list of lists) for (const part of list) args.push(part)
  for (const { seq, text, hash } of changes.entries) args.push(`${seq}-0`, text, hash)
  return args
}
