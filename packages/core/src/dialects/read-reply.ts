import type { z } from 'zod'
import type { Reply } from './dialect.ts'

/**
 * A reply as far as a translation needs it, or `undefined` when it is something else. Some servers write numbers that JSON does
 * not know; such a reply has been paid for, and is handed on for the caller to judge.
 */
export function readReply<T>(schema: z.ZodType<T>, { bytes }: Reply): T | undefined {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
  return schema.safeParse(value).data
}
