import { checkText, nameCharsMax } from './check-text.ts'
import type { Key, Value } from './storage.ts'
import { encodeValue } from './value-text.ts'

/** A small value under a key of its own, as it was at one version. */
export interface StoredDocument {
  readonly key: Key
  readonly value: Value
  /** Another one after every write of this key, also when it was deleted in between. */
  readonly version: bigint
}

export interface DocumentPage {
  readonly documents: readonly StoredDocument[]
  /** Hand it to the next call; `null` after the last page. A page before the last may be short, or even empty. */
  readonly cursor: string | null
}

/**
 * Small durable documents, each replaced as a whole: settings of accounts, and secrets that were encrypted before they
 * came here. They are read often and written seldom, so readers keep what they read for a short while.
 *
 * Writes to one key have a single order that agrees with real time, in every process that shares the store. Keys are
 * well-formed Unicode without NUL, 1 to 512 characters; a value has at most 65,536 characters as `encodeValue` writes it.
 * Nothing is under way between two calls, so there is nothing to close.
 *
 * @throws RangeError for a key or value out of bounds. @throws Unavailable when surely nothing was applied.
 * @throws OutcomeUnknown when the caller must look at what is there now.
 */
export interface KeyStore {
  get(key: Key): Promise<StoredDocument | undefined>

  /**
   * Writes a document if it is still at `expectedVersion`, or if there is none for `null`. Gives whether it was written.
   */
  put(key: Key, value: Value, expectedVersion: bigint | null): Promise<boolean>

  /** Deletes a document if it is still at `expectedVersion`. Gives whether it was deleted. */
  delete(key: Key, expectedVersion: bigint): Promise<boolean>

  /**
   * Documents whose key starts with `prefix`, in an order of the store's own, at most `limit` a page and never more than
   * 1,000. What is there during all pages is listed exactly once.
   */
  list(prefix: string, cursor: string | null, limit: number): Promise<DocumentPage>
}

const textCharsMax = 65_536
const pageMax = 1_000

/** A value as the text a store keeps, checked together with its key. @throws RangeError when either is out of bounds. */
export function documentText(key: Key, value: Value): string {
  checkDocumentKey(key)
  if (value === undefined) throw new RangeError(`The document "${key}" has no value.`)
  const text = encodeValue(value)
  if (text.length > textCharsMax) {
    throw new RangeError(
      `The document "${key}" has ${text.length} characters of text; at most ${textCharsMax} fit.`,
    )
  }
  return text
}

/** @throws RangeError for a key that some store could not give back as it was: two documents could become one. */
export function checkDocumentKey(key: Key): void {
  if (key.length === 0 || key.length > nameCharsMax) {
    throw new RangeError(`A document's key has 1 to ${nameCharsMax} characters, not ${key.length}.`)
  }
  checkText(key, "document's key")
}

/** The size of a page for whatever was asked for. */
export function documentsMost(limit: number): number {
  return Math.min(Math.max(1, Math.trunc(limit)), pageMax)
}
