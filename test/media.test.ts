import type { IncomingMessage } from 'node:http'
import { createGateway, type Gateway, perUnit } from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'
import {
  accountId,
  apiKey,
  authorization,
  eventually,
  type Rig,
  type RigOptions,
} from '@farebox/testkit/adapter'
import { startSimulator } from '@farebox/testkit/simulator'
import OpenAI, { toFile } from 'openai'
import { describe, expect, it } from 'vitest'
import { wav } from './clients/sound.ts'
import { onExpress } from './on-express.ts'

const row = {
  providerId: 'together',
  source: 'https://example.com/prices',
  readOn: '2026-11-26',
} as const

const catalog = [
  {
    ...row,
    providerModel: 'openai/whisper-large-v3',
    model: 'openai/whisper-large-v3',
    operation: 'transcriptions',
    price: { audio_second: perUnit('0.000025') },
    limits: { audioSeconds: 14_400 },
  },
] as const

const whisper = 'openai/whisper-large-v3'
const voice = { model: 'hexgrad/Kokoro-82M', voice: 'af_alloy' }
const gptOss = 'openai/gpt-oss-120b'

/** 1.5 seconds of WAV: 8-bit samples at 8 kHz. */
const sound = wav(12_000)

describe('a transcription', () => {
  it('is billed by the length of its audio, to the nano-dollar', async () => {
    await withRig({}, async (rig, client) => {
      const { data, response } = await client.audio.transcriptions
        .create({ model: whisper, file: await toFile(sound, 'a.wav') })
        .withResponse()
      expect(data.text).toMatch(/^Simulated transcript/)
      expect(data.usage).toEqual({ type: 'duration', seconds: 1.5 })
      expect(response.headers.get('x-farebox-cost')).toBe('0.0000375')
      await expectCharged(rig, 37_500n)
    })
  })

  it('failure 16: is billed once when its connection is reset and the SDK sends the form again', async () => {
    let resets = 1
    const resetting: RigOptions['wrap'] = (gateway) => ({
      ...gateway,
      handle(request) {
        if (resets > 0) setTimeout(() => (request.host as IncomingMessage).socket.resetAndDestroy(), 100)
        resets -= 1
        return gateway.handle(request)
      },
    })
    await withRig({ wrap: resetting }, async (rig, client) => {
      rig.simulator.script('together', [{ kind: 'slow', firstTokenMs: 300, tokenMs: 0 }])
      const request = { model: whisper, file: await toFile(sound, 'a.wav') }
      const { text } = await client.audio.transcriptions.create(request, { maxRetries: 2 })
      expect(text).toMatch(/^Simulated transcript/)
      expect(rig.seen).toBe(2)
      expect(rig.simulator.requests).toHaveLength(1)
      await expectCharged(rig, 37_500n)
    })
  })

  it.each([
    ['text', /^Simulated transcript of 12044 bytes\.\n$/],
    ['srt', /^1\n00:00:00,000 --> 00:00:01,500\nSimulated/],
    ['vtt', /^WEBVTT\n\n00:00:00\.000 --> 00:00:01\.500\nSimulated/],
  ] as const)('comes as %s, and is billed all the same', async (format, expected) => {
    await withRig({}, async (rig, client) => {
      const request = { model: whisper, file: await toFile(sound, 'a.wav'), response_format: format }
      const response = await client.audio.transcriptions.create(request).asResponse()
      expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
      expect(await response.text()).toMatch(expected)
      await expectCharged(rig, 37_500n)
    })
  })

  it('comes with times for those who want them', async () => {
    await withRig({}, async (_rig, client) => {
      const told = await client.audio.transcriptions.create({
        model: whisper,
        file: await toFile(sound, 'a.wav'),
        response_format: 'verbose_json',
        timestamp_granularities: ['segment'],
      })
      expect(told.duration).toBe(1.5)
      expect(told.segments).toHaveLength(1)
    })
  })

  it('goes to the provider with the file as it came, its own model id, and no member lost', async () => {
    await withRig({}, async (rig, client) => {
      const hints = { language: 'de', prompt: 'Zürich' }
      await client.audio.transcriptions.create({
        model: whisper,
        file: await toFile(sound, 'a.wav'),
        ...hints,
      })
      const [sent] = rig.simulator.requests
      expect(sent?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=farebox-/)
      for (const text of ['name="language"', 'de', 'Zürich', 'filename="a.wav"', 'verbose_json'])
        expect(sent?.body).toContain(text)
    })
  })

  it.each([
    ['stream', '1'],
    ['stream', 'True'],
    ['file', 'https://example.com/hours.mp3'],
    ['url', 'https://example.com/hours.mp3'],
    ['Model', 'dear/model'],
  ])(
    'is refused with the field %s as %s, which a provider may go by and nobody here did',
    async (name, text) => {
      await withRig({}, async (rig) => {
        const form = new FormData()
        form.set('model', whisper)
        form.append('file', new Blob([sound]), 'a.wav')
        form.append(name, text)
        const answer = await fetch(`${rig.url}/v1/audio/transcriptions`, {
          method: 'POST',
          headers: authorization,
          body: form,
        })
        expect(answer.status).toBe(400)
        expect(await answer.json()).toMatchObject({ error: { code: 'invalid_request', param: name } })
        expect(rig.simulator.requests).toHaveLength(0)
      })
    },
  )

  it('holds what the longest file may cost where the file does not tell, and refuses who cannot pay that', async () => {
    await withRig({ credit: '0.10' }, async (rig, client) => {
      const flac = await toFile(Buffer.from('fLaC and hours of silence'), 'a.flac')
      await expect(client.audio.transcriptions.create({ model: whisper, file: flac })).rejects.toMatchObject({
        status: 402,
        code: 'insufficient_credits',
      })
      const told = await client.audio.transcriptions.create({
        model: whisper,
        file: await toFile(sound, 'a.wav'),
      })
      expect(told.text).toMatch(/^Simulated/)
      expect(rig.simulator.served).toHaveLength(1)
    })
  })

  it('whose length nobody told is billed by what its file says, and marked as an estimate', async () => {
    await withRig({}, async (rig, client) => {
      rig.simulator.fault('together', { kind: 'no-usage' })
      await client.audio.transcriptions.create({ model: whisper, file: await toFile(sound, 'a.wav') })
      const receipt = await rig.onlyReceipt()
      expect(receipt.attempts[0]?.costSource).toBe('estimate')
      expect(receipt.charged).toBe(37_500n)
    })
  })

  it.each<[string, Record<string, unknown>, string]>([
    ['has no file', { file: undefined }, 'file'],
    ['names no model', { model: undefined }, 'model'],
    ['wants a stream', { stream: true }, 'stream'],
    ['wants a format that there is not', { response_format: 'braille' }, 'response_format'],
  ])('is refused when it %s, and nothing is held', async (_case, change, param) => {
    await withRig({}, async (rig, client) => {
      const file = await toFile(sound, 'a.wav')
      const request = {
        model: whisper,
        file,
        ...change,
      } as OpenAI.Audio.TranscriptionCreateParamsNonStreaming<'json'>
      await expect(client.audio.transcriptions.create(request)).rejects.toMatchObject({ status: 400, param })
      expect(rig.simulator.requests).toEqual([])
      expect((await rig.balance()).held).toBe(0n)
    })
  })

  it('is another request with another file, also under the same idempotency key', async () => {
    await withRig({}, async (rig, client) => {
      const ask = async (bytes: Buffer) =>
        client.audio.transcriptions.create(
          { model: whisper, file: await toFile(bytes, 'a.wav') },
          { headers: { 'idempotency-key': 'one' } },
        )
      await ask(sound)
      await expect(ask(wav(16_000))).rejects.toMatchObject({ status: 409 })
      expect(rig.simulator.served).toHaveLength(1)
    })
  })
})

describe('speech', () => {
  it('is a file of audio, billed by the character', async () => {
    await withRig({}, async (rig, client) => {
      const input = 'Grüezi 🙂'
      const response = await client.audio.speech.create({ ...voice, input, response_format: 'wav' })
      expect(response.headers.get('content-type')).toBe('audio/wav')
      const bytes = Buffer.from(await response.arrayBuffer())
      expect(bytes.toString('latin1', 0, 4)).toBe('RIFF')
      expect(bytes).toHaveLength(44 + 8 * 400)
      await expectCharged(rig, 32_000n)
    })
  })

  it('is replayed byte for byte to a repeat with the same key', async () => {
    await withRig({}, async (rig, client) => {
      const ask = async () => {
        const headers = { 'idempotency-key': 'say-it' }
        const response = await client.audio.speech.create({ ...voice, input: 'Hi' }, { headers })
        return {
          type: response.headers.get('content-type'),
          bytes: Buffer.from(await response.arrayBuffer()),
        }
      }
      const first = await ask()
      expect(await ask()).toEqual(first)
      expect(rig.simulator.served).toHaveLength(1)
    })
  })

  it.each([
    ['an error in a 200', { kind: 'error-in-200' }],
    ['nothing', { kind: 'empty' }],
    ['a page', { kind: 'html', status: 200 }],
  ] as const)(
    "that the provider answers with %s is nobody's audio, and not charged",
    async (_case, fault) => {
      await withRig({}, async (rig, client) => {
        rig.simulator.fault('together', fault)
        await expect(client.audio.speech.create({ ...voice, input: 'Hi' })).rejects.toMatchObject({
          status: 502,
        })
        const receipt = await rig.onlyReceipt()
        expect(receipt.charged).toBe(0n)
      })
    },
  )

  it.each<[string, object, string]>([
    ['nothing is to be said', { input: '' }, 'input'],
    ['no voice is named', { voice: undefined }, 'voice'],
    ['events are wanted', { stream_format: 'sse' }, 'stream_format'],
    ['too much is to be said', { input: 'a'.repeat(100_001) }, 'input'],
  ])('is refused when %s', async (_case, change, param) => {
    await withRig({}, async (rig, client) => {
      const request = { ...voice, input: 'Hi', ...change } as OpenAI.Audio.SpeechCreateParams
      await expect(client.audio.speech.create(request)).rejects.toMatchObject({ status: 400, param })
      expect(rig.simulator.requests).toEqual([])
    })
  })
})

describe('a completion of a text', () => {
  it.each(['cerebras', 'together'])(
    'comes from a chat model of %s, billed to the token',
    async (provider) => {
      await withRig({}, async (rig, client) => {
        const prompt = 'Once upon a time, say 12 tokens'
        const told = await client.completions.create({
          model: `${gptOss}:${provider}`,
          prompt,
          max_tokens: 20,
        })
        expect(told.choices[0]?.text).toMatch(/^Simulated answer:/)
        expect(told.usage?.completion_tokens).toBe(12)
        await expectCharged(rig)
      })
    },
  )

  it('has the 16 tokens of OpenAI where the caller sets no bound', async () => {
    await withRig({}, async (rig, client) => {
      const told = await client.completions.create({ model: gptOss, prompt: 'say 50 tokens' })
      expect(told.choices[0]?.finish_reason).toBe('length')
      expect(told.usage?.completion_tokens).toBe(16)
      await expectCharged(rig)
    })
  })

  it.each(['cerebras', 'together'])('is streamed by %s, with usage for who asks', async (provider) => {
    await withRig({}, async (rig, client) => {
      const request = { model: `${gptOss}:${provider}`, prompt: 'say 9 tokens', stream: true } as const
      const read = async (more: { stream_options?: { include_usage: boolean } }) => {
        const seen = { text: '', usages: 0 }
        for await (const chunk of await client.completions.create({ ...request, ...more })) {
          seen.text += chunk.choices[0]?.text ?? ''
          if (chunk.usage) seen.usages += 1
        }
        return seen
      }
      const silent = await read({})
      expect(silent).toMatchObject({ text: expect.stringMatching(/^Simulated answer:/), usages: 0 })
      expect(await read({ stream_options: { include_usage: true } })).toEqual({ ...silent, usages: 1 })
      await expectCharged(rig)
    })
  })

  it.each<[string, object, string]>([
    ['has no prompt', { prompt: undefined }, 'prompt'],
    ['has a prompt of nothing', { prompt: [] }, 'prompt'],
    ['wants no tokens', { max_tokens: 0 }, 'max_tokens'],
    ['wants too many', { best_of: 129 }, 'best_of'],
  ])('is refused when it %s', async (_case, change, param) => {
    await withRig({}, async (rig, client) => {
      const request = { model: gptOss, prompt: 'a', ...change } as OpenAI.CompletionCreateParamsNonStreaming
      await expect(client.completions.create(request)).rejects.toMatchObject({ status: 400, param })
      expect(rig.simulator.requests).toEqual([])
    })
  })

  it('is nothing that a model of another kind does', async () => {
    await withRig({}, async (_rig, client) => {
      const request = { model: 'intfloat/multilingual-e5-large-instruct', prompt: 'a' }
      await expect(client.completions.create(request)).rejects.toMatchObject({ code: 'model_not_supported' })
    })
  })
})

describe('a moderation', () => {
  it('costs nothing, has a receipt, and needs no model to be named', async () => {
    await withModerator(async (gateway, ask) => {
      const response = await ask({ input: ['peace', 'violence'] })
      const { results } = (await response.json()) as { results: { flagged: boolean }[] }
      expect(results.map(({ flagged }) => flagged)).toEqual([false, true])
      const requestId = response.headers.get('x-farebox-receipt') ?? ''
      const receipt = await gateway.receipts.get({ accountId, requestId })
      expect(receipt).toMatchObject({ charged: 0n, absorbed: 0n })
      expect(receipt?.attempts[0]).toMatchObject({ costSource: 'price-book', usage: { certainty: 'exact' } })
    })
  })

  it('is refused without an input', async () => {
    await withModerator(async (_gateway, ask) => {
      const response = await ask({ input: [] })
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ error: { param: 'input' } })
    })
  })
})

it('a text is not completed by a provider that cannot, although it sells the chat model', async () => {
  await withRig({ providers: ['replicate'] }, async (rig, client) => {
    const request = { model: 'meta-llama/Meta-Llama-3-8B-Instruct', prompt: 'a' }
    await expect(client.completions.create(request)).rejects.toMatchObject({
      status: 400,
      code: 'model_not_supported',
      message: expect.stringContaining('replicate: it does not do completions'),
    })
    expect(rig.simulator.requests).toEqual([])
  })
})

/** A gateway over one provider that moderates, asked as the web asks. */
async function withModerator(
  check: (gateway: Gateway, ask: (body: object) => Promise<Response>) => Promise<void>,
): Promise<void> {
  const simulator = await startSimulator()
  const gateway = createGateway({
    providers: [
      openaiCompatible({
        id: 'moderator',
        apiKey: 'provider-key',
        baseUrl: simulator.baseUrl('together'),
        operations: ['moderations'],
      }),
    ],
    catalog: [
      {
        providerId: 'moderator',
        providerModel: 'omni-moderation-latest',
        model: 'omni-moderation-latest',
        operation: 'moderations',
        price: { request: perUnit('0') },
        source: 'https://example.com/prices',
        readOn: '2026-11-26',
      },
    ],
    authenticate: () => ({ accountId }),
  })
  const ask = async (body: object) => {
    const request = new Request('http://host/v1/moderations', {
      method: 'POST',
      body: JSON.stringify(body),
    })
    return (await gateway.fetch(request)) ?? new Response()
  }
  try {
    await check(gateway, ask)
  } finally {
    await gateway.close()
    await simulator.close()
  }
}

/** What was charged is what the simulator counted, and left the balance. */
async function expectCharged(rig: Rig, amount?: bigint): Promise<void> {
  await eventually('everything is settled', () => rig.receipts.length === rig.simulator.served.length)
  await rig.quiet()
  const charged = rig.receipts.reduce((sum, receipt) => sum + receipt.charged, 0n)
  const counted = rig.simulator.served.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0n)
  expect(charged).toBe(counted)
  if (amount !== undefined) expect(charged).toBe(amount)
  expect(charged).toBeGreaterThan(0n)
  for (const { attempts } of rig.receipts) expect(attempts.at(-1)?.costSource).toBe('price-book')
}

async function withRig(
  { credit, ...options }: RigOptions & { readonly credit?: string },
  check: (rig: Rig, client: OpenAI) => Promise<void>,
): Promise<void> {
  const payer = credit === undefined ? accountId : 'poor'
  const gateway = { ...options.gateway, catalog: [...catalog], authenticate: () => ({ accountId: payer }) }
  await onExpress({ ...options, gateway }, (rig) =>
    check(rig, new OpenAI({ baseURL: `${rig.url}/v1`, apiKey, maxRetries: 0 })),
  )
}
