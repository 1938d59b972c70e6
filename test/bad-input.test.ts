import { brotliCompressSync, constants } from 'node:zlib'
import {
  type Answer,
  apiKey,
  authorization,
  chat,
  chatBody,
  chatModel,
  type Question,
  type Rig,
  type RigOptions,
  startRig,
} from '@farebox/testkit/adapter'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expressHost } from './express-host.ts'
import { onExpress } from './on-express.ts'

const embeddingModel = 'intfloat/multilingual-e5-large-instruct'
const imageModel = 'black-forest-labs/FLUX.1-schnell'
const messages = [{ role: 'user', content: 'say 5 tokens' }]

/** Where money is spent, with a body that is served. */
const routes = {
  '/v1/chat/completions': chatBody(),
  '/v1/embeddings': { model: embeddingModel, input: 'a lighthouse' },
  '/v1/images/generations': { model: imageModel, prompt: 'a lighthouse' },
  '/v1/responses': { model: chatModel, input: 'say 5 tokens' },
}

interface BadInput {
  readonly name: string
  readonly path?: keyof typeof routes
  readonly body: unknown
  readonly status: number
  readonly code: string
  readonly param?: string | null
  readonly message?: RegExp
}

const invalid = { status: 400, code: 'invalid_request' }
const notJson = { status: 400, code: 'invalid_json' }
const noSuchModel = { status: 404, code: 'model_not_found', param: 'model' }
const embeddings = { path: '/v1/embeddings' } as const
const images = { path: '/v1/images/generations' } as const
const responses = { path: '/v1/responses' } as const

const badInputs: readonly BadInput[] = [
  // Not JSON.
  { name: 'nothing', body: '', ...notJson },
  { name: 'half an object', body: '{"model":"openai/gpt-oss-120b","messages":[', ...notJson },
  { name: 'a trailing comma', body: '{"model":"a/b",}', ...notJson },
  { name: 'single quotes', body: "{'model':'a/b'}", ...notJson },
  { name: 'two objects', body: '{}{}', ...notJson },
  { name: 'a number too many', body: '{"model":"a/b"} 1', ...notJson },
  { name: 'NaN', body: '{"model":"a/b","temperature":NaN}', ...notJson },
  { name: 'bare words', body: 'model=openai/gpt-oss-120b', ...notJson },
  {
    name: 'bytes that are not UTF-8',
    body: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
    ...notJson,
  },
  { name: 'text in Latin-1', body: Buffer.from('{"model":"a/b","user":"café"}', 'latin1'), ...notJson },
  { name: 'text in UTF-16', body: Buffer.from(JSON.stringify(chatBody()), 'utf16le'), ...notJson },
  { name: 'a NUL byte', body: '{"model":"a/b"}\0', ...notJson },
  { name: 'NUL bytes only', body: Buffer.alloc(1000), ...notJson },
  { name: '100,000 open brackets', body: '['.repeat(100_000), ...notJson },
  { name: 'arrays 100,000 deep', body: nested(100_000), ...notJson },
  { name: 'arrays 65 deep', body: nested(65), ...notJson },
  // JSON, but no request.
  { name: 'null', body: 'null', ...invalid },
  { name: 'a list', body: '[]', ...invalid },
  { name: 'a text', body: '"hello"', ...invalid },
  { name: 'a number', body: '7', ...invalid },
  { name: 'an empty object', body: {}, ...invalid, param: 'model' },
  // Models.
  { name: 'no model', body: { messages }, ...invalid, param: 'model' },
  { name: 'a model that is null', body: chatBody({ model: null }), ...invalid, param: 'model' },
  { name: 'a model that is a number', body: chatBody({ model: 7 }), ...invalid, param: 'model' },
  { name: 'a model that is a list', body: chatBody({ model: [chatModel] }), ...invalid, param: 'model' },
  { name: 'an empty model', body: chatBody({ model: '' }), ...invalid, param: 'model' },
  { name: 'a URL as model', body: chatBody({ model: 'http://127.0.0.1:1/v1' }), ...invalid, param: 'model' },
  {
    name: 'a model name without end',
    body: chatBody({ model: 'x'.repeat(10_000) }),
    ...invalid,
    param: 'model',
  },
  {
    name: 'an unknown model',
    body: chatBody({ model: 'nobody/nothing' }),
    ...noSuchModel,
    message: /nobody\/nothing.*cerebras, together, replicate/,
  },
  { name: 'a model in other letters', body: chatBody({ model: chatModel.toUpperCase() }), ...noSuchModel },
  { name: 'a model with a NUL', body: chatBody({ model: 'openai/gpt-oss-120b\0' }), ...noSuchModel },
  { name: 'a model with a line break', body: chatBody({ model: 'a/b\r\nx-evil' }), ...noSuchModel },
  {
    name: 'a model named like a member of every object',
    body: chatBody({ model: 'constructor' }),
    ...noSuchModel,
  },
  { name: 'a model named __proto__', body: chatBody({ model: '__proto__' }), ...noSuchModel },
  {
    name: 'an unknown suffix',
    body: chatBody({ model: `${chatModel}:nobody` }),
    status: 400,
    code: 'invalid_model_suffix',
    param: 'model',
    message: /:nobody.*:fastest, :cheapest, :preferred.*cerebras, together, replicate/,
  },
  {
    name: 'an empty suffix',
    body: chatBody({ model: `${chatModel}:` }),
    status: 400,
    code: 'invalid_model_suffix',
    param: 'model',
  },
  {
    name: 'a suffix alone',
    body: chatBody({ model: ':fastest' }),
    status: 400,
    code: 'invalid_model_suffix',
    param: 'model',
  },
  {
    name: 'a suffix named like a member of every object',
    body: chatBody({ model: `${chatModel}:constructor` }),
    status: 400,
    code: 'invalid_model_suffix',
  },
  {
    name: 'a provider without the model',
    body: chatBody({ model: `${chatModel}:replicate` }),
    status: 400,
    code: 'model_not_supported',
    message: /replicate.*cerebras, together/,
  },
  {
    name: 'a model for another route',
    body: chatBody({ model: embeddingModel }),
    status: 400,
    code: 'model_not_supported',
    message: /embeddings, not chat/,
  },
  // Messages.
  { name: 'no messages', body: { model: chatModel }, ...invalid, param: 'messages' },
  { name: 'empty messages', body: chatBody({ messages: [] }), ...invalid, param: 'messages' },
  { name: 'messages as text', body: chatBody({ messages: 'hello' }), ...invalid, param: 'messages' },
  {
    name: 'messages as an object',
    body: chatBody({ messages: { 0: messages[0] } }),
    ...invalid,
    param: 'messages',
  },
  {
    name: 'a message that is text',
    body: chatBody({ messages: [...messages, 'hello'] }),
    ...invalid,
    param: 'messages.1',
  },
  { name: 'a message that is null', body: chatBody({ messages: [null] }), ...invalid, param: 'messages.0' },
  { name: 'a prompt for chat', body: { model: chatModel, prompt: [] }, ...invalid, param: 'messages' },
  // Bounds.
  ...['max_tokens', 'max_completion_tokens', 'n'].flatMap((name) =>
    [-1, 0, 0.5, '10', true, [], 1e308].map((value) => ({
      name: `${name} of ${JSON.stringify(value)}`,
      body: chatBody({ [name]: value }),
      ...invalid,
      param: name,
    })),
  ),
  { name: 'n of 129', body: chatBody({ n: 129 }), ...invalid, param: 'n' },
  { name: 'n of 100 million', body: chatBody({ n: 1e8 }), ...invalid, param: 'n' },
  { name: 'a stream of "yes"', body: chatBody({ stream: 'yes' }), ...invalid, param: 'stream' },
  {
    name: 'stream options as text',
    body: chatBody({ stream: true, stream_options: 'usage' }),
    ...invalid,
    param: 'stream_options',
  },
  {
    name: 'usage of "yes"',
    body: chatBody({ stream: true, stream_options: { include_usage: 'yes' } }),
    ...invalid,
    param: 'stream_options.include_usage',
  },
  {
    name: 'a dearer service tier',
    body: chatBody({ service_tier: 'priority' }),
    ...invalid,
    param: 'service_tier',
  },
  // Embeddings.
  { name: 'no input', ...embeddings, body: { model: embeddingModel }, ...invalid, param: 'input' },
  ...[[], '', {}, 7, null, [''], [[]], ['a', 7], [{}]].map((input) => ({
    name: `an input of ${JSON.stringify(input)}`,
    ...embeddings,
    body: { model: embeddingModel, input },
    ...invalid,
    param: 'input',
  })),
  {
    name: '2,049 inputs',
    ...embeddings,
    body: { model: embeddingModel, input: Array(2049).fill('a') },
    ...invalid,
    param: 'input',
  },
  {
    name: 'an unknown encoding',
    ...embeddings,
    body: { model: embeddingModel, input: 'a', encoding_format: 'hex' },
    ...invalid,
    param: 'encoding_format',
  },
  // Images.
  ...[[], '', {}, 7, undefined].map((prompt) => ({
    name: `a prompt of ${JSON.stringify(prompt)}`,
    ...images,
    body: { model: imageModel, prompt },
    ...invalid,
    param: 'prompt',
  })),
  ...['0x0', '1024', '-1x1024', '99999x99999', 1024, '1024x1024x9', '1x1'].map((size) => ({
    name: `a size of ${JSON.stringify(size)}`,
    ...images,
    body: { model: imageModel, prompt: 'a lighthouse', size },
    ...invalid,
    param: 'size',
  })),
  { name: '11 images', ...images, body: { model: imageModel, prompt: 'a', n: 11 }, ...invalid, param: 'n' },
  {
    name: 'a million steps',
    ...images,
    body: { model: imageModel, prompt: 'a', steps: 1e6 },
    ...invalid,
    param: 'steps',
  },
  {
    name: 'a streamed image',
    ...images,
    body: { model: imageModel, prompt: 'a', stream: true },
    ...invalid,
    param: 'stream',
  },
  // Responses.
  ...['{}{}', '{"input":', ''].map((body) => ({
    name: `a response for ${body}`,
    ...responses,
    body,
    ...notJson,
  })),
  ...[
    { input: [], param: 'input' },
    { input: {}, param: 'input' },
    { input: 7, param: 'input' },
    { input: null, param: 'input' },
    { input: undefined, param: 'input' },
    { input: [[]], param: 'input.0' },
    { input: [{ role: 'user' }], param: 'input.0.content' },
    { input: [{ type: 'item_reference', id: 'msg_1' }], param: 'input.0' },
  ].map(({ input, param }) => ({
    name: `an input of ${JSON.stringify(input)}`,
    ...responses,
    body: { model: chatModel, input },
    ...invalid,
    param,
  })),
  ...[
    { previous_response_id: 'resp_1' },
    { conversation: 'conv_1' },
    { prompt: { id: 'pmpt_1' } },
    { background: true },
    { max_output_tokens: 0 },
    { max_output_tokens: -1 },
    { max_output_tokens: 1.5 },
    { stream: 'true' },
    { instructions: {} },
    { tools: 7 },
    { tool_choice: 'any' },
  ].map((members) => ({
    name: `a response with ${Object.keys(members)} of ${JSON.stringify(Object.values(members))}`,
    ...responses,
    body: { model: chatModel, input: 'say 5 tokens', ...members },
    ...invalid,
    param: Object.keys(members)[0] ?? null,
  })),
  {
    name: 'a response by a model that does not exist',
    ...responses,
    body: { model: 'no/such-model', input: 'Hi' },
    status: 400,
    code: 'model_not_found',
    param: 'model',
  },
  {
    name: 'a response by a model that makes images',
    ...responses,
    body: { model: imageModel, input: 'Hi' },
    status: 400,
    code: 'model_not_supported',
    param: 'model',
  },
]

describe.each([
  { who: 'the gateway', parsesJson: false },
  { who: 'the parser of the host', parsesJson: true },
])('read by $who', ({ parsesJson }) => {
  const rig = sharedRig({ mount: { parsesJson } })
  // Text that is no JSON object is refused by the host's own parser, in the host's own words.
  const inputs = parsesJson ? badInputs.filter(({ body }) => isObject(body)) : badInputs

  it.each(inputs)('$name is refused', async (input) => {
    const { path = '/v1/chat/completions', body } = input
    const question = {
      path,
      headers: { ...authorization, 'content-type': 'application/json' },
      method: 'POST',
      body,
    }

    await expectRefused(rig(), await rig().client.ask(question), input)
  })
})

describe('a body too large', () => {
  const rig = sharedRig({})

  it('of 50 MB is refused', async () => {
    const body = Buffer.alloc(50_000_000, 0x20)
    await expectRefused(rig(), await rig().client.ask({ ...chat(), body }), {
      status: 413,
      code: 'request_too_large',
    })
  })

  it('of 50 MB in a few compressed bytes is refused', async () => {
    // At the best quality this takes seconds, in which the server closes the connection that the client still has.
    const params = { [constants.BROTLI_PARAM_QUALITY]: 5 }
    const body = brotliCompressSync(Buffer.alloc(50_000_000, 0x20), { params })
    const headers = { ...authorization, 'content-encoding': 'br' }
    await expectRefused(rig(), await rig().client.ask({ ...chat(), headers, body }), {
      status: 413,
      code: 'request_too_large',
    })
  })
})

describe('a caller without a good key', () => {
  const rig = sharedRig({})
  const callers: Readonly<Record<string, Question['headers']>> = {
    'no key': {},
    'another key': { authorization: 'Bearer hf_somebody_else' },
    'a part of a key': { authorization: `Bearer ${apiKey.slice(0, -1)}` },
    'a key and more': { authorization: `Bearer ${apiKey}x` },
    'two keys': { authorization: `Bearer ${apiKey} ${apiKey}` },
    'an empty key': { authorization: 'Bearer ' },
    'another scheme': { authorization: `Basic ${apiKey}` },
    'a bare key': { authorization: apiKey },
    'a key of 10 kB': { authorization: `Bearer ${'x'.repeat(10_000)}` },
  }

  describe.each(Object.keys(routes) as (keyof typeof routes)[])('at %s', (path) => {
    it.each(Object.entries(callers))('is refused: %s', async (_name, headers = {}) => {
      const answer = await rig().client.ask({ path, headers, body: routes[path] })

      await expectRefused(rig(), answer, { status: 401, code: 'invalid_api_key' })
    })
  })

  it.each(['/v1/credits', '/v1/receipts/anything'])('does not see %s', async (path) => {
    await expectRefused(rig(), await rig().client.ask({ path }), { status: 401, code: 'invalid_api_key' })
  })

  it('is told so by the list of models when a key was sent', async () => {
    const headers = { authorization: 'Bearer hf_somebody_else' }
    expect((await rig().client.ask({ path: '/v1/models', headers })).status).toBe(401)
    expect((await rig().client.ask({ path: '/v1/models' })).status).toBe(200)
  })

  it.each([
    '//v1/chat/completions',
    '/v1/chat//completions',
    '/v1/chat/completions/',
    '/v1/chat/completions?key=x',
    '/v1/./chat/completions',
    '/v1/models/../chat/completions',
    '/v1/chat%2Fcompletions',
    '/V1/CHAT/COMPLETIONS',
    '/together/v1/chat/completions',
  ])('finds no way round at %s', async (path) => {
    const { status } = await rig().client.ask({ path, body: chatBody() })

    expect([401, 404]).toContain(status)
    expect(rig().simulator.requests).toHaveLength(0)
  })
})

describe('a caller with a good key', () => {
  it.each(Object.keys(routes) as (keyof typeof routes)[])('is charged at %s', async (path) => {
    await onExpress({}, async (rig) => {
      const answer = await rig.client.ask({ path, headers: authorization, body: routes[path] })

      expect(answer.status, answer.text).toBe(200)
      const receipt = await rig.onlyReceipt()
      expect(receipt.charged).toBeGreaterThan(0n)
      expect(receipt.charged).toBe(rig.simulator.served[0]?.costNanoUsd)
      expect((await rig.balance()).charged).toBe(receipt.charged)
    })
  })
})

describe('what two parsers could read differently', () => {
  const asked = '"messages":[{"role":"user","content":"say 40 tokens"}]'

  it.each([
    {
      name: 'max_tokens twice',
      text: `{"model":"${chatModel}","max_tokens":40,"max_tokens":3,${asked}}`,
      tokens: 3,
    },
    {
      name: 'max_tokens twice, the larger last',
      text: `{"model":"${chatModel}","max_tokens":3,"max_tokens":30,${asked}}`,
      tokens: 30,
    },
    {
      name: 'an escaped max_tokens',
      text: `{"model":"${chatModel}","max\\u005ftokens":3,${asked}}`,
      tokens: 3,
    },
    {
      name: 'a plain and an escaped max_tokens',
      text: `{"model":"${chatModel}","max_tokens":40,"max\\u005ftokens":3,${asked}}`,
      tokens: 3,
    },
    {
      name: 'both bounds',
      text: `{"model":"${chatModel}","max_tokens":30,"max_completion_tokens":3,${asked}}`,
      tokens: 3,
    },
    { name: 'n twice', text: `{"model":"${chatModel}","n":9,"n":1,"max_tokens":3,${asked}}`, tokens: 3 },
    { name: 'an escaped n', text: `{"model":"${chatModel}","\\u006e":2,"max_tokens":3,${asked}}`, tokens: 6 },
    {
      name: 'the model twice',
      text: `{"model":"zai-org/GLM-4.7","model":"${chatModel}","max_tokens":3,${asked}}`,
      tokens: 3,
    },
    {
      name: 'an escaped model',
      text: `{"model":"zai-org/GLM-4.7","\\u006dodel":"${chatModel}","max_tokens":3,${asked}}`,
      tokens: 3,
    },
    {
      name: 'stream twice',
      text: `{"model":"${chatModel}","stream":true,"stream":false,"max_tokens":3,${asked}}`,
      tokens: 3,
    },
  ])('reaches the provider as it was priced: $name', async ({ text, tokens }) => {
    await onExpress({}, async (rig) => {
      const answer = await rig.client.ask({ ...chat(), body: text })

      expect(answer.status, answer.text).toBe(200)
      const body = rig.simulator.requests[0]?.body ?? ''
      // Whatever parser the provider has, it finds each of these once.
      for (const member of [/"model":/g, /"n":/g, /"stream":/g, /"max_(completion_)?tokens":/g]) {
        expect((body.match(member) ?? []).length, `${member} in ${body}`).toBeLessThanOrEqual(1)
      }
      expect(body).not.toContain('\\u00')
      const [served] = rig.simulator.served
      expect(served?.model).toBe('gpt-oss-120b')
      expect(served?.usage['completion_tokens']).toBe(tokens)
      expect((await rig.onlyReceipt()).charged).toBe(served?.costNanoUsd)
    })
  })

  it('is not taken for a member: a name inside a text or another object', async () => {
    await onExpress({}, async (rig) => {
      const trap = '"max_tokens":1,"model":"zai-org/GLM-4.7"'
      const content = `say 9 tokens ${JSON.stringify(trap)}`
      const question = chat({ messages: [{ role: 'user', content, max_tokens: 1 }] })
      expect((await rig.client.ask(question)).status).toBe(200)

      expect(rig.simulator.served[0]?.usage['completion_tokens']).toBe(9)
    })
  })
})

describe('what is odd but fair', () => {
  it.each([
    { name: 'a huge bound', members: { max_tokens: Number.MAX_SAFE_INTEGER } },
    { name: 'a bound of 1', members: { max_tokens: 1 } },
    { name: 'bounds of null', members: { max_tokens: null, n: null, stream: null, stream_options: null } },
    { name: 'a NUL in a text', members: { messages: [{ role: 'user', content: 'a\0b' }] } },
    { name: 'a text in every script', members: { messages: [{ role: 'user', content: 'ελιά 東京 🌊🏔️' }] } },
    {
      name: 'a member named __proto__',
      members: JSON.parse('{"__proto__":{"n":9}}') as object,
      isStrict: true,
    },
    { name: 'a body 60 levels deep', members: { metadata: JSON.parse(nested(59)) as unknown } },
    { name: 'a byte order mark', members: {}, before: '\ufeff' },
    { name: 'space around it', members: {}, before: ' \r\n\t', after: '\n\n' },
  ])('is served and charged: $name', async ({ members, before = '', after = '' }) => {
    await onExpress({}, async (rig) => {
      const body = before + JSON.stringify(chatBody({ model: `${chatModel}:together`, ...members })) + after
      const answer = await rig.client.ask({ ...chat(), body })

      expect(answer.status, answer.text).toBe(200)
      expect((await rig.onlyReceipt()).charged).toBe(rig.simulator.served[0]?.costNanoUsd)
    })
  })

  it('keeps every digit of a number that JavaScript cannot hold', async () => {
    await onExpress({}, async (rig) => {
      const body = `{"model":"${chatModel}","seed":12345678901234567890,"messages":${JSON.stringify(messages)}}`
      await rig.client.ask({ ...chat(), body })

      expect(rig.simulator.requests[0]?.body).toContain('"seed":12345678901234567890')
    })
  })

  it('is refused by the provider, not the gateway, when only the provider can tell', async () => {
    await onExpress({}, async (rig) => {
      const answer = await rig.client.ask(chat({ model: `${chatModel}:together`, n: 128 }))

      expect(answer.status).toBe(400)
      expect(answer.headers['x-error-code']).toBe('provider_rejected')
      expect((await rig.onlyReceipt()).charged).toBe(0n)
    })
  })
})

interface Refusal {
  readonly status: number
  readonly code: string
  readonly param?: string | null
  readonly message?: RegExp
}

/** A clear error in OpenAI's shape; nothing held, charged or sent to a provider; and the server still answers. */
async function expectRefused(
  { client, simulator, gateway, receipts }: Rig,
  answer: Answer,
  { status, code, param, message = /\w{3,}/ }: Refusal,
): Promise<void> {
  expect(answer.status, answer.text).toBe(status)
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
  const { error } = answer.json() as { error: { param: unknown } }
  expect(error).toMatchObject({
    code,
    type: expect.any(String) as unknown,
    message: expect.stringMatching(message) as unknown,
  })
  if (param !== undefined) expect(error.param).toBe(param)
  expect(answer.headers['x-error-message']).toMatch(/^[\x20-\x7e]+$/)
  expect(answer.headers['x-should-retry']).toBe('false')
  const { held, charged } = await gateway.accounts.balance('alice')
  expect({ held, charged }).toEqual({ held: 0n, charged: 0n })
  expect(receipts).toHaveLength(0)
  expect(simulator.requests).toHaveLength(0)
  expect((await client.ask({ path: '/v1/credits', headers: authorization })).status).toBe(200)
}

/** One rig for many refusals: none of them may leave a trace. */
function sharedRig(options: RigOptions): () => Rig {
  let rig: Rig | undefined
  beforeAll(async () => {
    rig = await startRig(expressHost, options)
  })
  afterAll(() => rig?.close())
  return () => {
    if (rig === undefined) throw new Error('The rig has not been started.')
    return rig
  }
}

function nested(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels)
}

function isObject(body: unknown): boolean {
  return typeof body === 'object' && body !== null && !(body instanceof Uint8Array)
}
