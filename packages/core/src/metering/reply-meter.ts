import { type JsonObject, scanObject } from '../http/json-object.ts'

const usageName = Buffer.from('"usage"')

/** What a whole reply says of money, in the provider's words. */
export interface ReplyUsage {
  readonly usage: unknown
  /** The tier it was served in, which decides what usage costs. */
  readonly service_tier?: unknown
}

/**
 * The `usage` object of a whole reply, without parsing the rest, which may be many kilobytes. `undefined` when the reply
 * has none. `object` is the reply's structure, where it is known already.
 */
export function findUsage(reply: Buffer, object?: JsonObject): ReplyUsage | undefined {
  // Text that merely talks about usage is inside a string and has its quotes escaped, so it does not match.
  if (reply.lastIndexOf(usageName) === -1) return undefined
  return readUsage(reply, object ?? scanObject(reply))
}

/** The same from a reply, or an event, whose structure is known. */
export function readUsage(bytes: Buffer, object: JsonObject | undefined): ReplyUsage | undefined {
  if (object === undefined) return undefined
  let usage: unknown
  let serviceTier: unknown
  for (const { name, valueStart, valueEnd } of object.members) {
    if (name === 'usage') usage = parse(bytes.toString('utf8', valueStart, valueEnd))
    else if (name === 'service_tier') serviceTier = parse(bytes.toString('utf8', valueStart, valueEnd))
  }
  return usage === undefined ? undefined : { usage, service_tier: serviceTier }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
