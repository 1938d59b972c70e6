import Anthropic from '@anthropic-ai/sdk'
import { formatUsd, perMillion } from '@farebox/core'
import { authorization, type Rig, startRig } from '@farebox/testkit/adapter'
import './fixed-chance.ts'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expressHost } from './express-host.ts'
import {
  type Json,
  type Script,
  scriptedGateway,
  scriptedModel,
  streamOf,
  wholeOf,
} from './scripted-gateway.ts'

const usage = {
  prompt_tokens: 100,
  completion_tokens: 5,
  total_tokens: 105,
  prompt_tokens_details: { cached_tokens: 60 },
}
const question = {
  model: scriptedModel,
  max_tokens: 50,
  messages: [{ role: 'user' as const, content: 'Hi' }],
}

const price = {
  input_token: perMillion('1'),
  cached_input_token: perMillion('0.1'),
  output_token: perMillion('2'),
}

/** The unmodified SDK in front of a gateway whose provider answers as it is told. */
function start(answer: (isStreaming: boolean) => Script) {
  const { gateway, fetch } = scriptedGateway(({ stream }) => answer(stream === true), price)
  return { client: new Anthropic({ apiKey: 'k', baseURL: 'http://gateway', maxRetries: 0, fetch }), gateway }
}

const chunk = (delta: Json, finish: string | null = null): Json => ({
  id: 'chatcmpl-1',
  choices: [{ index: 0, delta, finish_reason: finish }],
})

const calls = (...pieces: Json[]): Json => chunk({ tool_calls: pieces })

function bytesOf(chunks: readonly Json[], pieceBytes?: number): Script {
  return streamOf([...chunks, { id: 'chatcmpl-1', choices: [], usage }], pieceBytes)
}

function whole(message: Json, finish: string): Script {
  const choices = [{ index: 0, message, finish_reason: finish }]
  return wholeOf({ id: 'chatcmpl-1', choices, usage })
}

describe('tool calls that a provider writes at once', () => {
  it('reach the package whole, each in its place', async () => {
    const { client } = start(() =>
      bytesOf([
        chunk({ role: 'assistant', content: 'Let me see.' }),
        calls(
          { index: 0, id: 'c0', function: { name: 'f', arguments: '{"city":"B' } },
          { index: 1, id: 'c1', function: { name: 'g', arguments: '' } },
        ),
        calls(
          { index: 1, function: { arguments: '{"n":1}' } },
          { index: 0, function: { arguments: 'ern"}' } },
        ),
        chunk({}, 'tool_calls'),
      ]),
    )
    const stream = client.messages.stream(question)
    const told: unknown[] = []
    stream.on('contentBlock', (block) => told.push(block.type === 'tool_use' ? block.input : block.type))

    const { content, stop_reason } = await stream.finalMessage()

    expect(told).toEqual(['text', { city: 'Bern' }, { n: 1 }])
    expect(content.slice(1)).toEqual([
      { type: 'tool_use', id: 'c0', name: 'f', input: { city: 'Bern' } },
      { type: 'tool_use', id: 'c1', name: 'g', input: { n: 1 } },
    ])
    expect(stop_reason).toBe('tool_use')
  })
})

describe('what a message costs', () => {
  it.each([false, true])(
    'is told beside its usage, with cached tokens beside the input (streamed: %s)',
    async (isStreaming) => {
      const { client, gateway } = start((streams) =>
        streams
          ? bytesOf([chunk({ content: 'Hello' }), chunk({}, 'stop')])
          : whole({ content: 'Hello' }, 'stop'),
      )
      const told: unknown[] = []
      if (isStreaming) {
        for await (const event of await client.messages.create({ ...question, stream: true }))
          if (event.type === 'message_delta') told.push(event.usage)
      } else told.push((await client.messages.create(question)).usage)

      const receipt = await gateway.receipts.get({ accountId: 'alice', requestId: 'r-1' })
      expect(told).toEqual([
        {
          input_tokens: 40,
          cache_creation_input_tokens: null,
          cache_read_input_tokens: 60,
          output_tokens: 5,
          // 40 × 1 + 60 × 0.1 + 5 × 2 millionths.
          cost: '0.000056',
        },
      ])
      expect(receipt && formatUsd(receipt.charged)).toBe('0.000056')
    },
  )

  it('and its id lead to the receipt', async () => {
    const { client } = start(() => whole({ content: 'Hello' }, 'stop'))
    const { data, request_id } = await client.messages.create(question).withResponse()
    expect([data.id, request_id]).toEqual(['msg_r-1', 'r-1'])
  })
})

describe('a message streamed', () => {
  it('is put together by the package to the message that comes whole', async () => {
    const answer = fc.record({
      reasoning: fc.string(),
      content: fc.string({ unit: 'grapheme' }),
      inputs: fc.array(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 })), { maxLength: 3 }),
      finish: fc.constantFrom('stop', 'tool_calls', 'content_filter'),
      pieceBytes: fc.integer({ min: 1, max: 300 }),
    })
    const thinking = { type: 'enabled' as const, budget_tokens: 1_024 }
    await fc.assert(
      fc.asyncProperty(answer, async ({ reasoning, content, inputs, finish, pieceBytes }) => {
        const made = inputs.map((input, index) => ({
          id: `c${index}`,
          type: 'function',
          function: { name: `f${index}`, arguments: JSON.stringify(input) },
        }))
        const chunks = [
          chunk({ role: 'assistant', reasoning }),
          ...Array.from(content, (character) => chunk({ content: character })),
          ...made.map((call, index) => calls({ index, ...call })),
          chunk({}, finish),
        ]
        const message = { reasoning, content, tool_calls: made }
        const ask = () =>
          start((streams) => (streams ? bytesOf(chunks, pieceBytes) : whole(message, finish))).client
        const asked = { ...question, thinking }
        const streamed = await ask().messages.stream(asked).finalMessage()
        // The package keeps of the last usage what it knows, which the cost is not.
        const { cost: _, ...counts } = { cost: '', ...(await ask().messages.create(asked)).usage }
        const expected = { ...(await ask().messages.create(asked)), usage: counts }
        expect(JSON.parse(JSON.stringify({ ...streamed, parsed_output: undefined }))).toEqual(expected)
      }),
      { numRuns: 25 },
    )
  })
})

const chatModel = 'openai/gpt-oss-120b'
const asked = { ...question, model: chatModel }

describe('at a host', () => {
  let rig: Rig
  beforeAll(async () => {
    rig = await startRig(expressHost, {
      gateway: { authenticate: (request, byApiKey) => byApiKey(request) },
    })
  })
  afterAll(() => rig?.close())

  it('a key that the gateway made pays in either header, and no other key does', async () => {
    const { key } = await rig.gateway.keys.create({ accountId: 'alice' })
    for (const headers of [{ 'x-api-key': key }, { authorization: `Bearer ${key}` }]) {
      const answer = await rig.client.ask({ path: '/v1/messages?beta=true', headers, body: asked })
      expect(answer.status, answer.text).toBe(200)
      expect(answer.headers['request-id']).toBe(answer.headers['x-request-id'])
    }
    const { charged } = await rig.balance()
    expect(charged).toBe(rig.simulator.served.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0n))
    for (const headers of [{}, { 'x-api-key': `${key}x` }, { authorization: 'Bearer wrong' }]) {
      for (const path of ['/v1/messages', '/v1/messages/count_tokens']) {
        const answer = await rig.client.ask({ path, headers, body: asked })
        expect(answer.status).toBe(401)
        expect(answer.json()).toMatchObject({
          type: 'error',
          error: { type: 'authentication_error', details: { error_code: 'invalid_api_key' } },
          request_id: answer.headers['request-id'],
        })
      }
    }
    expect((await rig.balance()).charged).toBe(charged)
  })

  it('a repeat with the same Idempotency-Key is the same message, and charged once', async () => {
    const { key } = await rig.gateway.keys.create({ accountId: 'alice' })
    const served = rig.simulator.served.length
    for (const stream of [false, true]) {
      const headers = { 'x-api-key': key, 'idempotency-key': `once-${stream}` }
      const body = { ...asked, stream }
      const first = await rig.client.ask({ path: '/v1/messages', headers, body })
      const second = await rig.client.ask({ path: '/v1/messages', headers, body })
      expect(second.text).toBe(first.text)
      const other = await rig.client.ask({ path: '/v1/messages', headers, body: { ...body, max_tokens: 51 } })
      expect([other.status, other.json()]).toMatchObject([409, { error: { type: 'conflict_error' } }])
    }
    expect(rig.simulator.served).toHaveLength(served + 2)
  })
})

const badBodies: readonly { readonly body: unknown; readonly status: number; readonly code: string }[] = [
  ...['', '{}{}', '{"model":', '[]', 'null'].map((body) => ({
    body,
    status: 400,
    code: body === '[]' || body === 'null' ? 'invalid_request' : 'invalid_json',
  })),
  ...[
    {},
    { model: undefined },
    { max_tokens: undefined },
    { max_tokens: 0 },
    { max_tokens: -1 },
    { max_tokens: 1.5 },
    { messages: [] },
    { messages: {} },
    { stream: 'true' },
    { tools: [{ type: 'web_search_20250305', name: 'web_search' }] },
    { messages: [{ role: 'user', content: [{ type: 'document', source: { type: 'url', url: 'x' } }] }] },
  ].map((members) => ({
    body: Object.keys(members).length === 0 ? {} : { ...asked, ...members },
    status: 400,
    code: 'invalid_request',
  })),
  { body: { ...asked, model: 'no/such-model' }, status: 404, code: 'model_not_found' },
  {
    body: { ...asked, model: 'intfloat/multilingual-e5-large-instruct' },
    status: 400,
    code: 'model_not_supported',
  },
]

describe.each([false, true])('a bad request, read by the host: %s', (parsesJson) => {
  let rig: Rig
  beforeAll(async () => {
    rig = await startRig(expressHost, { mount: { parsesJson } })
  })
  afterAll(() => rig?.close())

  // Text that is no JSON object is refused by the host's own parser, in the host's own words.
  it.each(badBodies.filter(({ body }) => !parsesJson || typeof body === 'object'))(
    'is refused in Anthropic’s words, and costs nothing: $body',
    async ({ body, status, code }) => {
      const headers = { ...authorization, 'content-type': 'application/json' }
      const answer = await rig.client.ask({ path: '/v1/messages', method: 'POST', headers, body })
      expect([answer.status, answer.json()]).toEqual([
        status,
        {
          type: 'error',
          error: {
            type: status === 404 ? 'not_found_error' : 'invalid_request_error',
            message: expect.stringMatching(/\w{3,}/) as unknown,
            details: expect.objectContaining({ error_code: code }) as unknown,
          },
          request_id: answer.headers['request-id'],
        },
      ])
      expect(answer.headers['x-should-retry']).toBe('false')
      expect(await rig.balance()).toMatchObject({ held: 0n, charged: 0n })
      expect(rig.simulator.requests).toHaveLength(0)
    },
  )

  it.each(['GET', 'PUT'])('by %s is told the right method', async (method) => {
    const answer = await rig.client.ask({ path: '/v1/messages', method, headers: authorization })
    expect([answer.status, answer.headers['allow']]).toEqual([405, 'POST'])
    expect(answer.json()).toMatchObject({ type: 'error', error: { type: 'invalid_request_error' } })
  })
})
