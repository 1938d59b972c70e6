import { describe, expect, it } from 'vitest'
import { GatewayError, isGatewayError } from '../../errors.ts'
import { readJsonBody } from '../../http/request-body.ts'
import type { InferenceCall } from '../inference-call.ts'
import { openaiResponses } from './openai-responses.ts'

const model = 'openai/gpt-oss-120b'

async function parse(members: object): Promise<InferenceCall> {
  const body = await readJsonBody({ kind: 'parsed', value: { model, input: 'Hi', ...members } }, 1_000_000)
  return openaiResponses.parse(body)
}

async function chatOf(members: object): Promise<Readonly<Record<string, unknown>>> {
  return (await parse(members)).body.value
}

async function refusal(members: object): Promise<unknown> {
  try {
    await parse(members)
  } catch (error) {
    if (isGatewayError(error)) return [error.code, error.status, error.param]
    throw error
  }
  return 'accepted'
}

describe('what a response is asked for with', () => {
  it('is read from the least a caller can send', async () => {
    const call = await parse({})
    expect(call).toMatchObject({
      operation: 'chat',
      model,
      selector: { kind: 'default' },
      isStreaming: false,
      wantsUsage: true,
      outputTokensMax: undefined,
      choices: 1,
    })
    expect(call.body.value).toEqual({ model, messages: [{ role: 'user', content: 'Hi' }] })
    expect(call.translatedFrom?.value).toEqual({ model, input: 'Hi' })
  })

  it('reaches the model in chat’s words', async () => {
    const chat = await chatOf({
      model: `${model}:cheapest`,
      instructions: 'Be brief.',
      stream: true,
      max_output_tokens: 100,
      temperature: 0.5,
      top_p: 0.9,
      reasoning: { effort: 'low', summary: 'auto' },
      text: {
        verbosity: 'low',
        format: { type: 'json_schema', name: 'n', schema: { type: 'object' }, strict: true },
      },
      top_logprobs: 2,
      user: 'u',
      safety_identifier: 's',
      prompt_cache_key: 'k',
      service_tier: 'auto',
      seed: 7,
    })
    expect(chat).toEqual({
      model: `${model}:cheapest`,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hi' },
      ],
      stream: true,
      max_tokens: 100,
      temperature: 0.5,
      top_p: 0.9,
      reasoning_effort: 'low',
      verbosity: 'low',
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'n', schema: { type: 'object' }, strict: true },
      },
      logprobs: true,
      top_logprobs: 2,
      user: 'u',
      safety_identifier: 's',
      prompt_cache_key: 'k',
      service_tier: 'auto',
      seed: 7,
    })
  })

  it('leaves out what neither a model nor the answer has a use for', async () => {
    const chat = await chatOf({
      store: true,
      metadata: { a: 'b' },
      truncation: 'auto',
      include: ['reasoning.encrypted_content'],
      stream_options: { include_obfuscation: true },
      text: { format: { type: 'text' } },
      reasoning: null,
      background: false,
      previous_response_id: null,
      max_tool_calls: 3,
      client_metadata: { a: 'b' },
      // Chat's own members would mean something to a provider that nobody here has bounded or could answer.
      n: 5,
      max_tokens: 1,
      messages: [],
    })
    expect(chat).toEqual({ model, messages: [{ role: 'user', content: 'Hi' }] })
  })

  it('asks for one answer, whatever chat would be asked for', async () => {
    expect((await parse({ n: 5 })).choices).toBe(1)
  })

  it('asks for log probabilities by either name', async () => {
    expect(await chatOf({ include: ['message.output_text.logprobs'] })).toMatchObject({ logprobs: true })
    expect(await chatOf({ top_logprobs: 0 })).not.toHaveProperty('logprobs')
  })

  it('is any JSON where that is what is asked for', async () => {
    expect(await chatOf({ text: { format: { type: 'json_object' } } })).toMatchObject({
      response_format: { type: 'json_object' },
    })
  })

  it('is bounded by what the provider is sent and may answer', async () => {
    const call = await parse({ instructions: 'x'.repeat(10_000), max_output_tokens: 321 })
    expect(call.outputTokensMax).toBe(321)
    expect(call.inputTokensMax).toBeGreaterThan(10_000)
    expect(call.inputTokensMax).toBeGreaterThan(call.body.byteLength)
    expect(call.body.source?.bytes.toString()).toBe(JSON.stringify(call.body.value))
  })

  it('counts images, whose bytes are no text', async () => {
    const image = { type: 'input_image', image_url: `data:image/png;base64,${'A'.repeat(50_000)}` }
    const call = await parse({ input: [{ role: 'user', content: [image] }] })
    expect(call.inputImages).toBe(1)
    expect(call.inputTokensMax).toBeLessThan(1000)
  })

  it('counts the images that a tool shows', async () => {
    const output = [{ type: 'input_image', image_url: 'https://example.com/a.png' }]
    const call = await parse({
      input: [
        { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
        { type: 'function_call_output', call_id: 'c', output },
      ],
    })
    expect(call.inputImages).toBe(1)
  })
})

describe('a request for a response is refused', () => {
  it.each([
    ['no model', { model: undefined }, 'model'],
    ['no input', { input: undefined }, 'input'],
    ['an input that is null', { input: null }, 'input'],
    ['an input that is a number', { input: 7 }, 'input'],
    ['an input without items', { input: [] }, 'input'],
    ['an input without items beside instructions', { input: [], instructions: 'x' }, 'input'],
    ['an input of nothing but reasoning', { input: [{ type: 'reasoning', summary: [] }] }, 'input'],
    ['instructions that are no text', { instructions: ['x'] }, 'instructions'],
    ['no output tokens', { max_output_tokens: 0 }, 'max_output_tokens'],
    ['half an output token', { max_output_tokens: 1.5 }, 'max_output_tokens'],
    ['output tokens as text', { max_output_tokens: '10' }, 'max_output_tokens'],
    ['a stream that is a text', { stream: 'yes' }, 'stream'],
    ['a service tier nobody knows', { service_tier: 'imaginary' }, 'service_tier'],
    ['a format nobody knows', { text: { format: { type: 'xml' } } }, 'text.format.type'],
    ['a format that is a text', { text: { format: 'json_object' } }, 'text.format'],
    ['an effort that is a number', { reasoning: { effort: 3 } }, 'reasoning.effort'],
    ['too many log probabilities', { top_logprobs: 21 }, 'top_logprobs'],
    ['things to include that are no list', { include: 'x' }, 'include'],
    ['metadata that are no texts', { metadata: { a: 1 } }, 'metadata.a'],
    ['a truncation nobody knows', { truncation: 'most' }, 'truncation'],
    ['a response to go on from', { previous_response_id: 'resp_1' }, 'previous_response_id'],
    ['a conversation', { conversation: 'conv_1' }, 'conversation'],
    ['a prompt by reference', { prompt: { id: 'pmpt_1' } }, 'prompt'],
    ['an answer in the background', { background: true }, 'background'],
    ['a moderation', { moderation: { model: 'm' } }, 'moderation'],
    ['a compaction', { context_management: [{ type: 'compaction' }] }, 'context_management'],
  ])('with %s', async (_name, members, param) => {
    expect(await refusal(members)).toEqual(['invalid_request', 400, param])
  })
})

describe('an error of a response', () => {
  const write = (error: GatewayError) => {
    const { status, headers, body } = openaiResponses.error?.(error, 'r-1') ?? {}
    return { status, headers, ...(JSON.parse(body ?? '{}') as { error: Record<string, unknown> }) }
  }

  it('is a bad request where the model does not exist, as at OpenAI', () => {
    const error = new GatewayError('model_not_found', 'No.', { param: 'model' })
    expect(write(error)).toMatchObject({
      status: 400,
      error: { message: 'No.', type: 'invalid_request_error', param: 'model', code: 'model_not_found' },
      headers: { 'x-error-code': 'model_not_found', 'x-should-retry': 'false' },
    })
  })

  it('blames the member that the caller has sent', () => {
    const param = (blamed: string | undefined) =>
      write(new GatewayError('provider_rejected', 'No.', { param: blamed })).error['param']
    expect(param('messages')).toBe('input')
    expect(param('messages.3.content')).toBe('input')
    expect(param('max_tokens')).toBe('max_output_tokens')
    expect(param('max_completion_tokens')).toBe('max_output_tokens')
    expect(param('response_format.json_schema')).toBe('text.format')
    expect(param('reasoning_effort')).toBe('reasoning.effort')
    expect(param('verbosity')).toBe('text.verbosity')
    expect(param('temperature')).toBe('temperature')
    expect(param(undefined)).toBe(null)
  })

  it('keeps its status, its facts and its wait', () => {
    const error = new GatewayError('rate_limit_exceeded', 'Later.', {
      status: 429,
      facts: { limit: 3 },
      retryAfterSeconds: 7,
      headers: { 'x-ratelimit-limit': '3' },
    })
    expect(write(error)).toMatchObject({
      status: 429,
      error: { limit: 3, code: 'rate_limit_exceeded' },
      headers: { 'retry-after': '7', 'x-ratelimit-limit': '3', 'x-request-id': 'r-1' },
    })
  })
})
