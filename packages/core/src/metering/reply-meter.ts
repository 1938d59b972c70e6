import { type JsonObject, scanObject } from '../http/json-object.ts'

const usageName = Buffer.from('"usage"')

/**
 * The `usage` object of a whole reply, without parsing the rest, which may be many kilobytes. `undefined` when the reply
 * has none. `object` is the reply's structure, where it is known already.
 */
export function findUsage(reply: Buffer, object?: JsonObject): unknown {
  // Text that merely talks about usage is inside a string and has its quotes escaped, so it does not match.
  if (reply.lastIndexOf(usageName) === -1) return undefined
  const member = (object ?? scanObject(reply))?.members.find((candidate) => candidate.name === 'usage')
  if (member === undefined) return undefined
  return parse(reply.toString('utf8', member.valueStart, member.valueEnd))
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
