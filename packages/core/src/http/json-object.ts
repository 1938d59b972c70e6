/**
 * JSON objects as bytes. Bodies are passed on as they came, with only the members changed that must change: numbers
 * beyond 2⁵³ keep their digits, and a large body is neither copied through objects nor written again.
 */

export interface JsonMember {
  /** As written, without its quotes; escapes are not decoded. */
  readonly name: string
  /** Offset of the name's opening quote. */
  readonly start: number
  /** Offsets of the value. */
  readonly valueStart: number
  readonly valueEnd: number
}

export interface JsonObject {
  readonly members: readonly JsonMember[]
  /** Offset of the closing brace. */
  readonly close: number
  /** How deeply values are nested; the object itself is 1. */
  readonly depth: number
  /**
   * Whether each member can be found by its name as written. False when a name is written twice or with escapes:
   * then two parsers may disagree on what the object says.
   */
  readonly isPlain: boolean
}

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

/**
 * Finds the members of the object that starts at `start`, or `undefined` when there is no whole object.
 * Only meant for text that a JSON parser accepts: it looks for structure, not for mistakes.
 */
export function scanObject(bytes: Buffer, start = 0): JsonObject | undefined {
  let at = skipSpace(bytes, start)
  if (bytes[at] !== openBrace) return undefined
  const members: JsonMember[] = []
  const names = new Set<string>()
  let isPlain = true
  let depth = 1
  at = skipSpace(bytes, at + 1)
  while (bytes[at] === quote) {
    const nameEnd = stringEnd(bytes, at)
    if (nameEnd === -1) return undefined
    const name = bytes.toString('utf8', at + 1, nameEnd - 1)
    if (names.has(name) || name.includes('\\')) isPlain = false
    names.add(name)
    const separator = skipSpace(bytes, nameEnd)
    if (bytes[separator] !== colon) return undefined
    const valueStart = skipSpace(bytes, separator + 1)
    const value = skipValue(bytes, valueStart)
    if (value === undefined) return undefined
    depth = Math.max(depth, 1 + value.depth)
    members.push({ name, start: at, valueStart, valueEnd: value.end })
    at = skipSpace(bytes, value.end)
    if (bytes[at] === comma) at = skipSpace(bytes, at + 1)
  }
  return bytes[at] === closeBrace ? { members, close: at, depth, isPlain } : undefined
}

/** What to change in an object: a member's new value as JSON text, or `undefined` to remove it. */
export type JsonEdits = Readonly<Record<string, string | undefined>>

/** Writes the object anew with its members edited, everything else byte for byte. New members come last. */
export function editObject(bytes: Buffer, object: JsonObject, edits: JsonEdits): Buffer {
  const { members, close } = object
  const isEdited = (name: string) => Object.hasOwn(edits, name)
  const lastKept = members.findLastIndex(({ name }) => edits[name] !== undefined || !isEdited(name))
  const pieces: (string | Buffer)[] = []
  let copied = 0
  for (const [index, { name, start, valueStart, valueEnd }] of members.entries()) {
    if (index > lastKept) {
      // What stands behind the last member that stays goes at once, with every comma in between.
      const kept = members[lastKept]?.valueEnd ?? start
      if (kept > copied) pieces.push(bytes.subarray(copied, kept))
      copied = close
      break
    }
    if (!isEdited(name)) continue
    const text = edits[name]
    if (text === undefined) {
      pieces.push(bytes.subarray(copied, start))
      copied = members[index + 1]?.start ?? close
    } else {
      pieces.push(bytes.subarray(copied, valueStart), text)
      copied = valueEnd
    }
  }
  let separator = lastKept === -1 ? '' : ','
  for (const name in edits) {
    const text = edits[name]
    if (text === undefined || members.some((member) => member.name === name)) continue
    if (copied < close) pieces.push(bytes.subarray(copied, close))
    copied = close
    pieces.push(`${separator}${JSON.stringify(name)}:${text}`)
    separator = ','
  }
  pieces.push(bytes.subarray(copied))
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)))
}

/** The offset behind the value that starts at `start`, and how deeply it is nested; `undefined` when it is cut off. */
export function skipValue(
  bytes: Buffer,
  start: number,
): { readonly end: number; readonly depth: number } | undefined {
  const first = bytes[start]
  if (first === quote) {
    const end = stringEnd(bytes, start)
    return end === -1 ? undefined : { end, depth: 0 }
  }
  if (first !== openBrace && first !== openBracket) {
    let end = start
    while (end < bytes.length && !endsLiteral(bytes[end])) end += 1
    return end > start ? { end, depth: 0 } : undefined
  }
  let open = 0
  let depth = 0
  for (let at = start; at < bytes.length; at += 1) {
    const byte = bytes[at]
    if (byte === quote) {
      const end = stringEnd(bytes, at)
      if (end === -1) return undefined
      at = end - 1
    } else if (byte === openBrace || byte === openBracket) {
      open += 1
      if (open > depth) depth = open
    } else if (byte === closeBrace || byte === closeBracket) {
      open -= 1
      if (open === 0) return { end: at + 1, depth }
    }
  }
  return undefined
}

export function skipSpace(bytes: Buffer, start: number): number {
  let at = start
  for (;;) {
    const byte = bytes[at]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at
    at += 1
  }
}

/** The offset behind the closing quote of the string that opens at `start`; -1 when it is cut off. */
function stringEnd(bytes: Buffer, start: number): number {
  let at = start + 1
  for (;;) {
    const end = bytes.indexOf(quote, at)
    if (end === -1) return -1
    let slashes = 0
    while (bytes[end - 1 - slashes] === backslash) slashes += 1
    if (slashes % 2 === 0) return end + 1
    at = end + 1
  }
}

function endsLiteral(byte: number | undefined): boolean {
  return (
    byte === comma || byte === closeBrace || byte === closeBracket || (byte !== undefined && byte <= 0x20)
  )
}
