import assert from 'node:assert/strict'
import { toFile } from 'openai'
import { type ClientCase, chatModel, chatProviders } from './client.ts'
import { openaiClient } from './openai-client.ts'
import { oneSecondOfSound } from './sound.ts'

const whisper = 'openai/whisper-large-v3'
const voice = { model: 'hexgrad/Kokoro-82M', voice: 'af_alloy', input: 'Hello!' }

/** Sound, and texts that go on, with the unmodified `openai` package. */
export const openaiMediaCases: readonly ClientCase[] = [
  {
    name: 'audio.transcriptions writes a file down, as JSON, with times, and as subtitles',
    async run(subject) {
      const { transcriptions } = openaiClient(subject).audio
      const asked = async () => ({ model: whisper, file: await toFile(oneSecondOfSound, 'a.wav') })
      const { text, usage } = await transcriptions.create(await asked())
      assert.match(text, /^Simulated transcript/)
      assert.deepEqual(usage, { type: 'duration', seconds: 1 })
      const timed = await transcriptions.create({ ...(await asked()), response_format: 'verbose_json' })
      assert.equal(timed.duration, 1)
      const subtitles = await transcriptions.create({ ...(await asked()), response_format: 'vtt' })
      assert.match(String(subtitles), /^WEBVTT\n\n00:00:00\.000 --> 00:00:01\.000\nSimulated/)
    },
  },
  {
    name: 'audio.transcriptions raises an error for a form without a model',
    async run(subject) {
      const file = await toFile(oneSecondOfSound, 'a.wav')
      const asking = openaiClient(subject).audio.transcriptions.create({ model: '', file })
      await assert.rejects(asking, { status: 400, param: 'model' })
    },
  },
  {
    name: 'audio.speech gives a file of sound',
    async run(subject) {
      const response = await openaiClient(subject).audio.speech.create({ ...voice, response_format: 'wav' })
      assert.equal(response.headers.get('content-type'), 'audio/wav')
      const bytes = Buffer.from(await response.arrayBuffer())
      assert.equal(bytes.toString('latin1', 0, 4), 'RIFF')
    },
  },
  {
    name: 'completions go on with a text, whole and streamed',
    async run(subject) {
      for (const provider of chatProviders) {
        const asked = { model: `${chatModel}:${provider}`, prompt: 'Once upon a time', max_tokens: 8 }
        const { choices } = await openaiClient(subject).completions.create(asked)
        assert.match(choices[0]?.text ?? '', /^Simulated answer:/)
        let text = ''
        for await (const chunk of await openaiClient(subject).completions.create({ ...asked, stream: true }))
          text += chunk.choices[0]?.text ?? ''
        assert.equal(text, choices[0]?.text)
      }
    },
  },
]
