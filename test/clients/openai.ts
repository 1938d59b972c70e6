import OpenAI from 'openai'
import { type Client, messages, type Question } from './client.ts'
import { expectError } from './expect-error.ts'
import { openaiCases } from './openai-cases.ts'
import { openaiHelperCases } from './openai-helper-cases.ts'
import { openaiMediaCases } from './openai-media-cases.ts'

/** The unmodified `openai` package. */
export const openai: Client = {
  name: 'openai',
  repeatsWhatWasLost: true,
  ask,
  cases: [...openaiCases, ...openaiHelperCases, ...openaiMediaCases],
  raises: {
    'wrong key': (error) =>
      expectError(error, OpenAI.AuthenticationError, {
        status: 401,
        code: 'invalid_api_key',
        message: prefixed(401, messages['wrong key']),
      }),
    // The package has no class of its own for 402.
    'no credit': (error) =>
      expectError(error, OpenAI.APIError, {
        status: 402,
        code: 'insufficient_credits',
        type: 'insufficient_quota',
        message: prefixed(402, messages['no credit']),
      }),
    'unknown model': (error) =>
      expectError(error, OpenAI.NotFoundError, {
        status: 404,
        code: 'model_not_found',
        param: 'model',
        message: prefixed(404, messages['unknown model']),
      }),
    'too many requests': (error) =>
      expectError(error, OpenAI.RateLimitError, {
        status: 429,
        code: 'rate_limit_exceeded',
        message: prefixed(429, messages['too many requests']),
      }),
    unavailable: (error) =>
      expectError(error, OpenAI.InternalServerError, {
        status: 503,
        code: 'store_unavailable',
        message: prefixed(503, messages.unavailable),
      }),
    'providers failed': (error) =>
      expectError(error, OpenAI.InternalServerError, {
        status: 502,
        code: 'provider_failed',
        message: prefixed(502, messages['providers failed']),
      }),
    // The status of a stream that has begun was 200.
    'broken stream': (error) =>
      expectError(error, OpenAI.APIError, {
        status: undefined,
        code: 'provider_failed',
        message: messages['broken stream'],
      }),
    'error in a stream': (error) =>
      expectError(error, OpenAI.APIError, { status: undefined, message: messages['error in a stream'] }),
  },
}

async function ask({ baseUrl, apiKey, model, isStreaming, retriesMax, headers }: Question): Promise<string> {
  const client = new OpenAI({ baseURL: baseUrl, apiKey, maxRetries: retriesMax })
  const body = { model, messages: [{ role: 'user' as const, content: 'Say something, please.' }] }
  const options = headers === undefined ? {} : { headers }
  if (!isStreaming) {
    const { choices } = await client.chat.completions.create(body, options)
    return choices[0]?.message.content ?? ''
  }
  let text = ''
  const stream = await client.chat.completions.create({ ...body, stream: true }, options)
  for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
  return text
}

/** The package begins messages with the status. */
function prefixed(status: number, text: RegExp): RegExp {
  return new RegExp(text.source.replace(/^\^/, `^${status} `), text.flags)
}
