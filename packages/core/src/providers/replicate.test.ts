import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Target } from '../catalog/target.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { openaiChat } from '../dialects/openai-chat.ts'
import { openaiImages } from '../dialects/openai-images.ts'
import { eventData, eventEnd } from '../http/sse.ts'
import { perMillion, perUnit } from '../money.ts'
import type { Price } from '../price.ts'
import { replicate } from './replicate.ts'

const provider = replicate({ apiKey: 'key' })
const messages = [{ role: 'user', content: 'Hi' }]

function fixture(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL(`__fixtures__/replicate.${name}.json`, import.meta.url), 'utf8'))
}

function answer(name: string, changes: object = {}) {
  return { status: 200, headers: {}, body: { ...fixture(name), ...changes } as unknown }
}

function targetOf(providerModel: string, price: Price, computeSeconds?: number): Target {
  return {
    targetId: `replicate/${providerModel}`,
    providerId: 'replicate',
    providerModel,
    model: 'acme/m',
    operation: 'chat',
    price,
    limits: computeSeconds === undefined ? {} : { computeSeconds },
    priceVersion: 'v1',
    source: 'https://example.com/pricing',
    readOn: '2026-01-31',
  }
}

const llama = targetOf('meta/meta-llama-3-8b-instruct', {
  input_token: perMillion('1'),
  output_token: perMillion('1'),
})
const flux = targetOf('black-forest-labs/flux-schnell', { output_image: perUnit('0.003') })
const sdxl = targetOf('stability-ai/sdxl:39ed52', { compute_second: perUnit('0.000975') }, 60)

function chat(members: object = {}): InferenceCall {
  return openaiChat.parse({
    value: { model: 'acme/m', messages, ...members },
    source: undefined,
    byteLength: 100,
  })
}

function image(members: object = {}): InferenceCall {
  return openaiImages.parse({
    value: { model: 'acme/m', prompt: 'a cat', ...members },
    source: undefined,
    byteLength: 100,
  })
}

function encode(call: InferenceCall, target: Target, outputTokens?: number) {
  const request = provider.encode(call, { target, attemptId: 'r.1', outputTokens })
  return { ...request, url: request.url.href, body: JSON.parse(String(request.body)) }
}

describe('a prediction is created', () => {
  it('for an official model by its name, and Replicate is asked to wait', () => {
    expect(encode(chat({ max_tokens: 9, temperature: 0.5, top_p: 0.9, seed: 7 }), llama, 9)).toEqual({
      method: 'POST',
      url: 'https://api.replicate.com/v1/models/meta/meta-llama-3-8b-instruct/predictions',
      headers: {
        authorization: 'Bearer key',
        accept: 'application/json',
        'content-type': 'application/json',
        'x-request-id': 'r.1',
        prefer: 'wait=55',
      },
      body: { input: { prompt: 'Hi', max_tokens: 9, temperature: 0.5, top_p: 0.9, seed: 7 } },
    })
  })

  it('for any other model by its version, with a deadline where seconds cost', () => {
    const { url, headers, body } = encode(image({ size: '512x768' }), sdxl)
    expect(url).toBe('https://api.replicate.com/v1/predictions')
    expect(headers).toMatchObject({ 'cancel-after': '60s' })
    expect(body).toEqual({
      version: '39ed52',
      input: { prompt: 'a cat', num_outputs: 1, width: 512, height: 768 },
    })
  })

  it.each([
    ['1024x1024', '1:1'],
    ['1792x1024', '16:9'],
    ['1024x1536', '2:3'],
    ['1000x1010', '1:1'],
  ])('for an image of %s with the nearest ratio', (size, ratio) => {
    expect(encode(image({ size, n: 2, seed: 5 }), flux).body).toEqual({
      input: { prompt: 'a cat', num_outputs: 2, aspect_ratio: ratio, seed: 5 },
    })
  })

  it('from several turns as one prompt marked with roles, and the system’s words apart', () => {
    const turns = [
      { role: 'system', content: 'Be short.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Hi' },
          { type: 'text', text: '!' },
        ],
      },
      { role: 'assistant', content: 'Hello' },
      { role: 'user', content: 'Bye' },
      { role: 'developer', content: 'Be kind.' },
      { role: 'assistant', content: null },
    ]
    expect(encode(chat({ messages: turns }), llama).body.input).toEqual({
      prompt: 'user: Hi!\nassistant: Hello\nuser: Bye\nassistant: \nassistant:',
      system_prompt: 'Be short.\nBe kind.',
    })
  })

  it('at a configured address instead', () => {
    const elsewhere = replicate({ baseUrl: 'http://127.0.0.1:9/v1/' })
    const request = elsewhere.encode(image(), { target: flux, attemptId: 'r.1', outputTokens: undefined })
    expect(request.url.href).toBe('http://127.0.0.1:9/v1/models/black-forest-labs/flux-schnell/predictions')
    expect(request.headers).not.toHaveProperty('authorization')
  })
})

describe('what it cannot do is said before anything is sent', () => {
  it.each([
    [chat({ tools: [{ type: 'function', function: { name: 'f' } }] }), 'tools'],
    [chat({ n: 2 }), 'one answer'],
    [
      chat({
        messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://x/y.png' } }] }],
      }),
      'images',
    ],
    [image({ response_format: 'b64_json' }), 'URLs'],
  ])('%#', (call, reason) => {
    expect(provider.refuses?.(call)).toContain(reason)
  })

  it.each([[chat()], [chat({ tools: [] })], [image()], [image({ response_format: 'url', n: 4 })]])(
    'and nothing is said of what it can do (%#)',
    (call) => {
      expect(provider.refuses?.(call)).toBeUndefined()
    },
  )
})

describe('a prediction is followed', () => {
  it.each([['starting'], ['output-first']])(
    'by its id and at the configured address while it is %s, whatever URL the answer names',
    (name) => {
      const next = provider.follow?.(answer(name), chat())
      expect(next?.request).toMatchObject({ method: 'GET', headers: { authorization: 'Bearer key' } })
      expect(next?.request.url.href).toBe(
        'https://api.replicate.com/v1/predictions/gm3qorzdhgbfurvjtvhg6dckhu',
      )
      expect(next?.delayMs).toBe(500)
    },
  )

  it.each([['succeeded'], ['failed'], ['canceled'], ['sensitive'], ['chat']])(
    'no further once it is %s',
    (name) => {
      expect(provider.follow?.(answer(name), chat())).toBeUndefined()
      expect(provider.cancel?.(answer(name))).toBeUndefined()
    },
  )

  it('no further when it was aborted before it began', () => {
    expect(provider.follow?.(answer('starting', { status: 'aborted' }), chat())).toBeUndefined()
  })

  it('nowhere when its id is a way out of the configured address', () => {
    for (const id of ['../account', 'a/b', 'https://elsewhere.example.com', 'a?b', '', 'x'.repeat(65), 7]) {
      expect(provider.follow?.(answer('starting', { id }), chat())).toBeUndefined()
      expect(provider.cancel?.(answer('starting', { id }))).toBeUndefined()
    }
  })

  it.each([[undefined], [null], ['<html>'], [{}], [[]]])('nowhere when the answer is %j', (body) => {
    expect(provider.follow?.({ status: 200, headers: {}, body }, chat())).toBeUndefined()
  })

  it('and cancelled by its id and at the configured address', () => {
    const request = provider.cancel?.(answer('output-first'))
    expect(request?.method).toBe('POST')
    expect(request?.url.href).toBe(
      'https://api.replicate.com/v1/predictions/gm3qorzdhgbfurvjtvhg6dckhu/cancel',
    )
  })
})

describe('usage', () => {
  it('is the metrics of a prediction that is over: seconds, images and tokens', () => {
    expect(provider.usage(fixture('succeeded'), image())).toEqual({
      compute_second: '0.582630675',
      output_image: 2n,
    })
    expect(provider.usage(fixture('chat'), chat())).toMatchObject({
      compute_second: '0.4',
      input_token: 12n,
      output_token: 3n,
    })
  })

  it('is unknown while it runs, also when all output is there already', () => {
    expect(provider.usage(fixture('starting'), image())).toBeUndefined()
    expect(provider.usage(fixture('output-first'), image())).toBeUndefined()
  })

  it('is unknown when a prediction is over without metrics', () => {
    expect(provider.usage({ ...fixture('succeeded'), metrics: null }, image())).toBeUndefined()
  })

  it('counts the outputs when the metrics do not, and none of a prediction that failed', () => {
    const metrics = { predict_time: 0.5 }
    expect(provider.usage({ ...fixture('succeeded'), metrics }, image())).toMatchObject({ output_image: 2n })
    expect(
      provider.usage({ ...fixture('succeeded'), metrics, output: 'https://x/y.png' }, image()),
    ).toMatchObject({
      output_image: 1n,
    })
    expect(provider.usage(fixture('failed'), image())).toEqual({ compute_second: '2', output_image: 0n })
  })

  it('is the time a cancelled prediction ran', () => {
    expect(provider.usage(fixture('canceled'), image())).toMatchObject({ compute_second: '1.5' })
  })

  it('keeps an explicit zero', () => {
    const metrics = { input_token_count: 0, output_token_count: 0, predict_time: 0 }
    expect(provider.usage({ ...fixture('chat'), metrics }, chat())).toMatchObject({
      input_token: 0n,
      output_token: 0n,
      compute_second: '0',
    })
  })

  it('leaves out what is no number', () => {
    const metrics = { predict_time: 'long', image_count: -1, input_token_count: 1.5 }
    expect(provider.usage({ ...fixture('succeeded'), metrics }, image())).toEqual({ output_image: 2n })
  })
})

describe('an answer in OpenAI’s shape', () => {
  it('of images is a list of URLs', () => {
    const reply = provider.decode?.(answer('succeeded'), image(), flux)
    expect(JSON.parse(String(reply))).toEqual({
      created: 1_767_225_600,
      data: [
        { url: 'https://replicate.delivery/xezq/1/out-0.webp' },
        { url: 'https://replicate.delivery/xezq/1/out-1.webp' },
      ],
    })
  })

  it('of a chat joins the pieces without a gap', () => {
    const reply = provider.decode?.(answer('chat'), chat(), llama)
    expect(JSON.parse(String(reply))).toEqual({
      id: 'chatcmpl-b7k2mzqd5nrme0cmb8tvj6x2ac',
      object: 'chat.completion',
      created: 1_767_225_601,
      model: 'meta/meta-llama-3-8b-instruct',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello [DONE]', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 },
    })
  })

  it('of a streamed chat is a whole event stream that ends with usage and [DONE]', () => {
    const reply = provider.decode?.(answer('chat'), chat({ stream: true }), llama) ?? Buffer.alloc(0)
    const data: string[] = []
    for (let at = 0; at < reply.length; ) {
      const end = eventEnd(reply, at)
      data.push(eventData(reply.subarray(at, end)) ?? '')
      at = end
    }
    expect(data.at(-1)).toBe('[DONE]')
    const chunks = data.slice(0, -1).map((text) => JSON.parse(text))
    expect(chunks.map(({ object }) => object)).toEqual(Array(3).fill('chat.completion.chunk'))
    expect(chunks[0].choices[0].delta).toEqual({ role: 'assistant', content: 'Hello [DONE]' })
    expect(chunks[1].choices[0].finish_reason).toBe('stop')
    expect(chunks[2]).toMatchObject({ choices: [], usage: { prompt_tokens: 12, completion_tokens: 3 } })
  })

  it('says that it was cut at the caller’s bound', () => {
    const reply = provider.decode?.(answer('chat'), chat({ max_tokens: 3 }), llama)
    expect(JSON.parse(String(reply)).choices[0].finish_reason).toBe('length')
  })

  it('of an output that is one text, or none, is that', () => {
    const one = provider.decode?.(answer('chat', { output: 'Hello' }), chat(), llama)
    expect(JSON.parse(String(one)).choices[0].message.content).toBe('Hello')
    const none = provider.decode?.(answer('chat', { output: null, created_at: null }), chat(), llama)
    expect(JSON.parse(String(none))).toMatchObject({ created: 0, choices: [{ message: { content: '' } }] })
  })
})

describe('what an error means', () => {
  type Recorded = { readonly status: number; readonly action: string; readonly body: unknown }
  const errors = JSON.parse(readFileSync(new URL('__fixtures__/errors.json', import.meta.url), 'utf8')) as {
    readonly replicate: readonly Recorded[]
  }

  it.each(errors.replicate)('$status is $action', ({ status, body, action }) => {
    expect(provider.classify(status, body).action).toBe(action)
  })

  it('a prediction that failed may work elsewhere', () => {
    expect(provider.classify(200, fixture('failed'))).toEqual({
      action: 'fallback',
      message: 'CUDA out of memory',
    })
    expect(provider.classify(201, fixture('canceled'))).toEqual({
      action: 'fallback',
      message: 'The job was canceled.',
    })
  })

  it('a prediction that was flagged would be flagged anywhere', () => {
    expect(provider.classify(200, fixture('sensitive'))).toMatchObject({
      action: 'fatal',
      message: expect.stringContaining('flagged as sensitive'),
    })
  })
})
