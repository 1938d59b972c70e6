import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import { readFormBody } from '../http/multipart.ts'
import type { JsonBody } from '../http/request-body.ts'
import { audioSecondsOf } from './audio-seconds.ts'
import type { BodyDialect, Reply } from './dialect.ts'
import { type InferenceCall, parseModel, wholeCall } from './inference-call.ts'
import { memberReader } from './members.ts'
import { readReply } from './read-reply.ts'
import { subtitles } from './subtitles.ts'

const formats = ['json', 'text', 'srt', 'verbose_json', 'vtt'] as const

const readMembers = memberReader({
  response_format: z.enum(formats).nullish(),
  temperature: z.string().nullish(),
  language: z.string().nullish(),
  prompt: z.string().nullish(),
})

/**
 * `POST /v1/audio/transcriptions`, a form with a file. Providers are asked for a reply that says how long the audio was, because
 * that is billed; texts and subtitles are made of it here.
 */
export const openaiTranscriptions: BodyDialect = { read: readFormBody, parse, reply }

function parse(body: JsonBody): InferenceCall {
  const named = parseModel(body.value['model'])
  readMembers(body)
  if (body.value['stream'] === 'true') {
    throw new GatewayError('invalid_request', 'Transcriptions cannot be streamed.', { param: 'stream' })
  }
  const audioSeconds = body.file === undefined ? undefined : audioSecondsOf(body.file.bytes)
  const heard = audioSeconds === undefined ? {} : { audioSeconds }
  return wholeCall('transcriptions', body, named, { inputAudios: 1, ...heard })
}

const transcription = z.looseObject({
  text: z.string(),
  duration: z.number().optional(),
  usage: z.looseObject({}).optional(),
  segments: z.array(z.looseObject({ start: z.number(), end: z.number(), text: z.string() })).optional(),
})

function reply(call: InferenceCall, whole: Reply): Reply {
  const format = (call.body.value['response_format'] ?? 'json') as (typeof formats)[number]
  if (format === 'verbose_json') return whole
  const told = readReply(transcription, whole)
  if (told === undefined) return whole
  const {
    text,
    duration,
    usage = duration === undefined ? undefined : { type: 'duration', seconds: duration },
  } = told
  if (format === 'json') return { ...whole, bytes: Buffer.from(JSON.stringify({ text, usage })) }
  const { segments = [{ start: 0, end: duration ?? 0, text }] } = told
  return {
    bytes: Buffer.from(format === 'text' ? `${text}\n` : subtitles(segments, format)),
    contentType: 'text/plain; charset=utf-8',
  }
}
