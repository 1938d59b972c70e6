import type { StoredEntry } from '@farebox/core'
import type { EncodedPut } from '@farebox/core/batching'
import { rowKey } from './row-key.ts'

/**
 * The rows of a statement, column by column: a column of texts is one text that the server takes apart at a separator, and a
 * column of numbers is an array. That is read several times faster than JSON, in which every quote of a value is escaped.
 */
export interface Columns {
  readonly separator: string
  /** Texts with the separator between them. */
  join(texts: readonly string[]): string
}

/** @param texts those to be joined that may hold any character. Encoded values are JSON and have no separator in them. */
export function columnsOf(texts: readonly (readonly string[])[]): Columns {
  let separator = unitSeparator
  for (let attempt = 0; isIn(separator, texts); attempt += 1) separator = `${unitSeparator}${attempt}`
  return { separator, join: (column) => column.join(separator) }
}

/** Made to stand between texts, and in no JSON. */
const unitSeparator = '\u001f'

function isIn(separator: string, columns: readonly (readonly string[])[]): boolean {
  for (const texts of columns) for (const text of texts) if (text.includes(separator)) return true
  return false
}

/** A column of numbers, or of none where there is no number, as PostgreSQL writes arrays. */
export function numbers(column: readonly (number | bigint | undefined)[]): string {
  let text = '{'
  for (const [index, number] of column.entries()) text += `${index === 0 ? '' : ','}${number ?? 'NULL'}`
  return `${text}}`
}

/** Records, as far as they are texts. */
export interface RecordTexts {
  readonly keys: readonly string[]
  /** Empty for keys that stand for themselves; without members if all do. */
  readonly longKeys: readonly string[]
  readonly values: readonly string[]
}

export function recordTexts(puts: readonly EncodedPut[]): RecordTexts {
  const keys: string[] = []
  const longKeys: string[] = []
  const values: string[] = []
  let hasLongKey = false
  for (const { put, text } of puts) {
    const { key, longKey } = rowKey(put.key)
    keys.push(key)
    longKeys.push(longKey ?? '')
    values.push(text)
    hasLongKey ||= longKey !== null
  }
  return { keys, longKeys: hasLongKey ? longKeys : [], values }
}

export function entryTexts(entries: readonly StoredEntry[]): {
  readonly texts: readonly string[]
  readonly hashes: readonly string[]
} {
  return { texts: entries.map(({ text }) => text), hashes: entries.map(({ hash }) => hash) }
}
