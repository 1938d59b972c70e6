import assert from 'node:assert/strict'
import { ChatOpenAI } from '@langchain/openai'
import OpenAI from 'openai'
import { type Client, messages, type Question, type Refusal } from './client.ts'
import { expectError } from './expect-error.ts'
import { langchainCases } from './langchain-cases.ts'

/** The unmodified `@langchain/openai` package. It has its own retries around the `openai` package, whose errors it raises. */
export const langchain: Client = {
  name: '@langchain/openai',
  repeatsWhatWasLost: true,
  ask,
  cases: langchainCases,
  raises: {
    'wrong key': refused('wrong key', OpenAI.AuthenticationError, {
      status: 401,
      code: 'invalid_api_key',
      lc_error_code: 'MODEL_AUTHENTICATION',
    }),
    'no credit': refused('no credit', OpenAI.APIError, { status: 402, code: 'insufficient_credits' }),
    'unknown model': refused('unknown model', OpenAI.NotFoundError, {
      status: 404,
      code: 'model_not_found',
      lc_error_code: 'MODEL_NOT_FOUND',
    }),
    'too many requests': refused('too many requests', OpenAI.RateLimitError, {
      status: 429,
      code: 'rate_limit_exceeded',
      lc_error_code: 'MODEL_RATE_LIMIT',
    }),
    unavailable: refused('unavailable', OpenAI.InternalServerError, {
      status: 503,
      code: 'store_unavailable',
    }),
    'providers failed': refused('providers failed', OpenAI.InternalServerError, {
      status: 502,
      code: 'provider_failed',
    }),
    'broken stream': refused('broken stream', OpenAI.APIError, {
      status: undefined,
      code: 'provider_failed',
    }),
    'error in a stream': refused('error in a stream', OpenAI.APIError, { status: undefined }),
  },
}

async function ask({ baseUrl, apiKey, model, isStreaming, retriesMax, headers }: Question): Promise<string> {
  const chat = new ChatOpenAI({
    model,
    apiKey,
    maxRetries: retriesMax,
    configuration: { baseURL: baseUrl, ...(headers && { defaultHeaders: headers }) },
  })
  if (!isStreaming) return (await chat.invoke('Say something, please.')).text
  let text = ''
  for await (const chunk of await chat.stream('Say something, please.')) text += chunk.text
  return text
}

function refused(
  refusal: Refusal,
  errorClass: abstract new (...args: never[]) => Error,
  members: Readonly<Record<string, unknown>>,
): (error: unknown) => void {
  return (error) => {
    expectError(error, errorClass, members)
    // Behind the status that the `openai` package puts in front.
    assert.match((error as Error).message.replace(/^\d{3} /, ''), messages[refusal])
  }
}
