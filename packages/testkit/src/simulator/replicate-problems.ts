import type { Headers, Reply } from './exchange.ts'

/** Replicate writes its errors as problems: title, detail and status. */
export function refuse(status: number, message?: string): Reply {
  const [title, detail] = problems[status] ?? ['Error', 'The request could not be answered.']
  const says = message ?? detail
  if (status !== 429) return problem(status, title, says)
  const headers = { ...rateHeaders, 'retry-after': '1', 'ratelimit-remaining': '0' }
  return { status, headers, body: JSON.stringify({ detail: says, status, retry_after: 1 }) }
}

export function problem(status: number, title: string, detail: string): Reply {
  return { status, headers: rateHeaders, body: JSON.stringify({ title, detail, status }) }
}

export function invalid(type: string, field: string, description: string): Reply {
  const title = 'Input validation failed'
  const fields = [{ type, field, description }]
  const body = JSON.stringify({
    detail: `- ${field}: ${description}\n`,
    status: 422,
    title,
    invalid_fields: fields,
  })
  return { status: 422, headers: rateHeaders, body }
}

const problems: Readonly<Record<number, readonly [title: string, detail: string]>> = {
  400: ['Bad request', 'The request is not valid.'],
  401: ['Unauthenticated', 'You did not pass a valid authentication token'],
  402: ['Insufficient credit', 'You have insufficient credit to run this model.'],
  403: ['Forbidden', 'You do not have permission to run this model.'],
  404: ['Not found', 'The requested resource could not be found.'],
  422: ['Input validation failed', 'The input is not valid.'],
  429: ['Too many requests', 'Request was throttled. Your rate limit resets in ~1s.'],
  500: ['Internal server error', 'An error occurred.'],
  503: ['Service unavailable', 'The service is temporarily unavailable.'],
}

export const rateHeaders: Headers = {
  'ratelimit-limit': '600',
  'ratelimit-remaining': '599',
  'ratelimit-reset': '1',
}
