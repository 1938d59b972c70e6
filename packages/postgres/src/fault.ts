import { isOutcomeUnknown, isUnavailable, OutcomeUnknown, Unavailable } from '@farebox/core'
import { sqlState } from './sql-state.ts'

/** SQLSTATEs that have a meaning for the host. https://www.postgresql.org/docs/18/errcodes-appendix.html, read on 2026-11-26. */
const messageByCode: Readonly<Record<string, string>> = {
  '08P01': 'The pooler before the database gave up.',
  '25006': 'The database is read-only: it is a standby, or writing was turned off.',
  '25P03': 'The database ended a transaction that stood still for too long.',
  '28000': 'The database refuses this role.',
  '28P01': 'The database refuses this password.',
  '3D000': 'There is no such database.',
  '40001': 'The account was written by others at the same time, again and again.',
  '40P01': 'The database found a deadlock.',
  '42501': 'The role may not use the tables of Farebox.',
  '53100': 'The disk of the database is full.',
  '53200': 'The database is out of memory.',
  '53300': 'The database takes no more connections.',
  '55P03': 'The account stayed locked for too long.',
  '57014': 'The database cancelled the statement: it took longer than allowed.',
  '57P01': 'The database is shutting down.',
  '57P02': 'The database crashed and restarts.',
  '57P03': 'The database is starting up or shutting down.',
  '58030': 'The database cannot read or write its files.',
}

const messageBySystemCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'The database refuses connections.',
  ECONNRESET: 'The connection to the database was lost.',
  EPIPE: 'The connection to the database was lost.',
  ENOENT: 'The socket of the database is not there.',
  ENOTFOUND: "The database's host name is not known.",
  ETIMEDOUT: 'The database did not answer.',
}

/**
 * These may come with the end of the server process (FATAL, PANIC) after a commit was written down and before it was
 * answered: connection faults, shutdown, a full disk, a failed write, internal errors, and what a pooler says when it lost its
 * server.
 */
const maybeFatal = /^(08...|25P03|25P04|40003|53...|57P..|58...|XX...)$/

/** Whether the server itself refused the statement and rolled back, so that its connection goes on as before. */
export function isRefused(error: unknown): boolean {
  const code = sqlState(error)
  if (code === undefined) return false
  if (!maybeFatal.test(code)) return true
  return !/^(08|40)/.test(code) && (error as { severity?: unknown }).severity === 'ERROR'
}

/** Whether another transaction on the same account came between, and trying again helps. */
export function isContention(error: unknown): boolean {
  const code = sqlState(error)
  return code === '40001' || code === '40P01' || code === '23505'
}

/** Whether a table or column is not there. */
export function isMissingTable(error: unknown): boolean {
  return /^(42P01|42703|3F000)$/.test(sqlState(error) ?? '')
}

/** What became of a write that failed once it was sent. */
export function writeFault(cause: unknown): Unavailable | OutcomeUnknown {
  if (isOutcomeUnknown(cause) || isRefused(cause)) return isOutcomeUnknown(cause) ? cause : unavailable(cause)
  if (isUnavailable(cause)) return cause
  return new OutcomeUnknown(`Nobody knows whether the write was committed. ${describeFault(cause)}`, {
    cause,
  })
}

/** For what surely applied nothing. The driver's error, which may quote SQL, is only the cause. */
export function unavailable(cause: unknown): Unavailable {
  return isUnavailable(cause) ? cause : new Unavailable(describeFault(cause), { cause })
}

function describeFault(error: unknown): string {
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : ''
  const known = messageByCode[code] ?? messageBySystemCode[code]
  if (known !== undefined) return known
  if (/Cannot use a pool after calling end/.test(message)) return 'The pool has been ended.'
  if (/timeout exceeded when trying to connect/.test(message)) return 'The pool gave no connection in time.'
  if (/terminat|timeout/i.test(message)) return 'The connection to the database was lost.'
  return 'The database failed.'
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  // A host name with several addresses fails with one error for each of them.
  if ('errors' in error && Array.isArray(error.errors)) return codeOf(error.errors[0])
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}
