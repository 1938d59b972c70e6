import assert from 'node:assert/strict'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, generateText, type LanguageModel, streamText } from 'ai'
import { aiSdkCases } from './ai-sdk-cases.ts'
import { type Client, messages, type Question, type Refusal } from './client.ts'

/** The unmodified `ai` package over `@ai-sdk/openai-compatible`. */
export const aiSdk: Client = {
  name: 'ai',
  repeatsWhatWasLost: true,
  ask,
  cases: aiSdkCases,
  raises: {
    'wrong key': refused('wrong key', 401, 'invalid_api_key'),
    'no credit': refused('no credit', 402, 'insufficient_credits'),
    'unknown model': refused('unknown model', 404, 'model_not_found'),
    'too many requests': refused('too many requests', 429, 'rate_limit_exceeded'),
    unavailable: refused('unavailable', 503, 'store_unavailable'),
    'providers failed': refused('providers failed', 502, 'provider_failed'),
    'broken stream': reported('broken stream', 'provider_failed'),
    'error in a stream': reported('error in a stream', 'internal_server_error'),
  },
}

function ask(question: Question): Promise<string> {
  const { baseUrl, apiKey, model } = question
  return answerOf(createOpenAICompatible({ name: 'farebox', baseURL: baseUrl, apiKey })(model), question)
}

/** Asks a model of the package, and reads what it answers, whole or streamed. */
export async function answerOf(
  model: LanguageModel,
  { isStreaming, retriesMax, headers }: Pick<Question, 'isStreaming' | 'retriesMax' | 'headers'>,
): Promise<string> {
  const asked = {
    model,
    prompt: 'Say something, please.',
    maxRetries: retriesMax,
    ...(headers && { headers: { ...headers } }),
  }
  if (!isStreaming) return (await generateText(asked)).text
  let text = ''
  // Without a handler the package prints the error, and `textStream` ends as if the answer was whole.
  for await (const part of streamText({ ...asked, onError: () => undefined }).fullStream) {
    if (part.type === 'error') throw part.error
    if (part.type === 'text-delta') text += part.text
  }
  return text
}

/** One class for every status, with the body beside it. */
function refused(refusal: Refusal, status: number, code: string): (error: unknown) => void {
  return (error) => {
    assert.ok(APICallError.isInstance(error), `no error of a call was raised but ${String(error)}`)
    assert.match(error.message, messages[refusal])
    assert.equal(error.statusCode, status)
    assert.deepEqual((error.data as { error?: { code?: unknown } } | undefined)?.error?.code, code)
    // The package goes by the status alone: `x-should-retry` is not read.
    assert.equal(error.isRetryable, status === 429 || status >= 500)
  }
}

/** The `error` member of the event itself, as a plain object. */
export function reported(refusal: Refusal, code: string): (error: unknown) => void {
  return (error) => {
    assert.ok(typeof error === 'object' && error !== null && !(error instanceof Error), String(error))
    const { message, code: found } = error as { readonly message?: unknown; readonly code?: unknown }
    assert.match(String(message), messages[refusal])
    assert.equal(found, code)
  }
}
