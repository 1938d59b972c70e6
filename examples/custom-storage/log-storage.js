import { checkDocumentKey, decodeValue, documentText, systemClock, Unavailable } from '@farebox/core'
import { apply, checkText, cutOf, forget, isDue, logged, newAccount } from './account.js'
import { openLogFile } from './log-file.js'

/**
 * Keeps state in an append-only log in a folder of its own: every answered write survives the loss of process and power. One
 * process at a time. Everything is in memory as well, and read from the log as the storage is opened.
 *
 * It is small so that it can be read. What it does not do: the log is never compacted, so it grows with every write, and
 * opening it takes as long as it is long.
 */
export async function openLogStorage(folder, { clock = systemClock } = {}) {
  const accounts = new Map()
  const documents = new Map()
  let lastVersion = 0n
  let isClosed = false
  const log = await openLogFile(folder, ({ account, write, key, document }) => {
    if (account !== undefined) apply(accountOf(account), write)
    else putDocument(key, document)
  })

  function accountOf(accountId) {
    let account = accounts.get(accountId)
    if (account === undefined) {
      account = newAccount()
      accounts.set(accountId, account)
    }
    return account
  }

  function putDocument(key, text) {
    lastVersion += 1n
    if (text === null) documents.delete(key)
    else documents.set(key, { text, version: lastVersion })
  }

  function check() {
    if (isClosed) throw new Unavailable('The log storage is closed.')
    log.check()
  }

  /** Whatever a caller is told must be on disk, and so must all that it has seen. */
  async function answered(result) {
    await log.flushed()
    return result
  }

  const ledger = {
    traits: { durability: 'local-fsync', sharedBy: 'process' },

    async transact(accountId, keys, reduce, { dueBy = 0, dueMax = 16 } = {}) {
      check()
      checkText(accountId)
      const account = accounts.get(accountId) ?? newAccount()
      const now = clock.now()
      // From here to `apply` nothing waits, so no other call comes between.
      const cut = cutOf(account, { keys: keys.map(checkText), until: Math.max(now, dueBy), dueMax, now })
      const { result, write } = reduce(cut)
      if (write === undefined) return answered(result)
      const line = logged(account, write)
      apply(account, line)
      accounts.set(accountId, account)
      forget(account, now)
      await log.add({ account: accountId, write: line })
      return result
    },

    async journal(accountId, afterSeq, limit) {
      check()
      const from = Number(afterSeq)
      return answered(accounts.get(accountId)?.journal.slice(from, from + limit) ?? [])
    },

    async scan(what, cursor, limit) {
      check()
      const accountIds = [...accounts]
        .filter(
          ([id, account]) =>
            (cursor === null || id > cursor) && (what === 'all' || isDue(account, what.dueBy)),
        )
        .map(([id]) => id)
        .sort()
        .slice(0, limit)
      return answered({ accountIds, cursor: accountIds.length < limit ? null : (accountIds.at(-1) ?? null) })
    },

    async close() {
      if (isClosed) return
      isClosed = true
      await log.close()
    },
  }

  const documentOf = (key) => {
    const { text, version } = documents.get(key)
    return { key, value: decodeValue(text), version }
  }

  const keys = {
    async get(key) {
      check()
      checkDocumentKey(key)
      return answered(documents.has(key) ? documentOf(key) : undefined)
    },

    async put(key, value, expectedVersion) {
      check()
      const text = documentText(key, value)
      if ((documents.get(key)?.version ?? null) !== expectedVersion) return answered(false)
      putDocument(key, text)
      await log.add({ key, document: text })
      return true
    },

    async delete(key, expectedVersion) {
      check()
      checkDocumentKey(key)
      if (documents.get(key)?.version !== expectedVersion) return answered(false)
      putDocument(key, null)
      await log.add({ key, document: null })
      return true
    },

    async list(prefix, cursor, limit) {
      check()
      const most = Math.min(Math.max(1, Math.trunc(limit)), 1000)
      const found = [...documents.keys()]
        .filter((key) => key.startsWith(prefix) && (cursor === null || key >= cursor))
        .sort()
      return answered({ documents: found.slice(0, most).map(documentOf), cursor: found[most] ?? null })
    },
  }

  return { ledger, keys }
}
