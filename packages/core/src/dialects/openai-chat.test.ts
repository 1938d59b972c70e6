import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../errors.ts'
import { readJsonBody } from '../http/request-body.ts'
import type { InferenceCall } from './inference-call.ts'
import { openaiChat } from './openai-chat.ts'

const messages = [{ role: 'user', content: 'Hi' }]
const model = 'openai/gpt-oss-120b'

async function parse(members: object): Promise<InferenceCall> {
  return openaiChat.parse(await readJsonBody({ kind: 'parsed', value: members }, 1_000_000))
}

async function parseText(text: string): Promise<InferenceCall> {
  return openaiChat.parse(await readJsonBody({ kind: 'parsed', value: Buffer.from(text) }, 1_000_000))
}

async function refusal(parsing: Promise<unknown>): Promise<unknown> {
  try {
    await parsing
  } catch (error) {
    if (isGatewayError(error)) return [error.code, error.status, error.param]
    throw error
  }
  return 'accepted'
}

describe('what a chat call says', () => {
  it('is read from the least a caller can send', async () => {
    expect(await parse({ model, messages })).toMatchObject({
      operation: 'chat',
      model,
      selector: { kind: 'default' },
      isStreaming: false,
      wantsUsage: false,
      outputTokensMax: undefined,
      choices: 1,
      inputs: 1,
      inputImages: 0,
      image: undefined,
    })
  })

  it('is read from members, and members nobody knows are the provider’s to judge', async () => {
    const call = await parse({
      model: `${model}:cheapest`,
      messages,
      stream: true,
      stream_options: { include_usage: true, include_obfuscation: false },
      max_tokens: 100,
      n: 3,
      service_tier: 'auto',
      tools: [{ type: 'function', function: { name: 'f', parameters: {} } }],
      tool_choice: 'auto',
      logit_bias: { 50256: -100 },
      unheard_of: { a: [1] },
    })
    expect(call).toMatchObject({
      selector: { kind: 'policy', policy: 'cheapest' },
      isStreaming: true,
      wantsUsage: true,
      outputTokensMax: 100,
      choices: 3,
    })
  })

  it.each([
    ['flex', 'flex'],
    ['priority', 'priority'],
    ['default', undefined],
    ['auto', undefined],
    [undefined, undefined],
  ])('asks for the service tier %s where it has another price: %s', async (tier, expected) => {
    const call = await parse({ model, messages, ...(tier === undefined ? {} : { service_tier: tier }) })
    expect(call.serviceTier).toBe(expected)
  })

  it('counts the audio in its messages, which has a price of its own', async () => {
    const audio = { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }
    expect((await parse({ model, messages })).inputAudios).toBe(0)
    const spoken = [{ role: 'user', content: [audio, { type: 'text', text: 'What is said?' }, audio] }]
    expect((await parse({ model, messages: spoken })).inputAudios).toBe(2)
  })

  it('takes null as absent', async () => {
    const nulls = {
      stream: null,
      stream_options: null,
      max_tokens: null,
      max_completion_tokens: null,
      n: null,
      service_tier: null,
    }
    expect(await parse({ model, messages, ...nulls })).toMatchObject({
      isStreaming: false,
      wantsUsage: false,
      outputTokensMax: undefined,
      choices: 1,
    })
  })

  it.each([
    [{ max_tokens: 5 }, 5],
    [{ max_completion_tokens: 7 }, 7],
    [{ max_tokens: 5, max_completion_tokens: 7 }, 5],
    [{ max_tokens: 7, max_completion_tokens: 5 }, 5],
    [{ max_tokens: 1 }, 1],
    [{ max_tokens: 9_007_199_254_740_991 }, 9_007_199_254_740_991],
  ])('is bounded by the lower of the two bounds in %j', async (bounds, outputTokensMax) => {
    expect(await parse({ model, messages, ...bounds })).toMatchObject({ outputTokensMax })
  })

  it.each([
    ['fastest', { kind: 'policy', policy: 'fastest' }],
    ['cheapest', { kind: 'policy', policy: 'cheapest' }],
    ['preferred', { kind: 'policy', policy: 'preferred' }],
    ['cerebras', { kind: 'provider', providerId: 'cerebras' }],
    ['CHEAPEST', { kind: 'provider', providerId: 'CHEAPEST' }],
  ])('selects by the suffix %s', async (suffix, selector) => {
    expect(await parse({ model: `${model}:${suffix}`, messages })).toMatchObject({ model, selector })
  })

  it('splits at the last colon only', async () => {
    const call = await parse({ model: 'acme/model:7b:cheapest', messages })
    expect(call).toMatchObject({ model: 'acme/model:7b', selector: { policy: 'cheapest' } })
  })
})

describe('the bound on prompt tokens', () => {
  it('counts every byte of the body, because tools and schemas end up in the prompt as well', async () => {
    const text = JSON.stringify({ model, messages, tools: [{ type: 'function', function: { name: 'é' } }] })
    const call = await parseText(text)
    expect(call.inputTokensMax).toBeGreaterThanOrEqual(Buffer.byteLength(text))
  })

  it('grows with every message, for the tokens of the template', async () => {
    const one = await parse({ model, messages })
    const two = await parse({ model, messages: [...messages, { role: 'assistant' }] })
    const added = Buffer.byteLength(',{"role":"assistant"}')
    expect(two.inputTokensMax - one.inputTokensMax).toBeGreaterThan(added)
  })

  it('counts images apart, and not the bytes of those inside the body', async () => {
    const url = `data:image/png;base64,${'A'.repeat(50_000)}`
    const parts = [
      { type: 'text', text: 'What is this?' },
      { type: 'image_url', image_url: { url, detail: 'high' } },
      { type: 'image_url', image_url: { url: 'https://example.com/cat.png' } },
    ]
    const call = await parse({ model, messages: [{ role: 'user', content: parts }] })
    expect(call.inputImages).toBe(2)
    expect(call.inputTokensMax).toBeLessThan(1000)
    expect(call.inputTokensMax).toBeGreaterThan(200)
  })

  it('never falls below the text when a data URL holds characters of many bytes', async () => {
    const parts = [{ type: 'image_url', image_url: { url: `data:${'é'.repeat(1000)}` } }]
    const call = await parse({ model, messages: [{ role: 'user', content: parts }] })
    expect(call.inputTokensMax).toBeGreaterThan(1000)
  })

  it.each(['video_url', 'audio_url', 'file', 'input_file'])(
    'refuses a part of type %s, whose tokens nothing in the request bounds',
    async (type) => {
      const parts = [
        { type: 'text', text: 'What is this?' },
        { type, [type]: { url: 'https://example.com/long' } },
      ]
      const call = parse({ model, messages: [...messages, { role: 'user', content: parts }] })
      expect(await refusal(call)).toEqual(['invalid_request', 400, 'messages.1.content.1'])
    },
  )

  it.each([
    ['without a type', { video_url: { url: 'https://example.com/long' } }],
    ['behind another type', { type: 'text', text: 'Hi', video: 'https://example.com/long' }],
    ['in capitals', { Type: 'video_url', Video_URL: { url: 'https://example.com/long' } }],
  ])('refuses a video %s, which some servers fetch all the same', async (_case, part) => {
    expect(await refusal(parse({ model, messages: [{ role: 'user', content: [part] }] }))).toEqual([
      'invalid_request',
      400,
      'messages.0.content.0',
    ])
  })

  it.each([
    ['without a type', { image_url: { url: 'https://example.com/cat.png' } }],
    ['of a type of the Responses API', { type: 'input_image', image_url: 'https://example.com/cat.png' }],
    ['of a type of the Messages API', { type: 'image', source: { type: 'url' } }],
    ['behind another type', { type: 'text', text: 'Hi', image: 'https://example.com/cat.png' }],
  ])('counts an image %s, which some servers fetch all the same', async (_case, part) => {
    expect((await parse({ model, messages: [{ role: 'user', content: [part] }] })).inputImages).toBe(1)
  })

  it.each(['chat_template', 'mm_processor_kwargs'])(
    'refuses %s, with which a short request makes a long prompt',
    async (name) => {
      const members = { [name]: '{% for i in range(100000) %}long {% endfor %}' }
      expect(await refusal(parse({ model, messages, ...members }))).toEqual(['invalid_request', 400, name])
      expect(await parse({ model, messages, [name]: null })).toHaveProperty('inputTokensMax')
    },
  )

  it.each([
    [[null]],
    [['text']],
    [[{ type: 'text' }]],
    [[{ type: 'image_url' }]],
    [[{ type: 'image_url', image_url: 'https://example.com/cat.png' }]],
    [[{ type: 'image_url', image_url: null }]],
    [[{ type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }]],
  ])('reads odd content such as %j without falling over it', async (content) => {
    expect(await parse({ model, messages: [{ role: 'user', content }] })).toHaveProperty('inputTokensMax')
  })
})

describe('a chat call is refused', () => {
  it.each<[string, object, string, string]>([
    ['without messages', { messages: undefined }, 'invalid_request', 'messages'],
    ['with no message', { messages: [] }, 'invalid_request', 'messages'],
    ['with messages that are no array', { messages: 'Hi' }, 'invalid_request', 'messages'],
    ['with messages that are an object', { messages: { role: 'user' } }, 'invalid_request', 'messages'],
    ['with a message that is text', { messages: ['Hi'] }, 'invalid_request', 'messages.0'],
    ['with a message that is null', { messages: [...messages, null] }, 'invalid_request', 'messages.1'],
    ['with a message that is an array', { messages: [[]] }, 'invalid_request', 'messages.0'],
    ['without a model', { model: undefined }, 'invalid_request', 'model'],
    ['with an empty model', { model: '' }, 'invalid_request', 'model'],
    ['with a model that is null', { model: null }, 'invalid_request', 'model'],
    ['with a model that is a number', { model: 1 }, 'invalid_request', 'model'],
    ['with a URL as its model', { model: 'https://example.com/m' }, 'invalid_request', 'model'],
    ['with an http URL as its model', { model: 'http://localhost:8080' }, 'invalid_request', 'model'],
    ['with the placeholder of a client as its model', { model: 'dummy' }, 'invalid_request', 'model'],
    ['with a model of 257 letters', { model: 'm'.repeat(257) }, 'invalid_request', 'model'],
    ['with an empty suffix', { model: `${model}:` }, 'invalid_model_suffix', 'model'],
    ['with nothing but a suffix', { model: ':cheapest' }, 'invalid_model_suffix', 'model'],
    ['with max_tokens 0', { max_tokens: 0 }, 'invalid_request', 'max_tokens'],
    ['with max_tokens -1', { max_tokens: -1 }, 'invalid_request', 'max_tokens'],
    ['with max_tokens 1.5', { max_tokens: 1.5 }, 'invalid_request', 'max_tokens'],
    ['with max_tokens as text', { max_tokens: '100' }, 'invalid_request', 'max_tokens'],
    ['with max_tokens true', { max_tokens: true }, 'invalid_request', 'max_tokens'],
    ['with max_tokens 2⁵³', { max_tokens: 2 ** 53 }, 'invalid_request', 'max_tokens'],
    [
      'with max_completion_tokens 0',
      { max_completion_tokens: 0 },
      'invalid_request',
      'max_completion_tokens',
    ],
    [
      'with max_completion_tokens -1',
      { max_completion_tokens: -1 },
      'invalid_request',
      'max_completion_tokens',
    ],
    ['with a second model, which some providers read', { MODEL: 'dear' }, 'invalid_request', 'MODEL'],
    ['with another bound, which some read', { Max_Tokens: 100_000 }, 'invalid_request', 'Max_Tokens'],
    ['with a bound in letters that fold', { 'max_to\u212aens': 9 }, 'invalid_request', 'max_to\u212aens'],
    ['with a stream in letters that fold', { '\u017ftream': true }, 'invalid_request', '\u017ftream'],
    ['with n in capitals', { N: 128 }, 'invalid_request', 'N'],
    ['with n 0', { n: 0 }, 'invalid_request', 'n'],
    ['with n -1', { n: -1 }, 'invalid_request', 'n'],
    ['with n 129', { n: 129 }, 'invalid_request', 'n'],
    ['with n 1.5', { n: 1.5 }, 'invalid_request', 'n'],
    ['with n as text', { n: '2' }, 'invalid_request', 'n'],
    ['with stream as text', { stream: 'true' }, 'invalid_request', 'stream'],
    ['with stream 1', { stream: 1 }, 'invalid_request', 'stream'],
    ['with stream_options as text', { stream_options: 'usage' }, 'invalid_request', 'stream_options'],
    [
      'with include_usage as text',
      { stream_options: { include_usage: 'yes' } },
      'invalid_request',
      'stream_options.include_usage',
    ],
    ['for a tier nobody knows', { service_tier: 'x' }, 'invalid_request', 'service_tier'],
  ])('%s', async (_case, members, code, param) => {
    expect(await refusal(parse({ model, messages, ...members }))).toEqual([code, 400, param])
  })

  it('with max_tokens beyond every number', async () => {
    const text = `{"model":"${model}","messages":[{"role":"user","content":"Hi"}],"max_tokens":1e400}`
    expect(await refusal(parseText(text))).toEqual(['invalid_request', 400, 'max_tokens'])
  })

  it('with n 128 it is not, nor with 1', async () => {
    expect(await parse({ model, messages, n: 128 })).toMatchObject({ choices: 128 })
    expect(await parse({ model, messages, n: 1 })).toMatchObject({ choices: 1 })
  })

  it('by the last of two members of the same name, which is what is passed on', async () => {
    const text = `{"model":"${model}","messages":[{"content":"Hi"}],"max_tokens":5,"max_tokens":0}`
    expect(await refusal(parseText(text))).toEqual(['invalid_request', 400, 'max_tokens'])
  })
})
