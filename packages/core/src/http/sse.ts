/** Server-sent events as bytes. Events end at a blank line; line ends may be LF, CRLF or CR, and chunks end anywhere. */

const lf = 0x0a
const cr = 0x0d

/**
 * The offset behind the last whole event, or 0 when not even one is whole. `known` is how many bytes at the beginning are known to
 * have no end in them, so that a long event is not looked through again with each of its chunks.
 */
export function lastEventEnd(bytes: Buffer, known = 0): number {
  const first = Math.max(known - 1, 0)
  let at = bytes.lastIndexOf(lf)
  while (at > 0 && at >= first) {
    const before = bytes[at - 1]
    if (before === lf) return at + 1
    if (before === cr && (bytes[at - 2] === lf || bytes[at - 2] === cr)) return at + 1
    at = bytes.lastIndexOf(lf, at - 1)
  }
  const carriage = bytes.lastIndexOf('\r\r')
  return carriage === -1 ? 0 : carriage + 2
}

/** The offset at which the event around `at` starts. */
export function eventStart(bytes: Buffer, at: number): number {
  let line = lineStart(bytes, at)
  while (line > 0) {
    const above = lineStart(bytes, lineEndBefore(bytes, line))
    if (above === lineEndBefore(bytes, line)) return line
    line = above
  }
  return 0
}

/** The offset behind the blank line that ends the event around `at`. */
export function eventEnd(bytes: Buffer, at: number): number {
  for (let next = at; next < bytes.length; next += 1) {
    const byte = bytes[next]
    if (byte !== lf && byte !== cr) continue
    const after = byte === cr && bytes[next + 1] === lf ? next + 2 : next + 1
    if (bytes[after] === cr) return bytes[after + 1] === lf ? after + 2 : after + 1
    if (bytes[after] === lf) return after + 1
    next = after - 1
  }
  return bytes.length
}

/** The `data` of one event, its lines joined; `undefined` for an event without data, such as a comment. */
export function eventData(event: Buffer): string | undefined {
  const lines = event
    .toString('utf8')
    .split(/\r\n|\n|\r/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => (line.startsWith('data: ') ? line.slice(6) : line.slice(5)))
  return lines.length === 0 ? undefined : lines.join('\n')
}

/** Writes one event with a line of JSON as its data. */
export function encodeEvent(data: string): Buffer {
  return Buffer.from(`data: ${data}\n\n`)
}

function lineStart(bytes: Buffer, at: number): number {
  if (at <= 0) return 0
  return Math.max(bytes.lastIndexOf(lf, at - 1), bytes.lastIndexOf(cr, at - 1)) + 1
}

/** Where the line above the one that starts at `line` ends, without its line end. */
function lineEndBefore(bytes: Buffer, line: number): number {
  return bytes[line - 1] === lf && bytes[line - 2] === cr ? line - 2 : line - 1
}
