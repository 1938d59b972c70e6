import type { Value } from './storage.ts'

/**
 * Writes a value as JSON. A bigint becomes a string of digits with an `n` behind it, as in source code; a string that
 * looks like one, or starts with `~`, gets a `~` before it. The same value always gives the same text.
 */
export function encodeValue(value: Value): string {
  return JSON.stringify(value, encodeMember)
}

/** Reads what `encodeValue` wrote. */
export function decodeValue(text: string): Value {
  return JSON.parse(text, decodeMember)
}

const bigintText = /^-?\d+n$/

function encodeMember(_name: string, member: unknown): unknown {
  if (typeof member === 'bigint') return `${member}n`
  if (typeof member === 'string' && (member.startsWith('~') || bigintText.test(member))) return `~${member}`
  return member
}

function decodeMember(_name: string, member: unknown): unknown {
  if (typeof member !== 'string') return member
  if (member.startsWith('~')) return member.slice(1)
  // Most strings do not end in n: look at the last character before running the pattern.
  return member.endsWith('n') && bigintText.test(member) ? BigInt(member.slice(0, -1)) : member
}
