import { countPromptTokens } from './answer.ts'
import { beginInference, type Context, openEntry } from './context.ts'
import { type Exchange, sendJson } from './exchange.ts'
import { deliver, shownUsage } from './faults.ts'
import { findPrice, isSpeechPrice, isTranscriptionPrice } from './price-list.ts'
import { generate, paceOf } from './stream.ts'
import type { TogetherApi } from './together-media.ts'

const provider = 'together'

interface SpeechBody {
  readonly model?: unknown
  readonly input?: unknown
  readonly voice?: unknown
  readonly response_format?: unknown
}

const mediaTypes: Readonly<Record<string, string>> = {
  mp3: 'audio/mpeg',
  wav: 'audio/wav',
  raw: 'audio/basic',
  mulaw: 'audio/basic',
}

/** Silence, a frame of it for each character, priced by the character. */
export async function createSpeech(context: Context, exchange: Exchange, api: TogetherApi): Promise<void> {
  const { refuse } = api
  const inference = await beginInference<SpeechBody>(context, exchange, {
    provider,
    refuse,
    model: (body) => body.model,
  })
  if (inference === undefined) return
  const { body, fault } = inference
  const { model, input, voice, response_format: format = 'wav' } = body
  if (typeof model !== 'string') return sendJson(exchange, refuse(400, 'model: Field required'))
  if (typeof input !== 'string' || input === '')
    return sendJson(exchange, refuse(400, 'input: Field required'))
  if (typeof voice !== 'string') return sendJson(exchange, refuse(400, 'voice: Field required'))
  const type = mediaTypes[String(format)]
  if (type === undefined)
    return sendJson(exchange, refuse(400, 'response_format: Input should be mp3 or wav'))
  const price = findPrice(context.prices, { provider, model, operation: 'speech' })
  if (price === undefined) return sendJson(exchange, api.refuseModel(model))
  if (!isSpeechPrice(price)) return sendJson(exchange, refuse(400, `${model} does not speak.`))

  const id = api.nextId(context)
  const entry = openEntry(context, exchange, {
    provider,
    providerRequestId: id,
    model,
    operation: 'speech',
    price,
  })
  const characters = Array.from(input).length
  const isDone =
    (await generate(exchange, { tokens: 1, pace: paceOf(fault, context.pace), now: context.nowMs })) === 1
  entry.settle({
    usage: { characters },
    quantities: [{ unit: 'character', amount: BigInt(characters), per: 1_000_000n }],
    outcome: isDone ? 'complete' : 'aborted',
  })
  if (!isDone) return
  const silence = type === 'audio/wav' ? wav(characters) : Buffer.concat(Array(characters).fill(mp3Frame))
  await deliver(exchange, fault, {
    status: 200,
    headers: { ...api.headers(id), 'content-type': type },
    body: silence,
  })
}

/** 36 ms of silence: MPEG-2 Layer III at 8 kbit/s and 16 kHz. */
const mp3Frame = Buffer.concat([Buffer.from([0xff, 0xf3, 0x18, 0xc4]), Buffer.alloc(32)])

const sampleRate = 8_000

/** A WAV file of 8-bit samples, 50 ms for each character. */
function wav(characters: number): Buffer {
  const samples = Buffer.alloc(characters * (sampleRate / 20), 0x80)
  const head = Buffer.alloc(44)
  head.write('RIFF', 0, 'latin1')
  head.writeUInt32LE(36 + samples.length, 4)
  head.write('WAVEfmt ', 8, 'latin1')
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(sampleRate, 24)
  head.writeUInt32LE(sampleRate, 28)
  head.writeUInt16LE(1, 32)
  head.writeUInt16LE(8, 34)
  head.write('data', 36, 'latin1')
  head.writeUInt32LE(samples.length, 40)
  return Buffer.concat([head, samples])
}

interface TranscriptionBody {
  readonly model: unknown
  readonly format: unknown
  readonly file: Buffer | undefined
}

/** Words for whatever is heard, priced by how long it plays: WAV as its header says, anything else at 64 kbit/s. */
export async function createTranscription(
  context: Context,
  exchange: Exchange,
  api: TogetherApi,
): Promise<void> {
  const { refuse } = api
  const inference = await beginInference<TranscriptionBody>(context, exchange, {
    provider,
    refuse,
    model: (body) => body.model,
    read: readForm,
  })
  if (inference === undefined) return
  const { body, fault } = inference
  const { model, format, file } = body
  if (typeof model !== 'string') return sendJson(exchange, refuse(400, 'model: Field required'))
  if (file === undefined) return sendJson(exchange, refuse(400, 'file: Field required'))
  const price = findPrice(context.prices, { provider, model, operation: 'transcriptions' })
  if (price === undefined) return sendJson(exchange, api.refuseModel(model))
  if (!isTranscriptionPrice(price)) return sendJson(exchange, refuse(400, `${model} does not listen.`))

  const id = api.nextId(context)
  const entry = openEntry(context, exchange, {
    provider,
    providerRequestId: id,
    model,
    operation: 'transcriptions',
    price,
  })
  const { amount, per } = lengthOf(file)
  const duration = Number(amount) / Number(per)
  const isDone =
    (await generate(exchange, { tokens: 1, pace: paceOf(fault, context.pace), now: context.nowMs })) === 1
  entry.settle({
    usage: { audio_seconds: duration },
    quantities: [{ unit: 'audio_second', amount, per }],
    outcome: isDone ? 'complete' : 'aborted',
  })
  if (!isDone) return
  const text = `Simulated transcript of ${file.length} bytes.`
  const segments = [
    { id: 0, start: 0, end: duration, text, tokens: Array(countPromptTokens([text])).fill(1) },
  ]
  const told = shownUsage({ duration }, fault)
  const whole = { task: 'transcribe', language: 'english', text, segments, ...told }
  const answer = format === 'verbose_json' ? whole : { text }
  await deliver(exchange, fault, { status: 200, headers: api.headers(id), body: JSON.stringify(answer) })
}

async function readForm({ request, bytes }: Exchange): Promise<TranscriptionBody | undefined> {
  try {
    const headers = { 'content-type': request.headers['content-type'] ?? '' }
    const form = await new Response(bytes, { headers }).formData()
    const file = form.get('file')
    return {
      model: form.get('model') ?? undefined,
      format: form.get('response_format') ?? 'json',
      file: file === null || typeof file === 'string' ? undefined : Buffer.from(await file.arrayBuffer()),
    }
  } catch {
    return undefined
  }
}

function lengthOf(file: Buffer): { readonly amount: bigint; readonly per: bigint } {
  const isWav = file.toString('latin1', 0, 4) === 'RIFF' && file.length > 44
  if (!isWav) return { amount: BigInt(file.length), per: 8_000n }
  return { amount: BigInt(file.length - 44), per: BigInt(file.readUInt32LE(28)) }
}
