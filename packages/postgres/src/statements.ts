import type { TableNames } from './table-names.ts'

export type ReadArgument = 'account' | 'keys' | 'until' | 'dueMax'
/** Columns of the rows that a write brings: the separator of texts, keys that must not exist, records, entries. */
export type RowArgument =
  | 'separator'
  | 'absent'
  | 'keys'
  | 'longKeys'
  | 'dueAts'
  | 'keepUntils'
  | 'values'
  | 'seqs'
  | 'texts'
  | 'hashes'
export type WriteArgument = 'account' | 'from' | 'to' | 'head' | 'lastSeq' | 'now' | 'tolerance' | RowArgument
export type PurgeArgument = WriteArgument | 'purgeMax'

/** The server's time in milliseconds. Not `now()`, which stands still while a transaction waits for a lock. */
export const serverMs: string = 'floor(extract(epoch FROM clock_timestamp()) * 1000)::double precision'

export interface StatementOptions {
  readonly names: TableNames
  /** Whether time is the server's. */
  readonly hasServerTime: boolean
}

/**
 * Reads one account: head, the records asked for, those that are due, when the next one will be, and the time. One
 * statement, so that all of it is of one version.
 */
export function readStatement(
  { names: { heads, records }, hasServerTime }: StatementOptions,
  { account, keys, until, dueMax }: Record<ReadArgument, string>,
): string {
  const time = hasServerTime ? serverMs : `'-Infinity'::double precision`
  return `WITH clock AS MATERIALIZED (SELECT ms, GREATEST(ms, ${until}) AS due_by FROM (SELECT ${time} AS ms) AS t)
    SELECT 'clock' AS kind, NULL::text AS key, NULL::text AS long_key,
        current_setting('transaction_read_only') AS value, ms AS at, NULL::bigint AS version, NULL::bigint AS seq
      FROM clock
    UNION ALL SELECT 'head', NULL, NULL, head, NULL, version, last_seq FROM ${heads} WHERE account = ${account}
    UNION ALL SELECT 'record', key, long_key, value, NULL, NULL, NULL FROM ${records}
      WHERE account = ${account} AND key = ANY (${keys})
    UNION ALL (SELECT 'due', key, long_key, value, due_at, NULL, NULL FROM ${records}
      WHERE account = ${account} AND due_at <= (SELECT due_by FROM clock) ORDER BY due_at, key LIMIT ${dueMax})
    UNION ALL (SELECT 'next', NULL, NULL, NULL, due_at, NULL, NULL FROM ${records}
      WHERE account = ${account} AND due_at > (SELECT due_by FROM clock) ORDER BY due_at LIMIT 1)`
}

export type WriteKind = 'create' | 'update' | 'purge'

/**
 * Writes one account if it is still at version `from`, all or nothing, and says whether it did.
 *
 * Everything hangs on the row that `moved` gives. It gives none when the account is at another version, when a record
 * exists that was taken to be absent, or when the time was taken to be another one. Whoever writes an account changes its
 * version, so where the version is right, everything else that this statement has seen of the account is right too. It never
 * waits: a row that somebody else has locked counts as lost.
 */
export function writeStatement(
  kind: WriteKind,
  { names: { heads, records, journal }, hasServerTime }: StatementOptions,
  argument: Record<WriteArgument, string> & { readonly purgeMax?: string },
): string {
  const { account, from, to, head, lastSeq, now, tolerance } = argument
  const split = (column: RowArgument) => `string_to_array(${argument[column]}, ${argument.separator})`
  const isOnTime = `abs(${hasServerTime ? serverMs : now} - ${now}) <= ${tolerance}`
  const isAbsent = `NOT EXISTS (
            SELECT 1 FROM ${records} AS r WHERE r.account = ${account} AND r.key = ANY (${split('absent')}))`
  const moved =
    kind === 'create'
      ? `moved AS (
        INSERT INTO ${heads} AS h (account, version, last_seq, head)
          SELECT ${account}, ${to}, ${lastSeq}, ${head} WHERE ${from} = 0 AND ${isOnTime} AND ${isAbsent}
          ON CONFLICT (account) DO NOTHING RETURNING h.account)`
      : `turn AS MATERIALIZED (
        SELECT h.account FROM ${heads} AS h WHERE h.account = ${account} AND h.version = ${from}
          FOR UPDATE SKIP LOCKED
      ), moved AS (
        UPDATE ${heads} AS h SET version = ${to}, last_seq = ${lastSeq}, head = ${head} FROM turn
          WHERE h.account = ${account} AND h.account = turn.account AND h.version = ${from}
            AND ${isOnTime} AND ${isAbsent}
          RETURNING h.account)`
  const purged = `, purged AS (
      DELETE FROM ${records} AS r USING moved
        WHERE r.account = ${account} AND r.key IN (
          SELECT old.key FROM ${records} AS old WHERE old.account = ${account} AND old.keep_until < ${now}
            AND NOT old.key = ANY (${split('keys')})
          ORDER BY old.keep_until LIMIT ${argument.purgeMax}))`
  return `WITH ${moved}, put AS (
      INSERT INTO ${records} (account, key, long_key, due_at, keep_until, value)
        SELECT moved.account, coalesce(p.key, ''), nullif(p.long_key, ''), p.due_at, p.keep_until, p.value FROM moved,
          unnest(${split('keys')}, ${split('longKeys')}, ${argument.dueAts}, ${argument.keepUntils}, ${split('values')})
            AS p (key, long_key, due_at, keep_until, value)
        ON CONFLICT (account, key) DO UPDATE SET
          due_at = excluded.due_at, keep_until = excluded.keep_until, value = excluded.value
    ), appended AS (
      INSERT INTO ${journal} (account, seq, text, hash)
        SELECT moved.account, e.seq, coalesce(e.text, ''), coalesce(e.hash, '') FROM moved,
          unnest(${argument.seqs}, ${split('texts')}, ${split('hashes')}) AS e (seq, text, hash)
    )${kind === 'purge' ? purged : ''}
    SELECT (SELECT count(*) FROM moved)::integer AS moved, ${serverMs} AS ms`
}

/**
 * Opens a transaction and waits until no other one is writing this account. Read committed, so that what is read next was
 * committed before; and bounded, so that a process that stops in the middle does not lock an account for ever.
 */
export function lockScript(
  { heads }: TableNames,
  { account, waitTimeoutMs }: { readonly account: string; readonly waitTimeoutMs: number },
): string {
  return `BEGIN ISOLATION LEVEL READ COMMITTED;
    SET LOCAL lock_timeout = '${Math.trunc(waitTimeoutMs)}ms';
    SET LOCAL idle_in_transaction_session_timeout = '${Math.trunc(waitTimeoutMs) * 2}ms';
    SELECT 1 FROM ${heads} WHERE account = ${account} FOR UPDATE`
}
