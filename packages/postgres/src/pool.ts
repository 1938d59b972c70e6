/** A statement with its parameters. `name` makes the driver prepare it once for each connection. */
export interface PostgresQuery {
  readonly text: string
  values?: unknown[]
  name?: string
}

export interface PostgresResult {
  readonly rows: readonly unknown[]
  /** What the server says it did: `SELECT`, `COMMIT`. */
  readonly command: string
}

/** A connection that was taken out of a pool, as far as the store uses it. */
export interface PostgresClient {
  /** Several statements in one text give a list of results. */
  query(query: PostgresQuery): Promise<PostgresResult>
  /** Gives the connection back; `true` closes it, because nobody knows what state it is in. */
  release(isBroken?: boolean): void
  on(event: 'error' | 'notice', listener: (message: Error) => void): unknown
  removeListener(event: 'error' | 'notice', listener: (message: Error) => void): unknown
}

/** A `Pool` of your own `pg`. It may be shared with the rest of the host; the store leaves nothing set on its connections. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>
  /** A pool tells of connections that are lost while nobody uses them; without a listener that ends the process. */
  on(event: 'error', listener: (error: Error) => void): unknown
}
