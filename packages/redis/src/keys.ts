import { randomBytes } from 'node:crypto'
import {
  checkDocumentKey,
  decodeValue,
  documentText,
  type Key,
  type KeyStore,
  type StoredDocument,
} from '@farebox/core'
import type { Commands } from './commands.ts'
import type { IndexReader } from './index-reader.ts'
import type { BucketKeys, KeyNames } from './key-names.ts'
import { readDocuments, writeDocument } from './scripts.ts'

export interface RedisKeysOptions {
  readonly names: KeyNames
  readonly commands: Commands
  readonly reader: IndexReader
}

const pageMax = 1000

/**
 * Documents in the parts of the index, each beside its name, so that both are written in one step. A version is drawn by lot:
 * counted ones could come again after a server has forgotten some.
 */
export function redisKeys({ names, commands, reader }: RedisKeysOptions): KeyStore {
  async function read(keys: readonly Key[]): Promise<readonly StoredDocument[]> {
    const parts = new Map<BucketKeys, Key[]>()
    for (const key of keys) {
      const bucket = names.bucketOf(key)
      const part = parts.get(bucket)
      if (part === undefined) parts.set(bucket, [key])
      else part.push(key)
    }
    const found = await Promise.all(
      [...parts].map(async ([{ documents }, part]) => {
        const texts = (await commands.read(readDocuments, [documents], part)) as readonly (string | null)[]
        return part.flatMap((key, index) => documentOf(key, texts[index]))
      }),
    )
    const byKey = new Map(found.flat().map((document) => [document.key, document]))
    return keys.flatMap((key) => byKey.get(key) ?? [])
  }

  async function write(key: Key, expected: string, version: string, text: string): Promise<boolean> {
    const { documents, documentKeys } = names.bucketOf(key)
    return (
      (await commands.write(writeDocument, [documents, documentKeys], [key, expected, version, text])) === 1
    )
  }

  return {
    async get(key) {
      checkDocumentKey(key)
      return (await read([key]))[0]
    },
    async put(key, value, expectedVersion) {
      const text = documentText(key, value)
      return write(key, expectedVersion === null ? '' : String(expectedVersion), newVersion(), text)
    },
    async delete(key, expectedVersion) {
      checkDocumentKey(key)
      return write(key, String(expectedVersion), '', '')
    },
    async list(prefix, cursor, limit) {
      const most = Math.min(Math.max(1, Math.trunc(limit)), pageMax)
      const found = await reader.after('documentKeys', { cursor, prefix, limit: most + 1 })
      const keys = found.slice(0, most)
      return { documents: await read(keys), cursor: found.length > most ? (keys.at(-1) ?? null) : null }
    },
  }
}

function newVersion(): string {
  return String(randomBytes(12).readBigUInt64BE() + 1n)
}

function documentOf(key: Key, stored: string | null | undefined): StoredDocument[] {
  if (stored == null) return []
  const space = stored.indexOf(' ')
  return [{ key, value: decodeValue(stored.slice(space + 1)), version: BigInt(stored.slice(0, space)) }]
}
