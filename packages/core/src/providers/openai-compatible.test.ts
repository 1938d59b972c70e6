import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exampleTarget } from '../catalog/__fixtures__/example-rows.ts'
import type { Target } from '../catalog/target.ts'
import type { BodyDialect } from '../dialects/dialect.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { openaiChat } from '../dialects/openai-chat.ts'
import { openaiEmbeddings } from '../dialects/openai-embeddings.ts'
import { openaiImages } from '../dialects/openai-images.ts'
import { readJsonBody } from '../http/request-body.ts'
import { cerebras } from './cerebras.ts'
import { openaiCompatible } from './openai-compatible.ts'
import type { Provider, Verdict } from './provider.ts'
import { together } from './together.ts'

const messages = [{ role: 'user', content: 'Hi' }]
const standard = openaiCompatible({
  id: 'standard',
  baseUrl: 'https://example.com/v1',
  operations: ['chat', 'embeddings', 'images'],
})

function targetOf(providerModel: string): Target {
  return exampleTarget({ providerId: 'p', providerModel })
}

async function callOf(text: string, dialect: BodyDialect = openaiChat): Promise<InferenceCall> {
  return dialect.parse(await readJsonBody({ kind: 'parsed', value: Buffer.from(text) }, 1_000_000))
}

interface Encoding {
  readonly dialect?: BodyDialect
  readonly outputTokens?: number
}

/** What goes upstream for a body, as text. */
async function encodeText(provider: Provider, text: string, options: Encoding = {}): Promise<string> {
  const { dialect = openaiChat, outputTokens } = options
  const call = await callOf(text, dialect)
  const { body } = provider.encode(call, { target: targetOf('up/stream'), attemptId: 'r.1', outputTokens })
  return Buffer.from(body ?? '').toString()
}

async function encode(provider: Provider, body: object, options: Encoding = {}) {
  const text = JSON.stringify({ model: 'acme/m', ...body })
  const sent = JSON.parse(await encodeText(provider, text, options))
  // A host that parses bodies itself gets the very same request.
  const parsed = (options.dialect ?? openaiChat).parse(
    await readJsonBody({ kind: 'parsed', value: JSON.parse(text) }, 1_000_000),
  )
  const context = { target: targetOf('up/stream'), attemptId: 'r.1', outputTokens: options.outputTokens }
  expect(JSON.parse(String(provider.encode(parsed, context).body))).toEqual(sent)
  return sent
}

describe('a request upstream', () => {
  it.each([
    ['https://example.com/v1', 'https://example.com/v1/chat/completions'],
    ['https://example.com/v1/', 'https://example.com/v1/chat/completions'],
    ['http://127.0.0.1:8080/a/b', 'http://127.0.0.1:8080/a/b/chat/completions'],
  ])('goes below %s', async (baseUrl, url) => {
    const call = await callOf(JSON.stringify({ model: 'acme/m', messages }))
    const provider = openaiCompatible({ id: 'p', baseUrl })
    const request = provider.encode(call, {
      target: targetOf('m'),
      attemptId: 'r.1',
      outputTokens: undefined,
    })
    expect(request.url.href).toBe(url)
    expect(request.method).toBe('POST')
  })

  it('carries the key of the gateway and the id of the attempt', async () => {
    const call = await callOf(JSON.stringify({ model: 'acme/m', messages }))
    const context = { target: targetOf('m'), attemptId: 'r.1', outputTokens: undefined }
    expect(cerebras({ apiKey: 'key' }).encode(call, context).headers).toEqual({
      accept: 'application/json',
      'content-type': 'application/json',
      authorization: 'Bearer key',
      'x-request-id': 'r.1',
    })
    expect(cerebras().encode(call, context).headers).not.toHaveProperty('authorization')
  })

  it('is refused for an operation the provider does not do', async () => {
    const call = await callOf('{"model":"m","input":"a"}', openaiEmbeddings)
    const context = { target: targetOf('m'), attemptId: 'r.1', outputTokens: undefined }
    expect(() => cerebras().encode(call, context)).toThrow(RangeError)
  })

  it('leaves every byte of the prompt and every number as the caller wrote it', async () => {
    const prompt = '[ {"role" : "user","content":"\\u00e9 \\/ é🦊 \\ud83d"} ]'
    const text = `{"model":"acme/m","messages":${prompt},"seed":7228414683750928001,"temperature":1.0}`
    for (const provider of [standard, cerebras(), together()]) {
      expect(await encodeText(provider, text)).toBe(text.replace('acme/m', 'up/stream'))
    }
  })

  it('stays valid whatever members come, in whatever order', async () => {
    const member = fc.constantFrom(
      ['store', true],
      ['metadata', { a: '1' }],
      ['max_tokens', 5],
      ['max_completion_tokens', 6],
      ['service_tier', 'auto'],
      ['stream', true],
      ['stream_options', { include_usage: false }],
      ['stop', 'x'],
      ['logprobs', true],
      ['top_logprobs', 2],
      ['temperature', 0.5],
      ['verbosity', 'low'],
    )
    const bodies = fc
      .uniqueArray(fc.oneof(member, fc.constant(['messages', messages])), { selector: ([name]) => name })
      .map((members) => Object.fromEntries([...members, ['messages', messages]] as [string, unknown][]))
    await fc.assert(
      fc.asyncProperty(
        bodies,
        fc.option(fc.integer({ min: 1, max: 99 }), { nil: undefined }),
        async (body, outputTokens) => {
          for (const provider of [standard, cerebras(), together()]) {
            const sent = await encode(provider, body, outputTokens === undefined ? {} : { outputTokens })
            expect(sent.model).toBe('up/stream')
            expect(sent.messages).toEqual(messages)
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('the bound on output', () => {
  it.each([
    ['cerebras', cerebras(), 'max_completion_tokens', 'max_tokens'],
    ['together', together(), 'max_tokens', 'max_completion_tokens'],
    ['a standard provider', standard, 'max_tokens', 'max_completion_tokens'],
  ] as const)('has the name that %s knows, once', async (_name, provider, known, other) => {
    for (const bounds of [
      { max_tokens: 5 },
      { max_completion_tokens: 5 },
      { max_tokens: 5, max_completion_tokens: 9 },
    ]) {
      const sent = await encode(provider, { messages, ...bounds })
      expect(sent[known]).toBe(5)
      expect(sent).not.toHaveProperty(other)
    }
  })

  it('is what the hold covers when that is lower', async () => {
    const sent = await encode(cerebras(), { messages, max_tokens: 5000 }, { outputTokens: 77 })
    expect(sent.max_completion_tokens).toBe(77)
  })

  it('is sent when the caller set none but the hold needs one', async () => {
    expect((await encode(together(), { messages }, { outputTokens: 77 })).max_tokens).toBe(77)
  })

  it('is not sent when neither needs one', async () => {
    const sent = await encode(together(), { messages, max_tokens: null, max_completion_tokens: null })
    expect(sent).toEqual({ model: 'up/stream', messages })
  })
})

describe('usage in a stream', () => {
  it('is always asked for, whatever the caller said, and other options stay', async () => {
    for (const stream_options of [undefined, null, {}, { include_usage: false }, { include_usage: true }]) {
      const sent = await encode(cerebras(), { messages, stream: true, stream_options })
      expect(sent.stream_options).toEqual({ include_usage: true })
    }
    const sent = await encode(standard, {
      messages,
      stream: true,
      stream_options: { include_obfuscation: false },
    })
    expect(sent.stream_options).toEqual({ include_obfuscation: false, include_usage: true })
  })

  it('is not asked for where it always comes', async () => {
    const sent = await encode(together(), { messages, stream: true, stream_options: { include_usage: true } })
    expect(sent).toEqual({ model: 'up/stream', messages, stream: true })
  })

  it('is not asked for without a stream, which would be refused', async () => {
    const sent = await encode(cerebras(), {
      messages,
      stream: false,
      stream_options: { include_usage: true },
    })
    expect(sent).toEqual({ model: 'up/stream', messages, stream: false })
  })
})

describe('members a provider refuses or prices otherwise', () => {
  it('are left out: the tier everywhere, unless it is asked for at a price of its own', async () => {
    expect(await encode(standard, { messages, service_tier: 'flex' })).toHaveProperty('service_tier', 'flex')
    for (const provider of [cerebras(), together(), standard]) {
      expect(await encode(provider, { messages, service_tier: 'auto' })).not.toHaveProperty('service_tier')
    }
  })

  it('are left out for Cerebras', async () => {
    const refused = {
      store: true,
      metadata: { a: '1' },
      verbosity: 'low',
      safety_identifier: 's',
      modalities: ['text'],
      prompt_cache_retention: '24h',
    }
    expect(await encode(cerebras(), { messages, ...refused, seed: 7, stop: ['x'] })).toEqual({
      model: 'up/stream',
      messages,
      seed: 7,
      stop: ['x'],
    })
  })

  it('are left out for Together', async () => {
    expect(await encode(together(), { messages, store: false, metadata: null })).toEqual({
      model: 'up/stream',
      messages,
    })
  })
})

describe('Together’s own spelling', () => {
  it('of a schema is not nested', async () => {
    const schema = { type: 'object', properties: { a: { type: 'string' } } }
    const nested = { type: 'json_schema', json_schema: { name: 'n', strict: true, schema } }
    expect((await encode(together(), { messages, response_format: nested })).response_format).toEqual({
      type: 'json_schema',
      schema,
    })
  })

  it.each([[{ type: 'json_object' }], [{ type: 'json_schema', schema: {} }], [null], [{ type: 'text' }]])(
    'of the format %j is the same',
    async (response_format) => {
      const sent = await encode(together(), { messages, response_format })
      expect(sent.response_format).toEqual(response_format)
    },
  )

  it.each([
    ['END', ['END']],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [null, null],
  ])('of the stop %j is %j', async (stop, expected) => {
    expect((await encode(together(), { messages, stop })).stop).toEqual(expected)
  })

  it.each([
    [{ logprobs: true }, { logprobs: 1 }],
    [{ logprobs: true, top_logprobs: 0 }, { logprobs: 1 }],
    [{ logprobs: true, top_logprobs: 5 }, { logprobs: 5 }],
    [{ logprobs: false }, {}],
    [{ logprobs: false, top_logprobs: 5 }, {}],
    [{ logprobs: 3 }, { logprobs: 3 }],
  ])('of %j is %j', async (members, expected) => {
    expect(await encode(together(), { messages, ...members })).toEqual({
      model: 'up/stream',
      messages,
      ...expected,
    })
  })

  it('of an image is two numbers, its steps, and base64 by another name', async () => {
    const options = { dialect: openaiImages }
    const sent = await encode(
      together(),
      { prompt: 'a cat', n: 2, size: '512x768', response_format: 'b64_json', seed: 7 },
      options,
    )
    expect(sent).toEqual({
      model: 'up/stream',
      prompt: 'a cat',
      n: 2,
      width: 512,
      height: 768,
      steps: 4,
      response_format: 'base64',
      seed: 7,
    })
    expect(await encode(together(), { prompt: 'a cat', width: 2048, height: 512 }, options)).toMatchObject({
      width: 2048,
      height: 512,
    })
    expect(await encode(together(), { prompt: 'a cat', steps: 8 }, options)).toMatchObject({
      width: 1024,
      height: 1024,
      steps: 8,
      response_format: 'url',
    })
  })

  it('of embeddings has no encoding, which the gateway converts itself', async () => {
    const options = { dialect: openaiEmbeddings }
    expect(await encode(together(), { input: ['a', 'b'], encoding_format: 'base64' }, options)).toEqual({
      model: 'up/stream',
      input: ['a', 'b'],
    })
  })
})

describe('usage in Farebox’ classes', () => {
  const call = { operation: 'chat' } as InferenceCall
  const read = (usage: unknown) => standard.usage({ usage }, call)

  it.each<[string, unknown, unknown]>([
    [
      'as OpenAI tells it',
      { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 },
      { input_token: 9n, output_token: 2n },
    ],
    [
      'with cached tokens inside the prompt',
      { prompt_tokens: 100, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 60 } },
      { input_token: 40n, cached_input_token: 60n, output_token: 2n },
    ],
    [
      'with cached tokens beside the prompt, yet inside it',
      { prompt_tokens: 100, completion_tokens: 2, cached_tokens: 60 },
      { input_token: 40n, cached_input_token: 60n, output_token: 2n },
    ],
    [
      'with hits and misses of a cache',
      { prompt_tokens: 100, completion_tokens: 2, prompt_cache_hit_tokens: 60, prompt_cache_miss_tokens: 40 },
      { input_token: 40n, cached_input_token: 60n, output_token: 2n },
    ],
    [
      'with more cached than there is prompt',
      { prompt_tokens: 10, completion_tokens: 2, cached_tokens: 60 },
      { input_token: 0n, cached_input_token: 10n, output_token: 2n },
    ],
    [
      'with nothing cached',
      { prompt_tokens: 10, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 0 } },
      { input_token: 10n, output_token: 2n },
    ],
    [
      'with details that are null',
      {
        prompt_tokens: 10,
        completion_tokens: 2,
        prompt_tokens_details: null,
        completion_tokens_details: null,
      },
      { input_token: 10n, output_token: 2n },
    ],
    [
      'with reasoning inside the completion',
      {
        prompt_tokens: 10,
        completion_tokens: 50,
        total_tokens: 60,
        completion_tokens_details: { reasoning_tokens: 40 },
      },
      { input_token: 10n, output_token: 10n, reasoning_token: 40n },
    ],
    [
      'with reasoning outside the completion, as the total says',
      {
        prompt_tokens: 12,
        completion_tokens: 2,
        total_tokens: 354,
        completion_tokens_details: { reasoning_tokens: 340 },
      },
      { input_token: 12n, output_token: 2n, reasoning_token: 340n },
    ],
    [
      'with reasoning and no total, which is taken as inside',
      { prompt_tokens: 12, completion_tokens: 342, completion_tokens_details: { reasoning_tokens: 340 } },
      { input_token: 12n, output_token: 2n, reasoning_token: 340n },
    ],
    [
      'with more reasoning than completion and no total, which cannot be inside',
      { prompt_tokens: 12, completion_tokens: 2, completion_tokens_details: { reasoning_tokens: 340 } },
      { input_token: 12n, output_token: 2n, reasoning_token: 340n },
    ],
    ['of embeddings', { prompt_tokens: 5, total_tokens: 5 }, { input_token: 5n }],
    [
      'of zero',
      { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
      { input_token: 0n, output_token: 0n },
    ],
    ['that lacks the prompt', { completion_tokens: 2 }, { output_token: 2n }],
    [
      'with a negative count, which is unknown',
      { prompt_tokens: -1, completion_tokens: 2 },
      { output_token: 2n },
    ],
    [
      'with half a token, which is unknown',
      { prompt_tokens: 1.5, completion_tokens: 2 },
      { output_token: 2n },
    ],
    [
      'with a count as text, which is unknown',
      { prompt_tokens: '9', completion_tokens: 2 },
      { output_token: 2n },
    ],
    ['without any count', { total_tokens: 11 }, undefined],
    ['that is empty', {}, undefined],
    ['that is null', null, undefined],
    ['that is missing', undefined, undefined],
    ['that is text', 'none', undefined],
  ])('is read from usage %s', (_case, usage, expected) => {
    expect(read(usage)).toEqual(expected)
  })

  it('is nothing for a reply that is nothing', () => {
    expect(standard.usage(undefined, call)).toBeUndefined()
  })

  it('partitions the total, with no class below zero, whatever is reported', () => {
    const count = fc.nat({ max: 1000 })
    fc.assert(
      fc.property(
        count,
        count,
        count,
        count,
        fc.boolean(),
        fc.boolean(),
        (prompt, completion, cached, reasoning, isOutside, isFlat) => {
          // A part cannot be more than the whole, so then it is outside whatever the total says.
          const total = prompt + completion + (isOutside || reasoning > completion ? reasoning : 0)
          const quantities = read({
            prompt_tokens: prompt,
            completion_tokens: completion,
            total_tokens: total,
            ...(isFlat ? { cached_tokens: cached } : { prompt_tokens_details: { cached_tokens: cached } }),
            completion_tokens_details: { reasoning_tokens: reasoning },
          })
          const counts = Object.values(quantities ?? {}).map((each) => BigInt(each ?? 0))
          expect(counts.every((each) => each >= 0n)).toBe(true)
          expect(counts.reduce((sum, each) => sum + each, 0n)).toBe(BigInt(total))
        },
      ),
    )
  })

  it('counts as a provider is declared to count, whatever its totals say', () => {
    const tokens = { cache: 'beside', reasoning: 'beside' } as const
    const other = openaiCompatible({ id: 'o', baseUrl: 'http://127.0.0.1', quirks: { tokens } })
    const usage = {
      prompt_tokens: 10,
      completion_tokens: 5,
      total_tokens: 15,
      prompt_tokens_details: { cached_tokens: 90 },
      completion_tokens_details: { reasoning_tokens: 3 },
    }
    expect(other.usage({ usage }, call)).toEqual({
      input_token: 10n,
      cached_input_token: 90n,
      output_token: 5n,
      reasoning_token: 3n,
    })
  })

  it.each([
    ['flex', 'flex'],
    ['PRIORITY', 'priority'],
    ['default', 'default'],
    ['on_demand', 'on_demand'],
    [null, undefined],
    [undefined, undefined],
    [1, undefined],
    ['x'.repeat(100), undefined],
  ])('comes with the service tier that the provider tells as %s, in lower case: %s', (told, tier) => {
    expect(standard.serviceTier?.({ usage: {}, service_tier: told })).toBe(tier)
    expect(standard.serviceTier?.(undefined)).toBeUndefined()
  })

  it('of images is the images that came, and their megapixels', async () => {
    const images = await callOf('{"model":"m","prompt":"a cat","n":3,"size":"1000x1000"}', openaiImages)
    expect(together().usage({ data: [{ url: 'a' }, { url: 'b' }] }, images)).toEqual({
      output_image: 2n,
      megapixel: '2.00000000',
    })
    const sized = await callOf('{"model":"m","prompt":"a","size":"1792x1024","quality":"hd"}', openaiImages)
    expect(together().usage({ data: [{ url: 'a' }] }, sized)).toEqual({
      output_image: 1n,
      'output_image:1792x1024:hd': 1n,
      megapixel: '1.83500800',
    })
    expect(together().usage({ data: [] }, images)).toEqual({ output_image: 0n, megapixel: '0.00000000' })
    expect(together().usage({}, images)).toBeUndefined()
    expect(together().usage(undefined, images)).toBeUndefined()
  })

  it('of images that are sold by token is also in tokens, and in the size and quality that were made', async () => {
    const auto = await callOf('{"model":"m","prompt":"a cat","quality":"auto"}', openaiImages)
    const reply = {
      data: [{ b64_json: '' }],
      size: '1536x1024',
      quality: 'medium',
      usage: {
        input_tokens: 50,
        input_tokens_details: { text_tokens: 10, image_tokens: 40 },
        output_tokens: 1568,
        total_tokens: 1618,
      },
    }
    expect(standard.usage(reply, auto)).toEqual({
      output_image: 1n,
      'output_image:1536x1024:medium': 1n,
      megapixel: '1.04857600',
      input_token: 10n,
      input_image_token: 40n,
      output_image_token: 1568n,
    })
    const told = { ...reply.usage, output_tokens_details: { text_tokens: 8, image_tokens: 1560 } }
    expect(standard.usage({ ...reply, usage: told }, auto)).toMatchObject({
      output_token: 8n,
      output_image_token: 1560n,
    })
    const { size: _size, quality: _quality, ...untold } = reply
    expect(standard.usage(untold, auto)).not.toHaveProperty('output_image:1024x1024:auto')
  })
})

describe('what an error means', () => {
  type Recorded = {
    readonly status: number
    readonly action: Verdict['action']
    readonly code?: string
    readonly isContextTooLong?: boolean
    readonly body: unknown
  }
  const recorded = JSON.parse(
    readFileSync(new URL('__fixtures__/errors.json', import.meta.url), 'utf8'),
  ) as Record<'cerebras' | 'together', readonly Recorded[]>

  const cases = [
    ...recorded.cerebras.map((error) => ['cerebras', cerebras(), error] as const),
    ...recorded.together.map((error) => ['together', together(), error] as const),
  ].map(
    ([name, provider, error]) =>
      [`${name} ${error.status} ${JSON.stringify(error.body).slice(0, 80)}`, provider, error] as const,
  )

  it.each(cases)('%s', (_name, provider, { status, body, action, code, isContextTooLong = false }) => {
    const verdict = provider.classify(status, body)
    expect(verdict).toMatchObject({ action, isContextTooLong })
    expect(verdict.code).toBe(code)
    if (typeof body === 'object') expect(verdict.message).toEqual(expect.any(String))
  })

  it.each([401, 402, 404, 408, 409, 429, 500, 502, 503, 504, 529])(
    'a bare %i is the provider’s own trouble, and another may serve',
    (status) => {
      for (const provider of [cerebras(), together()]) {
        for (const body of [undefined, null, '', {}, { error: null }, []]) {
          expect(provider.classify(status, body).action).toBe('fallback')
        }
      }
    },
  )

  it.each([400, 413, 422])('a bare %i is the request’s own fault, anywhere', (status) => {
    for (const provider of [cerebras(), together()]) {
      for (const body of [undefined, null, '', {}, { error: 'text' }]) {
        expect(provider.classify(status, body).action).toBe('fatal')
      }
    }
  })

  it('inside a 200 is never the request’s fault for sure, so another may serve', () => {
    const body = { error: { message: 'maximum context length exceeded', code: 400 } }
    expect(together().classify(200, body)).toMatchObject({ action: 'fallback', isContextTooLong: false })
  })

  it('a limit of tokens per minute is not a context that is too short', () => {
    const body = { message: 'Tokens per minute limit exceeded - too many tokens processed.' }
    expect(cerebras().classify(429, body)).toMatchObject({ action: 'fallback', isContextTooLong: false })
  })
})
