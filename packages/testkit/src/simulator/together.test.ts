import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Simulator, startSimulator } from './index.ts'

interface Body {
  readonly id: string
  readonly choices: readonly {
    readonly index: number
    readonly finish_reason: string | null
    readonly message: { readonly content: string }
    readonly delta: { readonly content: string }
  }[]
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null
}

let simulator: Simulator
beforeAll(async () => {
  simulator = await startSimulator()
})
afterAll(() => simulator.close())

async function post(path: string, body: object): Promise<Response> {
  return fetch(`${simulator.baseUrl('together')}${path}`, {
    method: 'POST',
    headers: { authorization: 'Bearer key', 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

async function ask(body: object): Promise<Response> {
  const messages = [{ role: 'user', content: 'Hello' }]
  return post('/chat/completions', { model: 'openai/gpt-oss-120b', messages, ...body })
}

function parseStream(text: string): readonly Body[] {
  const events = text.split('\n\n').filter((event) => event !== '')
  expect(events.at(-1)).toBe('data: [DONE]')
  return events.slice(0, -1).map((event) => JSON.parse(event.slice('data: '.length)) as Body)
}

describe('together chat', () => {
  it('answers with an empty prompt list, a seed of 19 digits and flat cached tokens', async () => {
    const response = await ask({ messages: [{ role: 'user', content: 'say 4 tokens' }] })
    const text = await response.text()
    const body = JSON.parse(text) as Body
    expect(text).toMatch(/"seed":[1-9]\d{18}[,}]/)
    expect(response.headers.get('x-request-id')).toBe(body.id)
    expect(body).toMatchObject({
      object: 'chat.completion',
      prompt: [],
      choices: [{ finish_reason: 'stop', message: { role: 'assistant' } }],
      usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7, cached_tokens: 0 },
    })
  })

  it('streams usage unasked on the finish chunk only, null before', async () => {
    const text = await (await ask({ stream: true })).text()
    const chunks = parseStream(text)
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true)
    expect(chunks.at(-1)).toMatchObject({
      choices: [{ finish_reason: 'stop', text: '', delta: { token_id: 1, role: 'assistant', content: '' } }],
      usage: { completion_tokens: chunks.length - 1 },
    })
    expect(chunks[0]).toMatchObject({
      choices: [{ text: 'Simulated', seed: null, delta: { role: 'assistant' } }],
    })
    expect(text.match(/"seed":\d{19}/g)).toHaveLength(1)
    const whole = (await (await ask({})).json()) as Body
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content).join('')).toBe(
      whole.choices[0]?.message.content,
    )
  })

  it('wants its own form of a JSON schema', async () => {
    const schema = { type: 'object', properties: { ok: { type: 'boolean' } } }
    const own = (await (await ask({ response_format: { type: 'json_schema', schema } })).json()) as Body
    expect(JSON.parse(own.choices[0]?.message.content ?? '')).toEqual({ ok: expect.any(Boolean) })
    const nested = await ask({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } })
    expect(nested.status).toBe(400)
    expect(await nested.json()).toMatchObject({ error: { type: 'invalid_request_error' } })
    const object = (await (await ask({ response_format: { type: 'json_object' } })).json()) as Body
    expect(JSON.parse(object.choices[0]?.message.content ?? '')).toBeTypeOf('object')
  })

  it('takes log probabilities as a whole number and gives them in its own shape', async () => {
    expect((await ask({ logprobs: true })).status).toBe(400)
    const body = (await (await ask({ logprobs: 1, max_tokens: 2 })).json()) as object
    expect(body).toMatchObject({ choices: [{ logprobs: { tokens: ['Simulated', ' answer:'] } }] })
  })

  it('keeps quiet about fields it does not know', async () => {
    expect((await ask({ store: true, metadata: {} })).status).toBe(200)
  })

  it('refuses unknown models and models of another kind', async () => {
    const unknown = await ask({ model: 'nope' })
    expect(unknown.status).toBe(404)
    expect(await unknown.json()).toMatchObject({ error: { code: 'model_not_available', param: null } })
    expect((await ask({ model: 'intfloat/multilingual-e5-large-instruct' })).status).toBe(400)
  })

  it('lists its models as a bare array with prices per million', async () => {
    const headers = { authorization: 'Bearer key' }
    const list = (await (
      await fetch(`${simulator.baseUrl('together')}/models`, { headers })
    ).json()) as unknown[]
    expect(list[0]).toMatchObject({
      id: 'openai/gpt-oss-120b',
      type: 'chat',
      pricing: { input: 0.15, output: 0.6 },
    })
    expect(list).toHaveLength(8)
  })
})

describe('together embeddings', () => {
  const model = 'intfloat/multilingual-e5-large-instruct'

  it('gives floats whatever encoding is asked for, and bills the input', async () => {
    const response = await post('/embeddings', { model, input: ['abcde', 'x'], encoding_format: 'base64' })
    const body = (await response.json()) as {
      readonly data: readonly { readonly embedding: readonly number[] }[]
    }
    expect(body).toMatchObject({ object: 'list', model, usage: { prompt_tokens: 3, total_tokens: 3 } })
    expect(body.data).toHaveLength(2)
    expect(body.data[0]?.embedding).toHaveLength(1024)
    expect(body.data[0]?.embedding.every((value) => Number.isFinite(value))).toBe(true)
    // 3 x 0.02 USD per million tokens.
    expect(simulator.served.at(-1)).toMatchObject({
      operation: 'embeddings',
      costNanoUsd: 60n,
      outcome: 'complete',
    })
  })

  it('leaves usage out only for the model that is for it', async () => {
    const body: unknown = await (await post('/embeddings', { model: 'sim/no-usage', input: 'x' })).json()
    expect(body).not.toHaveProperty('usage')
    expect(simulator.served.at(-1)).toMatchObject({ usage: { prompt_tokens: 1 }, costNanoUsd: 150n })
  })

  it('refuses missing input and chat models', async () => {
    expect((await post('/embeddings', { model })).status).toBe(400)
    expect((await post('/embeddings', { model, input: [] })).status).toBe(400)
    expect((await post('/embeddings', { model: 'openai/gpt-oss-120b', input: 'x' })).status).toBe(400)
  })
})

describe('together images', () => {
  const model = 'black-forest-labs/FLUX.1-schnell'
  interface Images {
    readonly data: readonly [{ readonly url: string; readonly b64_json: string }]
  }

  it('gives addresses of real PNG files, priced by megapixel and steps', async () => {
    const body = (await (await post('/images/generations', { model, prompt: 'a cat' })).json()) as Images
    expect(body).toMatchObject({ object: 'list', model, data: [{ index: 0, type: 'url' }] })
    const file = await fetch(body.data[0].url)
    const bytes = Buffer.from(await file.arrayBuffer())
    expect(file.headers.get('content-type')).toBe('image/png')
    expect(bytes.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]))
    expect(simulator.served.at(-1)).toMatchObject({ operation: 'images', costNanoUsd: 2_831_156n })
  })

  it('gives base64 and bills every image at its size and steps', async () => {
    const request = {
      model,
      prompt: 'a cat',
      n: 2,
      width: 512,
      height: 512,
      steps: 8,
      response_format: 'base64',
    }
    const body = (await (await post('/images/generations', request)).json()) as Images
    expect(body.data).toHaveLength(2)
    expect(Buffer.from(body.data[0].b64_json, 'base64').toString('latin1')).toContain('PNG')
    // 2 x 0.262144 megapixels x 8/4 steps x 0.0027 USD.
    expect(simulator.served.at(-1)).toMatchObject({
      usage: { images: 2, width: 512, height: 512, steps: 8 },
      costNanoUsd: 2_831_156n,
    })
  })

  it('refuses the response format of OpenAI and sizes out of bounds', async () => {
    expect(
      (await post('/images/generations', { model, prompt: 'x', response_format: 'b64_json' })).status,
    ).toBe(400)
    expect((await post('/images/generations', { model, prompt: 'x', n: 0 })).status).toBe(400)
    expect((await post('/images/generations', { model })).status).toBe(400)
  })
})
