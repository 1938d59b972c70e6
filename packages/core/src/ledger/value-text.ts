import type { Value } from './storage.ts'

/**
 * Writes a value as JSON. A bigint becomes a string of digits with an `n` behind it, as in source code; a string that
 * looks like one, or starts with `~`, gets a `~` before it. The same value always gives the same text.
 *
 * Written by hand, because `JSON.stringify` with a replacer takes several times as long, and every entry passes here.
 *
 * @throws RangeError for a number that JSON cannot hold.
 */
export function encodeValue(value: Value): string {
  const pieces: string[] = []
  write(value, pieces)
  // Joined, the text is one piece of memory; added up, it would be a tree of a hundred for as long as it is kept.
  return pieces.join('')
}

/** Reads what `encodeValue` wrote. */
export function decodeValue(text: string): Value {
  return JSON.parse(text, decodeMember)
}

const bigintText = /^-?\d+n$/

function write(value: Value, pieces: string[]): void {
  switch (typeof value) {
    case 'string':
      pieces.push(JSON.stringify(needsEscape(value) ? `~${value}` : value))
      return
    case 'bigint':
      pieces.push('"', value.toString(), 'n"')
      return
    case 'number':
      if (!Number.isFinite(value)) throw new RangeError(`${value} cannot be stored.`)
      pieces.push(String(value))
      return
    case 'boolean':
      pieces.push(value ? 'true' : 'false')
      return
    default:
      if (value === null) pieces.push('null')
      else if (isArray(value)) writeArray(value, pieces)
      else writeObject(value, pieces)
  }
}

function writeArray(items: readonly Value[], pieces: string[]): void {
  let separator = '['
  for (const item of items) {
    pieces.push(separator)
    write(item, pieces)
    separator = ','
  }
  pieces.push(separator === '[' ? '[]' : ']')
}

function writeObject(members: { readonly [name: string]: Value | undefined }, pieces: string[]): void {
  let separator = '{'
  for (const name in members) {
    const member = members[name]
    if (member === undefined) continue
    pieces.push(separator, quoted(name))
    write(member, pieces)
    separator = ','
  }
  pieces.push(separator === '{' ? '{}' : '}')
}

/** Names with their quotes and colon. They come from code, so there are few of them. */
const quotedNames = new Map<string, string>()
const quotedNamesMax = 512

function quoted(name: string): string {
  const known = quotedNames.get(name)
  if (known !== undefined) return known
  const text = `${JSON.stringify(name)}:`
  if (quotedNames.size < quotedNamesMax) quotedNames.set(name, text)
  return text
}

function isArray(value: unknown): value is readonly Value[] {
  return Array.isArray(value)
}

// Most strings neither end in n nor start with ~: look at one character before running the pattern.
function needsEscape(text: string): boolean {
  return text.charCodeAt(0) === 0x7e || (text.charCodeAt(text.length - 1) === 0x6e && bigintText.test(text))
}

function decodeMember(_name: string, member: unknown): unknown {
  if (typeof member !== 'string') return member
  if (member.charCodeAt(0) === 0x7e) return member.slice(1)
  return member.charCodeAt(member.length - 1) === 0x6e && bigintText.test(member)
    ? BigInt(member.slice(0, -1))
    : member
}
