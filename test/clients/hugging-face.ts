import assert from 'node:assert/strict'
import { InferenceClient, InferenceClientProviderApiError } from '@huggingface/inference'
import { type Client, messages, type Question, type Refusal } from './client.ts'
import { huggingFaceCases } from './hugging-face-cases.ts'

/** The unmodified `@huggingface/inference`, with the gateway as its endpoint. */
export const huggingFace: Client = {
  name: '@huggingface/inference',
  repeats: 'only-503-at-once',
  repeatsWhatWasLost: false,
  ask,
  cases: huggingFaceCases,
  raises: {
    'wrong key': refused('wrong key', 401, 'invalid_api_key'),
    'no credit': refused('no credit', 402, 'insufficient_credits'),
    'unknown model': refused('unknown model', 404, 'model_not_found'),
    'too many requests': refused('too many requests', 429, 'rate_limit_exceeded'),
    unavailable: refused('unavailable', 503, 'store_unavailable'),
    'providers failed': refused('providers failed', 502, 'provider_failed'),
    'broken stream': refused('broken stream', 200, 'provider_failed'),
    'error in a stream': refused('error in a stream', 200, 'internal_server_error'),
  },
}

async function ask({ baseUrl, apiKey, model, isStreaming, retriesMax, headers }: Question): Promise<string> {
  const client = new InferenceClient(apiKey, {
    endpointUrl: baseUrl,
    retry_on_error: retriesMax > 0,
    ...(headers && {
      fetch: (input, init) =>
        fetch(input, { ...init, headers: { ...(init?.headers as object), ...headers } }),
    }),
  })
  const asked = { model, messages: [{ role: 'user', content: 'Say something, please.' }] }
  if (!isStreaming) return (await client.chatCompletion(asked)).choices[0]?.message.content ?? ''
  let text = ''
  for await (const { choices } of client.chatCompletionStream(asked)) text += choices[0]?.delta.content ?? ''
  return text
}

/** One class for everything. What is said is in the body it got, and often in its own words around that. */
function refused(refusal: Refusal, status: number, code: string): (error: unknown) => void {
  return (error) => {
    assert.ok(
      error instanceof InferenceClientProviderApiError,
      `no error of a call was raised but ${String(error)}`,
    )
    const { status: found, body } = error.httpResponse
    assert.equal(found, status)
    const told = (body as { readonly error?: { readonly message?: unknown; readonly code?: unknown } }).error
    assert.match(String(told?.message), messages[refusal])
    assert.equal(told?.code, code)
  }
}
