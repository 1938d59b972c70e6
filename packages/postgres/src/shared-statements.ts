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

/**
 * Writes many accounts as `writeStatement` writes one, each of them or not, and gives those that were written: $1 has the
 * accounts, $2 the keys that must not exist, $3 the records, $4 the entries, all as JSON.
 *
 * `turn` takes the rows in one order and passes over those that somebody else has locked: this statement never waits.
 */
export function sharedWriteStatement({
  names: { heads, records, journal },
  hasServerTime,
}: StatementOptions): string {
  const isOnTime = `abs(${hasServerTime ? serverMs : 'i.now'} - i.now) <= coalesce(i.tolerance, 'Infinity')`
  return `WITH i AS MATERIALIZED (SELECT * FROM json_to_recordset($1::json) AS i (account text, from_version bigint,
      to_version bigint, last_seq bigint, head text, now double precision, tolerance double precision)
    ), turn AS MATERIALIZED (
      SELECT h.account FROM ${heads} AS h JOIN i ON h.account = i.account
        WHERE h.version = i.from_version ORDER BY h.account FOR UPDATE OF h SKIP LOCKED
    ), moved AS (
      UPDATE ${heads} AS h SET version = i.to_version, last_seq = i.last_seq, head = i.head FROM i, turn
        WHERE h.account = turn.account AND i.account = turn.account AND h.version = i.from_version AND ${isOnTime}
          AND h.account NOT IN (SELECT r.account FROM json_to_recordset($2::json) AS a (account text, key text)
            JOIN ${records} AS r ON r.account = a.account AND r.key = a.key)
        RETURNING h.account
    ), put AS (
      INSERT INTO ${records} (account, key, long_key, due_at, keep_until, value)
        SELECT p.account, p.key, p.long_key, p.due_at, p.keep_until, p.value FROM moved JOIN
          json_to_recordset($3::json) AS p (account text, key text, long_key text, due_at double precision,
            keep_until double precision, value text) ON p.account = moved.account
        ON CONFLICT (account, key) DO UPDATE SET
          due_at = excluded.due_at, keep_until = excluded.keep_until, value = excluded.value
    ), appended AS (
      INSERT INTO ${journal} (account, seq, text, hash)
        SELECT e.account, e.seq, e.text, e.hash FROM moved JOIN
          json_to_recordset($4::json) AS e (account text, seq bigint, text text, hash text) ON e.account = moved.account
    )
    SELECT account, ${serverMs} AS ms FROM moved`
}
