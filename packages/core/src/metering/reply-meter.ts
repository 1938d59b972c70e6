import { scanObject } from '../http/json-object.ts'

const usageName = Buffer.from('"usage"')

/**
 * The `usage` object of a whole reply, found by scanning from the end, because a reply of many kilobytes is not parsed
 * for one small member. `undefined` when the reply has none.
 */
export function findUsage(reply: Buffer): unknown {
  // Text that merely talks about usage is inside a string and has its quotes escaped, so it does not match.
  if (reply.lastIndexOf(usageName) === -1) return undefined
  const member = scanObject(reply)?.members.find((candidate) => candidate.name === 'usage')
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
