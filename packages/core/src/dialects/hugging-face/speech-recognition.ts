import { z } from 'zod'
import type { JsonBody, UploadedFile } from '../../http/request-body.ts'
import { openaiTranscriptions } from '../openai-transcriptions.ts'
import { readReply } from '../read-reply.ts'
import { parametersOf, wrongInputs } from './inputs.ts'
import type { Task } from './task.ts'

const transcript = z.looseObject({
  text: z.string(),
  segments: z.array(z.looseObject({ start: z.number(), end: z.number(), text: z.string() })).optional(),
})

/** Sound becomes a text: the body is the sound itself, or JSON with it in base64 where there are parameters. */
export const speechRecognition: Task = {
  name: 'automatic-speech-recognition',
  dialect: openaiTranscriptions,
  translate(body, model) {
    const value = { model, response_format: 'verbose_json' }
    return { value, source: undefined, byteLength: JSON.stringify(value).length, file: soundOf(body) }
  },
  reply(call, reply) {
    const heard = readReply(transcript, reply)
    if (heard === undefined) return reply
    const { text, segments } = heard
    const wantsTimes =
      call.translatedFrom !== undefined && parametersOf(call.translatedFrom)['return_timestamps']
    const told =
      wantsTimes && segments !== undefined
        ? { text, chunks: segments.map(({ start, end, text }) => ({ text, timestamp: [start, end] })) }
        : { text }
    return { ...reply, bytes: Buffer.from(JSON.stringify(told)) }
  },
}

/** Providers tell kinds of sound apart by the ending of a name, and this API has no names. */
function soundOf({ value, file }: JsonBody): UploadedFile {
  const { inputs } = value
  const bytes = file?.bytes ?? (typeof inputs === 'string' ? Buffer.from(inputs, 'base64') : undefined)
  if (bytes === undefined || bytes.length === 0) throw wrongInputs('sound: as the body itself, or in base64')
  const [ending, contentType] = kindOf(bytes)
  return { name: `audio.${ending}`, contentType, bytes }
}

/** What sound is by its first bytes. */
function kindOf(bytes: Buffer): readonly [ending: string, contentType: string] {
  const start = bytes.toString('latin1', 0, 12)
  if (start.startsWith('RIFF')) return ['wav', 'audio/wav']
  if (start.startsWith('fLaC')) return ['flac', 'audio/flac']
  if (start.startsWith('OggS')) return ['ogg', 'audio/ogg']
  if (start.startsWith('\x1aE\xdf\xa3')) return ['webm', 'audio/webm']
  if (start.slice(4, 8) === 'ftyp') return ['m4a', 'audio/mp4']
  return ['mp3', 'audio/mpeg']
}
