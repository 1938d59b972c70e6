import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { GatewayError } from '../errors.ts'
import type { KeyCap } from '../ledger/key-cap.ts'
import type { KeyStore } from '../ledger/key-store.ts'
import type { RateLimits } from '../ledger/rate-limits.ts'
import { reach } from '../ledger/reach.ts'

/** An API key as it is stored: everything but the key. */
export type KeyDocument = {
  readonly keyId: string
  readonly accountId: string
  /** SHA-256 of the key's text, in hexadecimal. */
  readonly hash: string
  readonly createdAtMs: number
  readonly name?: string
  readonly memberId?: string
  readonly expiresAtMs?: number
  readonly limits?: RateLimits
  readonly cap?: KeyCap
  readonly models?: readonly string[]
}

/** Where API keys are kept: each a document under its id, and a note under its account, to list them by. */
export interface KeyDocuments {
  read(keyId: string): Promise<KeyDocument | undefined>
  /** Gives whether the id was free. */
  create(document: KeyDocument): Promise<boolean>
  /** Gives whether this account had it. When it answers, every process can know. */
  remove(accountId: string, keyId: string): Promise<boolean>
  /** Gives another cap to a key, or takes it away. Gives whether this account has it. When it answers, every process can know. */
  cap(accountId: string, keyId: string, cap: KeyCap | null): Promise<boolean>
  /** By when they were made, oldest first. */
  list(accountId: string): Promise<readonly KeyDocument[]>
  /** Another one after every removal and every other cap. */
  epoch(): Promise<bigint | undefined>
}

/** Keys of one account. */
const keysMax = 1_000
const pageMax = 100
const tries = 20

const epochKey = 'api-key-epoch'
const keyOf = (keyId: string) => `api-key:${keyId}`
/** Of one length, and no account's begins with another's. */
const notesOf = (accountId: string) =>
  `api-key-of:${createHash('sha256').update(accountId).digest('base64url')}:`

export function createKeyDocuments(keys: KeyStore, clock: Clock): KeyDocuments {
  const get = (key: string) => reach(clock, () => keys.get(key))
  const put = (...request: Parameters<KeyStore['put']>) => reach(clock, () => keys.put(...request))

  async function read(keyId: string): Promise<KeyDocument | undefined> {
    return (await get(keyOf(keyId)))?.value as KeyDocument | undefined
  }

  async function noted(accountId: string): Promise<readonly string[]> {
    const start = notesOf(accountId)
    const keyIds: string[] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<KeyStore['list']>> = await reach(clock, () =>
        keys.list(start, cursor, pageMax),
      )
      keyIds.push(...page.documents.map(({ key }) => key.slice(start.length)))
      cursor = page.cursor
    } while (cursor !== null && keyIds.length <= keysMax)
    return keyIds
  }

  async function erase(key: string): Promise<boolean> {
    for (let attempt = 0; attempt < tries; attempt += 1) {
      const found = await get(key)
      if (found === undefined) return attempt > 0
      if (await reach(clock, () => keys.delete(key, found.version))) return true
    }
    throw tooManyChanges()
  }

  /** When somebody else was faster, they changed it after the key was gone: that is as good. */
  async function turnEpoch(): Promise<void> {
    const found = await get(epochKey)
    await put(epochKey, clock.now(), found?.version ?? null)
  }

  return {
    read,

    async create(document) {
      const { accountId, keyId, hash } = document
      if ((await noted(accountId)).length >= keysMax) {
        throw new RangeError(`An account has at most ${keysMax} API keys. Revoke some first.`)
      }
      // The note first: a key that could not be listed could not be found to be revoked either.
      const note = notesOf(accountId) + keyId
      await put(note, null, null)
      if (await put(keyOf(keyId), document, null)) return true
      // A repeat of a write whose answer was lost finds its own document.
      return (await read(keyId))?.hash === hash
    },

    async remove(accountId, keyId) {
      const found = await read(keyId)
      if (found !== undefined && found.accountId !== accountId) return false
      const wasThere = found !== undefined && (await erase(keyOf(keyId)))
      const wasNoted = await erase(notesOf(accountId) + keyId)
      // Also where the key is gone already: whoever removed it may have died before others could hear of it.
      await turnEpoch()
      return wasThere || wasNoted
    },

    async cap(accountId, keyId, cap) {
      for (let attempt = 0; attempt < tries; attempt += 1) {
        const found = await get(keyOf(keyId))
        const document = found?.value as KeyDocument | undefined
        if (found === undefined || document?.accountId !== accountId) return false
        const { cap: _, ...rest } = document
        if (!(await put(keyOf(keyId), cap === null ? rest : { ...rest, cap }, found.version))) continue
        await turnEpoch()
        return true
      }
      throw tooManyChanges()
    },

    async list(accountId) {
      const keyIds = await noted(accountId)
      const documents: KeyDocument[] = []
      for (let from = 0; from < keyIds.length; from += pageMax) {
        const page = await Promise.all(keyIds.slice(from, from + pageMax).map(read))
        for (const document of page) if (document?.accountId === accountId) documents.push(document)
      }
      return documents.sort((a, b) => a.createdAtMs - b.createdAtMs || (a.keyId < b.keyId ? -1 : 1))
    },

    epoch: async () => (await get(epochKey))?.version,
  }
}

function tooManyChanges(): GatewayError {
  return new GatewayError('store_unavailable', 'Too many changes of the same key at once. Try again.', {
    retryAfterSeconds: 1,
  })
}
