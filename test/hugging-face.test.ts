import { perUnit } from '@farebox/core'
import { accountId, eventually, type Rig, startRig } from '@farebox/testkit/adapter'
import { InferenceClient } from '@huggingface/inference'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { wav } from './clients/sound.ts'
import { expressHost } from './express-host.ts'

const whisper = {
  providerId: 'together',
  providerModel: 'openai/whisper-large-v3',
  model: 'openai/whisper-large-v3',
  operation: 'transcriptions',
  price: { audio_second: perUnit('0.000025') },
  limits: { audioSeconds: 14_400 },
  source: 'https://example.com/prices',
  readOn: '2026-11-26',
} as const

const token = 'hf_key'
const chatModel = 'openai/gpt-oss-120b'
const vectorModel = 'intfloat/multilingual-e5-large-instruct'

let rig: Rig

beforeAll(async () => {
  rig = await startRig(expressHost, {
    providers: ['cerebras', 'together'],
    gateway: { catalog: [whisper], authenticate: () => ({ accountId }) },
  })
})

afterAll(() => rig.close())

beforeEach(() => {
  for (const name of ['cerebras', 'together'] as const) rig.simulator.fault(name, undefined)
})

/** The official client at the path of one model. */
function at(path: string): InferenceClient {
  return new InferenceClient(token, { endpointUrl: `${rig.url}${path}`, retry_on_error: false })
}

describe('the path of a model', () => {
  it('gives a vector for a text, and vectors for a list of texts', async () => {
    await charged(async () => {
      const client = at(`/hf-inference/models/${vectorModel}`)
      const one = await client.featureExtraction({ inputs: 'a' })
      const two = await client.featureExtraction({ inputs: ['a', 'b'] as never })
      expect(one).toHaveLength(1024)
      expect(two).toEqual([one, expect.any(Array)])
    })
  })

  it('gives vectors at its pipeline as well, and how near sentences are', async () => {
    await charged(async () => {
      const client = at(`/hf-inference/models/${vectorModel}/pipeline/sentence-similarity`)
      const inputs = { source_sentence: 'a', sentences: ['a', 'b'] }
      const [same = 0, other = 0] = await client.sentenceSimilarity({ inputs })
      expect(same).toBeCloseTo(1, 12)
      expect(Math.abs(other)).toBeLessThan(1)
    })
    const answer = await post(`/models/${vectorModel}/pipeline/feature-extraction`, { inputs: 'a' })
    expect(await answer.json()).toHaveLength(1024)
  })

  it('gives an image as bytes, of the size that is asked for', async () => {
    await charged(async () => {
      const client = at('/models/black-forest-labs/FLUX.1-schnell')
      const parameters = { width: 512, height: 256, num_inference_steps: 2 }
      const image = await client.textToImage({ inputs: 'a cat', parameters })
      const bytes = Buffer.from(await (image as unknown as Blob).arrayBuffer())
      expect(bytes.toString('latin1', 1, 4)).toBe('PNG')
      expect(JSON.parse(rig.simulator.requests.at(-1)?.body ?? '')).toMatchObject({
        width: 512,
        height: 256,
        steps: 2,
      })
    })
  })

  it('writes down sound that comes without a type, and tells times to who asks', async () => {
    await charged(async () => {
      const client = at('/hf-inference/models/openai/whisper-large-v3')
      const { text } = await client.automaticSpeechRecognition({ data: new Blob([wav(12_000)]) })
      expect(text).toMatch(/^Simulated transcript of 12044 bytes/)
      const timed = await post('/models/openai/whisper-large-v3', {
        inputs: wav(12_000).toString('base64'),
        parameters: { return_timestamps: true },
      })
      expect(await timed.json()).toEqual({ text, chunks: [{ text, timestamp: [0, 1.5] }] })
    })
  })

  it('speaks', async () => {
    await charged(async () => {
      const sound = await at('/models/hexgrad/Kokoro-82M').textToSpeech({ inputs: 'Hello' })
      const bytes = Buffer.from(await (sound as unknown as Blob).arrayBuffer())
      expect(bytes.toString('latin1', 0, 4)).toBe('RIFF')
    })
  })

  it('goes on with a text in the words of Text Generation Inference', async () => {
    await charged(async () => {
      const parameters = { max_new_tokens: 5, return_full_text: true }
      const path = `/models/${chatModel}:together`
      const whole = await post(path, { inputs: 'Once', parameters })
      const [{ generated_text: text }] = (await whole.json()) as [{ generated_text: string }]
      expect(text).toMatch(/^OnceSimulated answer:/)

      const streamed = await post(path, { inputs: 'Once', parameters, stream: true })
      const events = (await streamed.text())
        .split('\n\n')
        .filter((event) => event !== '')
        .map((event) => JSON.parse(event.slice('data:'.length)))
      expect(events.map(({ token }) => token.text).join('')).toBe(text.slice('Once'.length))
      expect(events.at(-1)).toMatchObject({
        generated_text: text.slice('Once'.length),
        details: { finish_reason: 'length', generated_tokens: 5 },
      })
      expect(events.slice(0, -1).every((event) => event.generated_text === null)).toBe(true)
    })
  })

  it('tells an error in the middle of a stream in the same words, and bills what there was', async () => {
    rig.simulator.fault('cerebras', { kind: 'truncate', afterChunks: 2 })
    const asked = { inputs: 'say 20 tokens', parameters: { max_new_tokens: 20 }, stream: true }
    const answer = await post(`/models/${chatModel}:cerebras`, asked)
    expect(answer.status).toBe(200)
    const last = (await answer.text()).trim().split('\n\n').at(-1)
    expect(last).toMatch(/^data:\{"error":".+","error_type":"generation"\}$/)
    await rig.quiet()
  })

  it('goes to chat and to completions behind it, whatever model the body names', async () => {
    await charged(async () => {
      for (const [path, body] of [
        ['chat/completions', { messages: [{ role: 'user', content: 'Hi' }] }],
        ['completions', { prompt: 'Hi' }],
      ] as const) {
        const answer = await post(`/hf-inference/models/${chatModel}/v1/${path}`, { ...body, model: 'tgi' })
        expect(answer.status).toBe(200)
        expect(answer.headers.get('x-farebox-receipt')).toBeTruthy()
      }
    })
  })

  it('takes a name that is percent-encoded, and the suffix of a policy or a provider', async () => {
    await charged(async () => {
      const path = `/models/${encodeURIComponent(`${chatModel}:together`)}`
      const answer = await post(path, { inputs: 'Hi', parameters: { max_new_tokens: 3 } })
      expect(answer.headers.get('x-inference-provider')).toBe('together')
    })
  })

  it.each<[string, string, object, number, RegExp]>([
    ['there is no such model', '/models/no/such', { inputs: 'a' }, 404, /'no\/such' does not exist/],
    [
      'it has inputs of another kind',
      `/models/${vectorModel}`,
      { inputs: 7 },
      400,
      /"inputs" must be a text or/,
    ],
    ['it has none', `/models/${chatModel}`, {}, 400, /"inputs" must be a text/],
    [
      'its parameters are no object',
      `/models/${chatModel}`,
      { inputs: 'a', parameters: 1 },
      400,
      /"parameters"/,
    ],
    [
      'its task is not served',
      `/models/${chatModel}/pipeline/fill-mask`,
      { inputs: 'a' },
      400,
      /do not do fill-mask/,
    ],
    [
      'its task is another model’s',
      `/models/${chatModel}/pipeline/feature-extraction`,
      { inputs: 'a' },
      400,
      /does chat, not embeddings/,
    ],
  ])('refuses with a text when %s', async (_case, path, body, status, message) => {
    const served = rig.simulator.served.length
    const answer = await post(path, body)
    expect(answer.status).toBe(status)
    expect(await answer.json()).toEqual({ error: expect.stringMatching(message) })
    expect(answer.headers.get('x-error-message')).toMatch(message)
    expect(rig.simulator.served).toHaveLength(served)
  })

  it('belongs to the host for every other method', async () => {
    const answer = await fetch(`${rig.url}/models/${chatModel}`)
    expect(answer.headers.get('x-answered-by')).toBe('host')
  })
})

describe('the path of a provider', () => {
  /** The official client as it speaks to Hugging Face's router, with only the address changed, as its documentation says. */
  const routed = () =>
    new InferenceClient(token, {
      retry_on_error: false,
      fetch: (input, init) => {
        const { pathname, search } = new URL(String(input))
        return fetch(rig.url + pathname + search, init)
      },
    })

  it('serves that provider only, by its own id of the model', async () => {
    await charged(async () => {
      const answer = await post('/cerebras/v1/chat/completions', {
        model: 'gpt-oss-120b',
        messages: [{ role: 'user', content: 'Hi' }],
      })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('x-inference-provider')).toBe('cerebras')
    })
  })

  it('is what the official client finds by the list of providers of a model', async () => {
    await charged(async () => {
      const mapping = await fetch(`${rig.url}/api/models/${chatModel}?expand[]=inferenceProviderMapping`)
      expect(await mapping.json()).toMatchObject({
        id: chatModel,
        inferenceProviderMapping: [
          { provider: 'cerebras', providerId: 'gpt-oss-120b', status: 'live', task: 'conversational' },
          { provider: 'together', providerId: 'openai/gpt-oss-120b', status: 'live', task: 'conversational' },
        ],
      })
      const messages = [{ role: 'user', content: 'Hi' }]
      for (const provider of ['cerebras', 'together'] as const) {
        const told = await routed().chatCompletion({ model: chatModel, provider, messages })
        expect(told.choices[0]?.message.content).toMatch(/^Simulated answer:/)
      }
      const auto = await routed().chatCompletion({ model: chatModel, messages })
      expect(auto.choices[0]?.message.content).toMatch(/^Simulated answer:/)
    })
  })

  it('refuses a model that this provider does not have', async () => {
    const answer = await post('/cerebras/v1/chat/completions', { model: 'no-such', messages: [] })
    expect(answer.status).toBe(404)
    expect(await answer.json()).toMatchObject({ error: { code: 'model_not_found', param: 'model' } })
  })

  it('belongs to the host where there is no such provider', async () => {
    const answer = await post('/acme/v1/chat/completions', { model: 'a' })
    expect(answer.headers.get('x-answered-by')).toBe('host')
  })

  it('is not told of a model that nobody offers, and other questions of the Hub are the host’s', async () => {
    const unknown = await fetch(`${rig.url}/api/models/no/such?expand[]=inferenceProviderMapping`)
    expect(unknown.status).toBe(404)
    const other = await fetch(`${rig.url}/api/models/${chatModel}`)
    expect(other.headers.get('x-answered-by')).toBe('host')
  })
})

function post(path: string, body: object): Promise<Response> {
  return fetch(rig.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

/** Runs something and proves that what was charged meanwhile is what the providers counted. */
async function charged(run: () => Promise<void>): Promise<void> {
  const before = { receipts: rig.receipts.length, served: rig.simulator.served.length }
  await run()
  await eventually(
    'everything is settled',
    () => rig.receipts.length - before.receipts === rig.simulator.served.length - before.served,
  )
  await rig.quiet()
  const receipts = rig.receipts.slice(before.receipts)
  const served = rig.simulator.served.slice(before.served)
  expect(receipts.length).toBeGreaterThan(0)
  expect(receipts.reduce((sum, { charged }) => sum + charged, 0n)).toBe(
    served.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0n),
  )
}
