import { GatewayError } from '../errors.ts'
import { dayMs, dayOf } from '../ledger/usage-day.ts'
import type { UsageDimension } from './usage-group.ts'
import type { UsageQuery } from './usage-query.ts'

/**
 * Reads the query of `GET /v1/usage`. Without days it is about this month so far, in UTC.
 *
 * @throws GatewayError `invalid_request` that names the parameter at fault.
 */
export function readUsageRequest(accountId: string, query: string | undefined, nowMs: number): UsageQuery {
  const values = readParameters(query, ['from', 'to', 'group_by', 'limit', 'cursor'])
  const to = values.get('to') ?? dayOf(nowMs + dayMs)
  const groupBy = (values.get('group_by') ?? '').split(',').filter((name) => name !== '')
  const limit = values.get('limit')
  const cursor = values.get('cursor')
  return {
    accountId,
    from: values.get('from') ?? monthOf(to),
    to,
    groupBy: groupBy as UsageDimension[],
    ...(limit === undefined ? {} : { limit: readWhole(limit, 'limit') }),
    ...(cursor === undefined ? {} : { cursor }),
  }
}

/**
 * Reads the parameters of a query.
 *
 * @throws GatewayError `invalid_request` for one that is not known or given twice.
 */
export function readParameters(
  query: string | undefined,
  known: readonly string[],
): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(query ?? '')) {
    if (!known.includes(name)) {
      const use = known.length === 0 ? '' : ` Use ${known.join(', ')}.`
      const message = `There is no parameter "${name}" here.${use}`
      throw new GatewayError('invalid_request', message, { param: name })
    }
    if (values.has(name))
      throw new GatewayError('invalid_request', `${name} is given twice.`, { param: name })
    values.set(name, value)
  }
  return values
}

/** @throws GatewayError `invalid_request` when the text is not a whole number. */
export function readWhole(text: string, param: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  throw new GatewayError('invalid_request', `${param} must be a whole number, not "${text}".`, { param })
}

/** The first day of the month that the day before `to` is in. What is no day is refused later, by its name. */
function monthOf(to: string): string {
  const ms = Date.parse(`${to}T00:00:00Z`)
  return Number.isNaN(ms) ? to : `${new Date(ms - dayMs).toISOString().slice(0, 7)}-01`
}
