import { OutcomeUnknown, Unavailable } from '@farebox/core'
import { isRefused, unavailable } from './fault.ts'
import type { PostgresClient, PostgresPool, PostgresQuery, PostgresResult } from './pool.ts'

/** A connection while it is taken out of the pool. What it throws is the driver's own. */
export interface Connection {
  query(query: PostgresQuery): Promise<readonly unknown[]>
  /** Several statements in one text, which take one way there and back. */
  script(text: string): Promise<readonly PostgresResult[]>
}

export interface Connections {
  /** Takes a connection for as long as the work takes. @throws Unavailable when none becomes free in time. */
  use<T>(work: (connection: Connection) => Promise<T>): Promise<T>
  /** The same for work that changes nothing. @throws Unavailable whatever goes wrong. */
  read<T>(work: (connection: Connection) => Promise<T>): Promise<T>
}

export interface ConnectionOptions {
  readonly waitTimeoutMs: number
  readonly answerTimeoutMs: number
  /** Done on a connection before the work, every time. */
  readonly prepare: (connection: Connection) => Promise<void> | undefined
}

/** Takes connections out of the host's pool and gives them back, whatever happens, and broken ones to be closed. */
export function connections(pool: PostgresPool, options: ConnectionOptions): Connections {
  async function use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const client = await takeOut(pool, options.waitTimeoutMs)
    const held = hold(client, options.answerTimeoutMs)
    try {
      const preparing = options.prepare(held.connection)
      if (preparing !== undefined) await preparing
      return await work(held.connection)
    } finally {
      held.giveBack()
    }
  }

  return {
    use,
    async read(work) {
      try {
        return await use(work)
      } catch (error) {
        throw unavailable(error)
      }
    },
  }
}

/** A pool waits without an end if the host did not say otherwise, and its own limit may be longer than ours. */
function takeOut(pool: PostgresPool, waitTimeoutMs: number): Promise<PostgresClient> {
  return new Promise((resolve, reject) => {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      reject(new Unavailable(`No connection of the pool became free within ${waitTimeoutMs} ms.`))
    }, waitTimeoutMs)
    pool.connect().then(
      (client) => {
        clearTimeout(timer)
        if (isLate) client.release()
        else resolve(client)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(unavailable(error))
      },
    )
  })
}

interface HeldClient {
  readonly connection: Connection
  giveBack(): void
}

function hold(client: PostgresClient, answerTimeoutMs: number): HeldClient {
  let isBroken = false
  let isUnconfirmed = false
  // While a client is out, the pool does not listen to it, and an error that nobody hears ends the process.
  const onError = (): void => {
    isBroken = true
  }
  const onNotice = (notice: Error): void => {
    if (isUnconfirmedCommit(notice)) isUnconfirmed = true
  }
  client.on('error', onError)
  client.on('notice', onNotice)

  async function answer(query: PostgresQuery): Promise<PostgresResult> {
    let result: PostgresResult
    try {
      result = await inTime(client.query(query), answerTimeoutMs)
    } catch (error) {
      if (!isRefused(error)) isBroken = true
      throw error
    }
    if (isUnconfirmed) {
      isUnconfirmed = false
      throw new OutcomeUnknown('The commit was written, but no standby has confirmed it.')
    }
    return result
  }

  return {
    connection: {
      query: async (query) => (await answer(query)).rows,
      async script(text) {
        const results: PostgresResult | readonly PostgresResult[] = await answer({ text })
        return Array.isArray(results) ? results : [results]
      },
    },
    giveBack() {
      client.removeListener('error', onError)
      client.removeListener('notice', onNotice)
      client.release(isBroken)
    },
  }
}

/**
 * Somebody cancelled the statement while its commit waited for a standby. The server then answers as if all were well, with a
 * warning: it is known by the place in the server's code that it comes from, because its text may be in any language.
 */
function isUnconfirmedCommit(notice: Error): boolean {
  return 'routine' in notice && notice.routine === 'SyncRepWaitForLSN'
}

function inTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`timeout: the database did not answer within ${timeoutMs} ms.`)),
      timeoutMs,
    )
    answer.then(
      (result) => {
        clearTimeout(timer)
        resolve(result)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}
