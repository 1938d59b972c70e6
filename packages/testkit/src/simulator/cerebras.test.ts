import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Simulator, startSimulator } from './index.ts'

interface ToolCall {
  readonly index?: number
  readonly id?: string
  readonly function: { readonly name?: string; readonly arguments: string }
}

interface Message {
  readonly content?: string
  readonly tool_calls?: readonly ToolCall[]
}

interface Body {
  readonly id: string
  readonly choices: readonly [
    {
      readonly index: number
      readonly finish_reason?: string
      readonly message: Message
      readonly delta: Message
      readonly logprobs: { readonly content: readonly { readonly top_logprobs: readonly object[] }[] }
    },
  ]
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number }
}

let simulator: Simulator
beforeAll(async () => {
  simulator = await startSimulator()
})
afterAll(() => simulator.close())

async function ask(
  body: object,
  headers: Record<string, string> = { authorization: 'Bearer key' },
): Promise<Response> {
  const request = { model: 'gpt-oss-120b', messages: [{ role: 'user', content: 'Hello' }], ...body }
  return fetch(`${simulator.baseUrl('cerebras')}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(request),
  })
}

async function askJson(body: object): Promise<Body> {
  return (await (await ask(body)).json()) as Body
}

async function askStream(body: object): Promise<readonly Body[]> {
  const text = await (await ask({ stream: true, ...body })).text()
  const events = text.split('\n\n').filter((event) => event !== '')
  expect(events.at(-1)).toBe('data: [DONE]')
  return events.slice(0, -1).map((event) => JSON.parse(event.slice('data: '.length)) as Body)
}

describe('cerebras', () => {
  it('answers in its own shape, with its request id and rate limits', async () => {
    const response = await ask({ messages: [{ role: 'user', content: 'Please say 7 tokens' }] })
    const body = (await response.json()) as Body
    expect(response.status).toBe(200)
    expect(response.headers.get('inference-id')).toBe(body.id)
    expect(Number(response.headers.get('x-ratelimit-reset-tokens-minute'))).toBeGreaterThan(0)
    expect(body.id).toMatch(/^chatcmpl-[0-9a-f]{8}-[0-9a-f]{4}-/)
    expect(body).toMatchObject({
      object: 'chat.completion',
      model: 'gpt-oss-120b',
      choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant' } }],
      usage: {
        prompt_tokens: 5,
        completion_tokens: 7,
        total_tokens: 12,
        prompt_tokens_details: { cached_tokens: 0 },
      },
      time_info: { total_time: expect.any(Number) },
    })
    expect(body.choices[0].message.content).toMatch(/^Simulated answer:/)
  })

  it('gives the same text for the same request, streamed or not', async () => {
    const first = await askJson({})
    const second = await askJson({})
    const chunks = await askStream({})
    const text = first.choices[0].message.content
    expect(second.choices[0].message.content).toBe(text)
    expect(second.id).not.toBe(first.id)
    expect(chunks.map((chunk) => chunk.choices[0].delta.content ?? '').join('')).toBe(text)
  })

  it('puts usage and time_info on the finish chunk, with its choices, when usage is asked for', async () => {
    const chunks = await askStream({ stream_options: { include_usage: true } })
    expect(chunks[0]?.choices[0].delta).toEqual({ role: 'assistant' })
    expect(chunks.at(-1)).toMatchObject({
      choices: [{ delta: {}, finish_reason: 'stop', index: 0 }],
      usage: { completion_tokens: chunks.length - 2 },
      time_info: { queue_time: expect.any(Number) },
    })
    expect(chunks.slice(0, -1).some((chunk) => 'usage' in chunk)).toBe(false)
  })

  it('streams no usage unless asked', async () => {
    expect((await askStream({})).some((chunk) => 'usage' in chunk)).toBe(false)
  })

  it('cuts at either limit with the finish reason length', async () => {
    for (const limit of [
      { max_tokens: 3 },
      { max_completion_tokens: 3 },
      { max_tokens: 9, max_completion_tokens: 3 },
    ]) {
      const body = await askJson(limit)
      expect(body).toMatchObject({ choices: [{ finish_reason: 'length' }], usage: { completion_tokens: 3 } })
    }
  })

  it('interleaves the choices of a stream and bills all of them', async () => {
    const messages = [{ role: 'user', content: 'say 5 tokens' }]
    const chunks = await askStream({ n: 2, messages, stream_options: { include_usage: true } })
    const written = chunks.filter((chunk) => chunk.choices[0].delta.content !== undefined)
    expect(written.map((chunk) => chunk.choices[0].index)).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1])
    expect(chunks.filter((chunk) => chunk.choices[0].finish_reason === 'stop')).toHaveLength(2)
    expect(chunks.at(-1)?.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 10 })
  })

  const tools = [
    { type: 'function', function: { name: 'first', parameters: { type: 'object', properties: {} } } },
    {
      type: 'function',
      function: { name: 'second', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
    },
  ]

  it('calls the first tool, the named tool, or none', async () => {
    const choiceOf = async (body: object) => (await askJson({ tools, ...body })).choices[0]
    expect(await choiceOf({})).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ type: 'function', function: { name: 'first', arguments: '{}' } }] },
    })
    const named = await choiceOf({ tool_choice: { type: 'function', function: { name: 'second' } } })
    expect(JSON.parse(named.message.tool_calls?.[0]?.function.arguments ?? '')).toEqual({
      city: 'Simulated answer',
    })
    expect((await choiceOf({ tool_choice: 'none' })).finish_reason).toBe('stop')
    const messages = [
      { role: 'user', content: 'Weather?' },
      { role: 'tool', tool_call_id: 'c', content: 'sunny' },
    ]
    expect((await choiceOf({ messages })).message.content).toContain('sunny')
  })

  it('streams a tool call as a head and fragments', async () => {
    const chunks = await askStream({ tools, tool_choice: { type: 'function', function: { name: 'second' } } })
    const calls = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? [])
    expect(calls[0]).toMatchObject({ index: 0, id: expect.stringMatching(/^call_/), type: 'function' })
    expect(calls[0]?.function).toEqual({ name: 'second', arguments: '' })
    expect(calls.slice(1).every((call) => call.id === undefined && call.index === 0)).toBe(true)
    expect(JSON.parse(calls.map((call) => call.function.arguments).join(''))).toEqual({
      city: 'Simulated answer',
    })
    expect(chunks.at(-1)?.choices[0].finish_reason).toBe('tool_calls')
  })

  it('answers with JSON for a schema', async () => {
    const json_schema = { name: 'x', schema: { type: 'object', properties: { ok: { type: 'boolean' } } } }
    const body = await askJson({ response_format: { type: 'json_schema', json_schema } })
    expect(JSON.parse(body.choices[0].message.content ?? '')).toEqual({ ok: expect.any(Boolean) })
    expect((await ask({ response_format: { type: 'json_schema', schema: json_schema.schema } })).status).toBe(
      422,
    )
  })

  it('gives log probabilities', async () => {
    const body = await askJson({ logprobs: true, top_logprobs: 2 })
    expect(body.choices[0].logprobs.content).toHaveLength(body.usage.completion_tokens)
    expect(body.choices[0].logprobs.content[0]?.top_logprobs).toHaveLength(2)
  })

  it('counts 85 tokens for an image and a quarter of the bytes of text and tools', async () => {
    const url = 'https://example.com/a.png'
    const content = [
      { type: 'text', text: 'abcd' },
      { type: 'image_url', image_url: { url } },
    ]
    const body = await askJson({ messages: [{ role: 'user', content }] })
    expect(body.usage.prompt_tokens).toBe(86)
    const withTools = await askJson({ messages: [{ role: 'user', content }], tools })
    expect(withTools.usage.prompt_tokens).toBe(85 + Math.ceil((4 + JSON.stringify(tools).length) / 4))
  })

  it('refuses unknown fields, missing messages and lone surrogates with flat 400 errors', async () => {
    for (const body of [{ store: false }, { metadata: {} }, { messages: [] }, { max_tokens: 0 }]) {
      const response = await ask(body)
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ type: 'invalid_request_error', code: 'wrong_api_format' })
    }
    expect(await (await ask({ store: false })).json()).toEqual({
      message: "store: property 'store' is unsupported",
      type: 'invalid_request_error',
      param: 'validation_error',
      code: 'wrong_api_format',
    })
    expect((await ask({ messages: [{ role: 'user', content: '\ud83d' }] })).status).toBe(400)
    expect((await ask({ messages: [{ role: 'user', content: '🙂' }] })).status).toBe(200)
  })

  it('refuses unknown models, missing keys and what it does not offer', async () => {
    expect(await (await ask({ model: 'nope' })).json()).toMatchObject({ code: 'model_not_found' })
    const keyless = await ask({}, {})
    expect(keyless.status).toBe(401)
    expect(await keyless.json()).toMatchObject({ code: 'wrong_api_key' })
    const headers = { authorization: 'Bearer key' }
    const base = simulator.baseUrl('cerebras')
    expect((await fetch(`${base}/embeddings`, { method: 'POST', headers, body: '{}' })).status).toBe(404)
  })

  it('lists its models and lets clients warm their connection', async () => {
    const headers = { authorization: 'Bearer key' }
    const base = simulator.baseUrl('cerebras')
    const list: unknown = await (await fetch(`${base}/models`, { headers })).json()
    expect(list).toMatchObject({
      object: 'list',
      data: [{ id: 'gpt-oss-120b', object: 'model', created: 0, owned_by: 'Cerebras' }, {}, {}],
    })
    expect((await fetch(`${base}/models/gpt-oss-120b`, { headers })).status).toBe(200)
    expect((await fetch(`${base}/models/nope`, { headers })).status).toBe(404)
    expect((await fetch(`${base}/tcp_warming`, { headers })).status).toBe(200)
  })
})
