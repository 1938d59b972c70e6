import { readStatement, type StatementOptions, serverMs } from './statements.ts'

/** Reads many accounts as `readStatement` reads one: $1 says which, as JSON, and $2 how many due records of each at most. */
export function sharedReadStatement(options: StatementOptions): string {
  const one = readStatement(options, {
    account: 'i.account',
    keys: 'ARRAY(SELECT json_array_elements_text(i.keys))',
    until: 'i.until',
    dueMax: '$2::integer',
  })
  return `SELECT i.account, r.* FROM
      json_to_recordset($1::json) AS i (account text, keys json, until double precision)
      CROSS JOIN LATERAL (${one}) AS r`
}

/** The columns of a write of many accounts, in the order of its parameters. A row's place says which account it is of. */
export const sharedWriteColumns = [
  ['separator', 'text'],
  ['accounts', 'text'],
  ['fromVersions', 'bigint[]'],
  ['toVersions', 'bigint[]'],
  ['lastSeqs', 'bigint[]'],
  ['heads', 'text'],
  ['nows', 'double precision[]'],
  ['tolerances', 'double precision[]'],
  ['absentPlaces', 'integer[]'],
  ['absentKeys', 'text'],
  ['recordPlaces', 'integer[]'],
  ['keys', 'text'],
  ['longKeys', 'text'],
  ['dueAts', 'double precision[]'],
  ['keepUntils', 'double precision[]'],
  ['values', 'text'],
  ['entryPlaces', 'integer[]'],
  ['seqs', 'bigint[]'],
  ['texts', 'text'],
  ['hashes', 'text'],
] as const

export type SharedWriteColumn = (typeof sharedWriteColumns)[number][0]

/**
 * Writes many accounts as `writeStatement` writes one, each of them or not, and gives those that were written.
 *
 * `turn` takes the rows in one order and passes over those that somebody else has locked: this statement never waits.
 */
export function sharedWriteStatement({
  names: { heads, records, journal },
  hasServerTime,
}: StatementOptions): string {
  const column = (name: SharedWriteColumn): string => {
    const index = sharedWriteColumns.findIndex(([known]) => known === name)
    const type = sharedWriteColumns[index]?.[1]
    return type === 'text' ? `string_to_array($${index + 1}::text, $1::text)` : `$${index + 1}::${type}`
  }
  const rows = (...names: readonly SharedWriteColumn[]) => `unnest(${names.map(column).join(', ')})`
  const isOnTime = `abs(${hasServerTime ? serverMs : 'i.now'} - i.now) <= i.tolerance`
  // Looked up one by one, whatever the server's statistics make it believe of the tables.
  const isThere = `(SELECT true FROM ${records} AS r WHERE r.account = i.account AND r.key = coalesce(a.key, ''))`
  return `WITH i AS MATERIALIZED (
      SELECT * FROM ${rows('accounts', 'fromVersions', 'toVersions', 'lastSeqs', 'heads', 'nows', 'tolerances')}
        WITH ORDINALITY AS i (account, from_version, to_version, last_seq, head, now, tolerance, place)
    ), turn AS MATERIALIZED (
      SELECT h.account FROM ${heads} AS h JOIN i ON h.account = i.account
        WHERE h.version = i.from_version ORDER BY h.account FOR UPDATE OF h SKIP LOCKED
    ), moved AS (
      UPDATE ${heads} AS h SET version = i.to_version, last_seq = i.last_seq, head = i.head FROM i, turn
        WHERE h.account = turn.account AND i.account = turn.account AND h.version = i.from_version AND ${isOnTime}
          AND i.place NOT IN (SELECT a.place FROM ${rows('absentPlaces', 'absentKeys')} AS a (place, key)
            JOIN i ON i.place = a.place WHERE ${isThere})
        RETURNING h.account, i.place
    ), put AS (
      INSERT INTO ${records} (account, key, long_key, due_at, keep_until, value)
        SELECT moved.account, coalesce(p.key, ''), nullif(p.long_key, ''), p.due_at, p.keep_until, p.value FROM moved JOIN
          ${rows('recordPlaces', 'keys', 'longKeys', 'dueAts', 'keepUntils', 'values')}
            AS p (place, key, long_key, due_at, keep_until, value) ON p.place = moved.place
        ON CONFLICT (account, key) DO UPDATE SET
          due_at = excluded.due_at, keep_until = excluded.keep_until, value = excluded.value
    ), appended AS (
      INSERT INTO ${journal} (account, seq, text, hash)
        SELECT moved.account, e.seq, coalesce(e.text, ''), coalesce(e.hash, '') FROM moved JOIN
          ${rows('entryPlaces', 'seqs', 'texts', 'hashes')}
            AS e (place, seq, text, hash) ON e.place = moved.place
    )
    SELECT account, ${serverMs} AS ms FROM moved`
}
