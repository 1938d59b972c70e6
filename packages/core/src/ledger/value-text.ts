import type { Value } from './storage.ts'

/**
 * Writes a value as JSON. A bigint becomes a string of digits with an `n` behind it, as in source code; a string that
 * looks like one, or starts with `~`, gets a `~` before it. The same value always gives the same text.
 *
 * Written by hand, because `JSON.stringify` with a replacer takes longer, and every entry passes here.
 *
 * @throws RangeError for a number that JSON cannot hold.
 */
export function encodeValue(value: Value): string {
  return withValue('', value)
}

/**
 * Reads what `encodeValue` wrote.
 *
 * What JSON.parse gave is put right in place: handing it a function that sees every member takes three times as long.
 */
export function decodeValue(text: string): Value {
  return decoded(JSON.parse(text))
}

const bigintText = /^-?\d+n$/

/** What JSON writes as it is. Most strings are ids and names of this kind, and need no call of JSON.stringify. */
const plainText = /^[\w.:/-]*$/

/**
 * A text with a value behind it. Every piece goes to the end of one text, never into a text of its own that is added later:
 * the engine lays out such a chain of pieces in one go, once somebody reads it.
 */
function withValue(text: string, value: Value): string {
  switch (typeof value) {
    case 'string':
      return text + quoted(value)
    case 'bigint':
      return text + digits(value)
    case 'number':
      if (!Number.isFinite(value)) throw new RangeError(`${value} cannot be stored.`)
      return text + String(value)
    case 'boolean':
      return text + String(value)
    default:
      if (value === null) return `${text}null`
      return isArray(value) ? withItems(text, value) : withMembers(text, value)
  }
}

function quoted(value: string): string {
  if (needsEscape(value)) return JSON.stringify(`~${value}`)
  return plainText.test(value) ? `"${value}"` : JSON.stringify(value)
}

function digits(value: bigint): string {
  return value === 0n ? '"0n"' : `"${value}n"`
}

function withItems(text: string, items: readonly Value[]): string {
  if (items.length === 0) return `${text}[]`
  let written = text
  let before = '['
  for (const item of items) {
    written = withValue(written + before, item)
    before = ','
  }
  return `${written}]`
}

function withMembers(text: string, members: { readonly [name: string]: Value | undefined }): string {
  let written = text
  let isFirst = true
  for (const name in members) {
    const member = members[name]
    if (member === undefined) continue
    const { first, later } = writtenName(name)
    written = withValue(written + (isFirst ? first : later), member)
    isFirst = false
  }
  return isFirst ? `${text}{}` : `${written}}`
}

/** A name with what stands before it, and its colon. */
interface WrittenName {
  readonly first: string
  readonly later: string
}

/** Names come from code, so there are few of them. */
const writtenNames = new Map<string, WrittenName>()
const writtenNamesMax = 512

function writtenName(name: string): WrittenName {
  const known = writtenNames.get(name)
  if (known !== undefined) return known
  const text = JSON.stringify(name)
  const written = { first: `{${text}:`, later: `,${text}:` }
  if (writtenNames.size < writtenNamesMax) writtenNames.set(name, written)
  return written
}

function isArray(value: unknown): value is readonly Value[] {
  return Array.isArray(value)
}

// Most strings neither end in n nor start with ~: look at one character before running the pattern.
function needsEscape(text: string): boolean {
  return text.charCodeAt(0) === 0x7e || (text.charCodeAt(text.length - 1) === 0x6e && bigintText.test(text))
}

function decoded(value: Value): Value {
  if (typeof value === 'string') return decodeText(value)
  if (typeof value === 'object' && value !== null) {
    if (isArray(value)) decodeItems(value as Value[])
    else decodeMembers(value)
  }
  return value
}

function decodeItems(items: Value[]): void {
  for (const [index, item] of items.entries()) {
    const value = decoded(item)
    if (value !== item) items[index] = value
  }
}

function decodeMembers(members: { [name: string]: Value | undefined }): void {
  for (const name in members) {
    const member = members[name] as Value
    const value = decoded(member)
    // `__proto__` too: JSON.parse has made a member of it, and what is there already is only replaced.
    if (value !== member) members[name] = value
  }
}

function decodeText(text: string): string | bigint {
  if (text.charCodeAt(0) === 0x7e) return text.slice(1)
  return text.charCodeAt(text.length - 1) === 0x6e && bigintText.test(text) ? BigInt(text.slice(0, -1)) : text
}
