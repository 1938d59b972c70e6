import { readFileSync } from 'node:fs'
import { bearerKey, perUnit } from '@farebox/core'
import { accountId, chatBody, chatModel, type Question, type Rig, startRig } from '@farebox/testkit/adapter'
import { describe, expect, it, onTestFinished } from 'vitest'
import { barePlans } from './bare-plans.ts'
import { wav } from './clients/sound.ts'
import { expressHost } from './express-host.ts'

// A gateway is metered when every path is: each route that reaches a provider is asked here, in every form that it has.

const whisper = 'openai/whisper-large-v3'
const vectors = 'intfloat/multilingual-e5-large-instruct'

/** Half a second of WAV: 8-bit samples at 8 kHz. */
const sound = wav(4_000)

/** One question for each path of OpenAI's, whose model together serves under the same name. */
const questions: Readonly<Record<string, Pick<Question, 'headers' | 'body'>>> = {
  '/v1/chat/completions': { body: chatBody() },
  '/v1/completions': { body: { model: chatModel, prompt: 'say 5 tokens' } },
  '/v1/messages': { body: { ...chatBody(), max_tokens: 50 } },
  '/v1/responses': { body: { model: chatModel, input: 'say 5 tokens' } },
  '/v1/embeddings': { body: { model: vectors, input: 'Hello' } },
  '/v1/images/generations': { body: { model: 'black-forest-labs/FLUX.1-schnell', prompt: 'a lighthouse' } },
  '/v1/audio/speech': { body: { model: 'hexgrad/Kokoro-82M', voice: 'af_alloy', input: 'Hello' } },
  '/v1/audio/transcriptions': transcription(),
}

/** Paths that together's simulation does not serve, with the test that meters them. */
const elsewhere: Readonly<Record<string, string>> = {
  '/v1/moderations': 'test/media.test.ts',
}

/** Paths that name a model, or a provider. */
const named: readonly Question[] = [
  ...Object.entries(questions).map(([path, question]) => ({ ...question, path: `/together${path}` })),
  { path: `/models/${chatModel}/v1/chat/completions`, body: chatBody() },
  { path: `/hf-inference/models/${chatModel}/v1/chat/completions`, body: chatBody({ stream: true }) },
  { path: `/models/${chatModel}:together`, body: { inputs: 'Once', parameters: { max_new_tokens: 5 } } },
  { path: `/models/${vectors}/pipeline/feature-extraction`, body: { inputs: 'Hello' } },
  { path: `/hf-inference/models/${vectors}`, body: { inputs: 'Hello' } },
  { path: '/models/hexgrad/Kokoro-82M', body: { inputs: 'Hello' } },
  { path: `/models/${whisper}`, body: { inputs: sound.toString('base64') } },
]

const all: readonly Question[] = [
  ...Object.entries(questions).map(([path, question]) => ({ ...question, path })),
  ...named,
]

describe('failure 28: a route', () => {
  it('of the gateway is asked here, whichever there are', () => {
    const source = readFileSync(new URL('../packages/core/src/http/routes.ts', import.meta.url), 'utf8')
    const paths = [...source.matchAll(/^ {2}\['(\/[^']+)', routeOf\(/gm)].map(([, path]) => path)
    expect(paths.length).toBeGreaterThan(5)
    expect(paths.toSorted()).toEqual(Object.keys({ ...questions, ...elsewhere }).toSorted())
  })

  it.each(all)('is charged what its provider counted, once: $path', async (question) => {
    const rig = await rigOf()
    const answer = await ask(rig, question, 'alice')
    expect(answer.status, answer.text).toBe(200)

    const receipt = await rig.onlyReceipt()
    expect(rig.simulator.served).toHaveLength(1)
    expect(receipt.charged).toBe(rig.simulator.served[0]?.costNanoUsd)
    expect(receipt.charged).toBeGreaterThan(0n)
    expect((await rig.balance()).charged).toBe(receipt.charged)
  })

  it('reaches no provider for whoever has no key, or no credit', async () => {
    const rig = await rigOf()
    for (const question of all) {
      expect((await ask(rig, question, undefined)).status, question.path).toBe(401)
      expect((await ask(rig, question, 'poor')).status, question.path).toBe(402)
    }
    expect(rig.simulator.requests).toEqual([])
  })

  it('that is none reaches no provider', async () => {
    const rig = await rigOf()
    for (const path of [
      '/v1/files',
      '/v1/chat',
      '/v1',
      '/together',
      '/together/v1/files',
      '/stranger/v2/chat',
    ]) {
      const answer = await ask(rig, { path, body: chatBody() }, 'alice')
      expect(answer.headers['x-answered-by'], path).toBe('host')
    }
    expect(rig.simulator.requests).toEqual([])
  })
})

async function rigOf(): Promise<Rig> {
  const rig = await startRig(expressHost, {
    providers: ['together'],
    gateway: {
      catalog: [
        {
          providerId: 'together',
          providerModel: whisper,
          model: whisper,
          operation: 'transcriptions',
          price: { audio_second: perUnit('0.000025') },
          limits: { audioSeconds: 14_400 },
          source: 'https://example.com/prices',
          readOn: '2026-11-26',
        },
      ],
      plans: barePlans,
      authenticate(request) {
        const key = bearerKey(request)
        return key === undefined ? undefined : { accountId: key === 'poor' ? key : accountId }
      },
    },
  })
  onTestFinished(() => rig.close())
  return rig
}

function ask(rig: Rig, { path, headers, body }: Question, key: string | undefined) {
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` }
  return rig.client.ask({
    path,
    headers: { 'content-type': 'application/json', ...headers, ...authorization },
    body,
  })
}

function transcription(): Pick<Question, 'headers' | 'body'> {
  const boundary = 'the-boundary'
  const part = (head: string) => `--${boundary}\r\ncontent-disposition: form-data; ${head}\r\n\r\n`
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat([
      Buffer.from(`${part('name="model"')}${whisper}\r\n${part('name="file"; filename="a.wav"')}`),
      sound,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]),
  }
}
