import { isOutcomeUnknown, isUnavailable, Unavailable } from '@farebox/core'

/** SQLite's primary result codes that have a meaning for the host. https://sqlite.org/rescode.html, read on 2026-11-22. */
const nameByCode: Readonly<Record<number, string>> = {
  5: 'SQLITE_BUSY',
  6: 'SQLITE_LOCKED',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  26: 'SQLITE_NOTADB',
}

const messageByName: Readonly<Record<string, string>> = {
  SQLITE_BUSY: 'The database is locked by another connection.',
  SQLITE_LOCKED: 'The database is locked by another connection.',
  SQLITE_READONLY: 'The database is read-only.',
  SQLITE_IOERR: 'The database file cannot be read or written.',
  SQLITE_CORRUPT: 'The database file is damaged.',
  SQLITE_FULL: 'The disk is full, or the database has reached its largest size.',
  SQLITE_CANTOPEN: 'The database file cannot be opened.',
  SQLITE_NOTADB: 'The database file is damaged, or is not a SQLite database.',
}

const closedPattern = /not open|is closed/i

/** Whether waiting helps: another connection writes, or the host has a transaction of its own open on our handle. */
export function isContention(error: unknown): boolean {
  const name = faultName(error)
  return name === 'SQLITE_BUSY' || name === 'SQLITE_LOCKED' || /within a transaction/.test(messageOf(error))
}

/** Whether the file may be read but not written. */
export function isReadOnly(error: unknown): boolean {
  return faultName(error) === 'SQLITE_READONLY'
}

/** Whether SQLite itself reported it, in one of the ways of the drivers. */
export function isDatabaseFault(error: unknown): boolean {
  return faultName(error) !== '' || closedPattern.test(messageOf(error))
}

/** Says in the host's words why surely nothing was applied. The driver's error, which may quote SQL, is only the cause. */
export function unavailable(cause: unknown): Error {
  if (isUnavailable(cause) || isOutcomeUnknown(cause)) return cause
  return new Unavailable(describeFault(cause), { cause })
}

export function describeFault(error: unknown): string {
  if (closedPattern.test(messageOf(error))) return 'The database handle is closed.'
  return messageByName[faultName(error)] ?? 'The database failed.'
}

// better-sqlite3 and libsql tell the code by name in `code`, extended by a suffix; node:sqlite by number in `errcode`.
function faultName(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  if ('code' in error && typeof error.code === 'string') {
    const name = /^SQLITE_[A-Z]+/.exec(error.code)?.[0]
    if (name !== undefined) return name
  }
  return 'errcode' in error ? (nameByCode[Number(error.errcode) & 0xff] ?? '') : ''
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}
