import Anthropic from '@anthropic-ai/sdk'
import { anthropicCases } from './anthropic-cases.ts'
import { least, rootOf } from './anthropic-client.ts'
import { anthropicHelperCases } from './anthropic-helper-cases.ts'
import { anthropicRequestCases } from './anthropic-request-cases.ts'
import { type Client, messages, type Question, type Refusal } from './client.ts'
import { expectError } from './expect-error.ts'

/** The unmodified `@anthropic-ai/sdk` package. */
export const anthropic: Client = {
  name: '@anthropic-ai/sdk',
  ask,
  repeatsWhatWasLost: true,
  cases: [...anthropicCases, ...anthropicRequestCases, ...anthropicHelperCases],
  raises: {
    'wrong key': refused('wrong key', Anthropic.AuthenticationError, {
      status: 401,
      type: 'authentication_error',
      errorCode: 'invalid_api_key',
    }),
    'no credit': refused('no credit', Anthropic.PaymentRequiredError, {
      status: 402,
      type: 'billing_error',
      errorCode: 'insufficient_credits',
    }),
    'unknown model': refused('unknown model', Anthropic.NotFoundError, {
      status: 404,
      type: 'not_found_error',
      errorCode: 'model_not_found',
    }),
    'too many requests': refused('too many requests', Anthropic.RateLimitError, {
      status: 429,
      type: 'rate_limit_error',
      errorCode: 'rate_limit_exceeded',
    }),
    unavailable: refused('unavailable', Anthropic.ServiceUnavailableError, {
      status: 503,
      type: 'overloaded_error',
      errorCode: 'store_unavailable',
    }),
    'providers failed': refused('providers failed', Anthropic.InternalServerError, {
      status: 502,
      type: 'api_error',
      errorCode: 'provider_failed',
    }),
    // The status of a stream that has begun was 200.
    'broken stream': refused('broken stream', Anthropic.APIError, {
      status: undefined,
      type: 'api_error',
      errorCode: 'provider_failed',
    }),
    'error in a stream': refused('error in a stream', Anthropic.APIError, {
      status: undefined,
      type: 'api_error',
    }),
  },
}

async function ask({ baseUrl, apiKey, model, isStreaming, retriesMax, headers }: Question): Promise<string> {
  const client = new Anthropic({ baseURL: rootOf(baseUrl), apiKey, authToken: null, maxRetries: retriesMax })
  const body = { ...least, model }
  const options = headers === undefined ? {} : { headers }
  let text = ''
  if (!isStreaming) {
    const { content } = await client.messages.create(body, options)
    for (const block of content) if (block.type === 'text') text += block.text
    return text
  }
  for await (const event of await client.messages.create({ ...body, stream: true }, options)) {
    if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') text += event.delta.text
  }
  return text
}

/** What the package shows of an error: the text for people, and where programs look. */
function refused(
  refusal: Refusal,
  errorClass: abstract new (...args: never[]) => Error,
  members: Readonly<Record<string, unknown>>,
): (error: unknown) => void {
  return (error) =>
    expectError(error, errorClass, { ...members, apiMessage: messages[refusal], requestID: /./ })
}
