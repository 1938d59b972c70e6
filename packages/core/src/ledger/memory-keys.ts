import { checkDocumentKey, documentsMost, documentText, type KeyStore } from './key-store.ts'
import { decodeValue } from './value-text.ts'

/** Documents in this process' memory, kept as text, so that nobody can change one by holding on to what they put in. */
export function memoryKeys(): KeyStore {
  const documents = new Map<string, { readonly text: string; readonly version: bigint }>()
  let lastVersion = 0n

  const open = (key: string, text: string, version: bigint) => ({ key, value: decodeValue(text), version })

  return {
    async get(key) {
      checkDocumentKey(key)
      const found = documents.get(key)
      return found === undefined ? undefined : open(key, found.text, found.version)
    },

    async put(key, value, expectedVersion) {
      const text = documentText(key, value)
      if ((documents.get(key)?.version ?? null) !== expectedVersion) return false
      lastVersion += 1n
      documents.set(key, { text, version: lastVersion })
      return true
    },

    async delete(key, expectedVersion) {
      checkDocumentKey(key)
      return documents.get(key)?.version === expectedVersion && documents.delete(key)
    },

    async list(prefix, cursor, limit) {
      const most = documentsMost(limit)
      const keys = [...documents.keys()]
        .filter((key) => key.startsWith(prefix) && (cursor === null || key >= cursor))
        .sort()
      return {
        documents: keys.slice(0, most).map((key) => {
          const { text, version } = documents.get(key) as { text: string; version: bigint }
          return open(key, text, version)
        }),
        // The first key of the next page, so that a last page that is just full ends the list.
        cursor: keys[most] ?? null,
      }
    },
  }
}
