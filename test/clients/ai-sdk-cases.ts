import assert from 'node:assert/strict'
import { createOpenAICompatible, type OpenAICompatibleProvider } from '@ai-sdk/openai-compatible'
import { embed, embedMany, generateImage, generateText, Output, stepCountIs, streamText, tool } from 'ai'
import { z } from 'zod'
import {
  type ClientCase,
  type ClientSubject,
  chatModel,
  chatProviders,
  embeddingModel,
  imageModel,
} from './client.ts'

const prompt = 'Say something, please.'
const person = z.object({ name: z.string(), age: z.number().int(), tags: z.array(z.string()) })

/** What the unmodified `ai` package must be able to do with any server that mounts the gateway. */
export const aiSdkCases: readonly ClientCase[] = [
  {
    name: 'generateText gives text, usage, the reason it ended, and the headers',
    async run(subject) {
      for (const name of chatProviders) {
        const { text, usage, finishReason, response } = await generateText({
          model: provider(subject)(`${chatModel}:${name}`),
          prompt,
          maxRetries: 0,
        })
        assert.match(text, /^Simulated answer:/)
        assert.equal(finishReason, 'stop')
        assert.ok((usage.inputTokens ?? 0) > 0)
        assert.ok((usage.outputTokens ?? 0) > 0)
        assert.equal(response.headers?.['x-inference-provider'], name)
        assert.match(response.headers?.['x-farebox-cost'] ?? '', /^0\.\d+$/)
      }
    },
  },
  {
    name: 'generateText says so when the answer was cut',
    async run(subject) {
      const { finishReason } = await generateText({
        model: provider(subject)(chatModel),
        prompt: 'Please say 50 tokens.',
        maxOutputTokens: 5,
        maxRetries: 0,
      })
      assert.equal(finishReason, 'length')
    },
  },
  {
    name: 'streamText gives the text in pieces, with usage for a provider that includes it',
    async run(subject) {
      for (const name of chatProviders) {
        const stream = streamText({ model: provider(subject)(`${chatModel}:${name}`), prompt, maxRetries: 0 })
        const pieces: string[] = []
        for await (const piece of stream.textStream) pieces.push(piece)
        assert.match(pieces.join(''), /^Simulated answer:/)
        assert.ok(pieces.length > 5)
        assert.equal(await stream.finishReason, 'stop')
        const { inputTokens, outputTokens } = await stream.usage
        assert.ok((inputTokens ?? 0) > 0)
        assert.ok((outputTokens ?? 0) > 0)
      }
    },
  },
  {
    name: 'streamText knows no usage unless it asks for it, and is charged all the same',
    async run(subject) {
      const stream = streamText({
        model: provider(subject, { includeUsage: false })(chatModel),
        prompt,
        maxRetries: 0,
      })
      await stream.consumeStream()
      assert.match(await stream.text, /^Simulated answer:/)
      assert.equal((await stream.usage).outputTokens, undefined)
    },
  },
  {
    name: 'a tool is run and its result is told, whole and streamed',
    async run(subject) {
      for (const name of chatProviders) {
        const asked: string[] = []
        const settings = {
          model: provider(subject)(`${chatModel}:${name}`),
          prompt,
          tools: { get_weather: weather(asked) },
          stopWhen: stepCountIs(3),
          maxRetries: 0,
        }
        const { text, steps, totalUsage } = await generateText(settings)
        assert.match(text, /the tool said: .*12 degrees/)
        assert.deepEqual(
          steps.map(({ finishReason }) => finishReason),
          ['tool-calls', 'stop'],
        )
        assert.equal(
          totalUsage.totalTokens,
          steps.reduce((sum, { usage }) => sum + (usage.totalTokens ?? 0), 0),
        )
        const stream = streamText(settings)
        await stream.consumeStream()
        assert.match(await stream.text, /the tool said: .*12 degrees/)
        assert.equal((await stream.steps).length, 2)
        assert.equal(asked.length, 2)
      }
    },
  },
  {
    name: 'structured output follows the zod schema, whole and streamed',
    async run(subject) {
      for (const name of chatProviders) {
        const asked = {
          model: provider(subject)(`${chatModel}:${name}`),
          prompt,
          output: Output.object({ schema: person }),
          maxRetries: 0,
        }
        const { output } = await generateText(asked)
        assert.deepEqual(person.parse(output), output)
        const stream = streamText(asked)
        const parts: unknown[] = []
        for await (const part of stream.partialOutputStream) parts.push(part)
        assert.ok(parts.length > 1)
        assert.deepEqual(await stream.output, output)
      }
    },
  },
  {
    name: 'one text and many are embedded, as floats',
    async run(subject) {
      const model = provider(subject).embeddingModel(embeddingModel)
      const one = await embed({ model, value: 'one', maxRetries: 0 })
      const many = await embedMany({ model, values: ['one', 'two', 'three'], maxRetries: 0 })
      assert.equal(many.embeddings.length, 3)
      assert.deepEqual(many.embeddings[0], one.embedding)
      assert.ok(many.usage.tokens > one.usage.tokens)
    },
  },
  {
    name: 'an image comes as bytes',
    async run(subject) {
      const { image } = await generateImage({
        model: provider(subject).imageModel(imageModel),
        prompt: 'a lighthouse',
        size: '512x512',
        maxRetries: 0,
      })
      assert.equal(image.mediaType, 'image/png')
      assert.deepEqual([...image.uint8Array.slice(1, 4)], [...Buffer.from('PNG')])
    },
  },
  {
    name: 'a stream whose caller aborts is charged for what was made until then',
    async run(subject) {
      subject.simulator.script('together', [{ kind: 'slow', firstTokenMs: 1, tokenMs: 2 }])
      const abort = new AbortController()
      const stream = streamText({
        model: provider(subject)(`${chatModel}:together`),
        prompt: 'Please say 5000 tokens.',
        abortSignal: abort.signal,
        maxRetries: 0,
      })
      let isAborted = false
      for await (const { type } of stream.fullStream) {
        if (type === 'text-delta') abort.abort()
        isAborted ||= type === 'abort'
      }
      assert.ok(isAborted)
      await subject.simulator.idle()
      assert.equal(subject.simulator.served.at(-1)?.outcome, 'aborted')
    },
  },
]

function provider(
  { baseUrl, apiKey }: ClientSubject,
  { includeUsage = true }: { readonly includeUsage?: boolean } = {},
): OpenAICompatibleProvider {
  return createOpenAICompatible({
    name: 'farebox',
    baseURL: baseUrl,
    apiKey,
    includeUsage,
    supportsStructuredOutputs: true,
  })
}

function weather(asked: string[]) {
  return tool({
    description: 'The weather in a city',
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => {
      asked.push(city)
      return { report: '12 degrees' }
    },
  })
}
