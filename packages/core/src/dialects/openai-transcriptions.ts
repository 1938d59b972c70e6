import { z } from 'zod'
import { readFormBody } from '../http/multipart.ts'
import type { JsonBody } from '../http/request-body.ts'
import { audioSecondsOf } from './audio-seconds.ts'
import type { BodyDialect, Reply } from './dialect.ts'
import { type InferenceCall, parseModel, wholeCall } from './inference-call.ts'
import { memberReader, wrongMember } from './members.ts'
import { readReply } from './read-reply.ts'
import { subtitles } from './subtitles.ts'

const formats = ['json', 'text', 'srt', 'verbose_json', 'vtt'] as const

/** Fields that some providers take audio from in place of the file, from an address that nobody here has listened to. */
const otherSources = ['file', 'url', 'file_url', 'audio_url']

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
  // Whatever is not plainly false is true to some provider.
  if (!['false', undefined].includes(body.value['stream'] as string | undefined))
    throw wrongMember('stream', 'Transcriptions cannot be streamed.')
  for (const name of otherSources) {
    if (body.value[name] !== undefined)
      throw wrongMember(name, `Send the audio itself as the file "file", not by "${name}".`)
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
