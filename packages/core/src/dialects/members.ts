import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import type { JsonBody } from '../http/request-body.ts'

/** A whole number of at least one, absent or null when the caller left it open. */
export const positiveCount: z.ZodType<number | null | undefined> = z.int().min(1).nullish()

export const flag: z.ZodType<boolean | null | undefined> = z.boolean().nullish()

/**
 * Checks the members that routing and money depend on. Content is not looked at: it is the provider's to judge.
 *
 * @throws GatewayError `invalid_request` that names the first member at fault.
 */
export function readMembers<T>(body: JsonBody, schema: z.ZodType<T>): T {
  const result = schema.safeParse(body.value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const param = issue?.path.join('.') || undefined
  throw new GatewayError(
    'invalid_request',
    `Invalid value for "${param ?? 'body'}": ${issue?.message ?? 'not valid'}.`,
    {
      param,
    },
  )
}
