import assert from 'node:assert/strict'
import { createOpenAI, type OpenAIProvider } from '@ai-sdk/openai'
import { APICallError, generateText, Output, stepCountIs, streamText, tool } from 'ai'
import { z } from 'zod'
import { aiSdk, answerOf, reported } from './ai-sdk.ts'
import {
  type Client,
  type ClientCase,
  chatProviders,
  messages,
  chatModel as model,
  type Question,
} from './client.ts'

const person = z.object({ name: z.string(), age: z.number().int() })

/** The package refers to what it believes to be stored, unless it is told otherwise. */
const providerOptions = { openai: { store: false } }

const cases: readonly ClientCase[] = [
  {
    name: 'generateText and streamText give text and usage',
    async run(subject) {
      for (const name of chatProviders) {
        const asked = { model: provider(subject)(`${model}:${name}`), prompt: 'Hello!', maxRetries: 0 }
        const { text, usage, finishReason } = await generateText(asked)
        assert.match(text, /^Simulated answer:/)
        assert.equal(finishReason, 'stop')
        const stream = streamText(asked)
        await stream.consumeStream()
        assert.equal(await stream.text, text)
        assert.equal(await stream.finishReason, 'stop')
        assert.deepEqual((await stream.usage).outputTokens, usage.outputTokens)
        assert.ok((usage.outputTokens ?? 0) > 0)
      }
    },
  },
  {
    name: 'a tool is run and its result is told, whole and streamed',
    async run(subject) {
      for (const name of chatProviders) {
        let runs = 0
        const execute = async () => {
          runs += 1
          return { report: '12 degrees' }
        }
        const settings = {
          model: provider(subject)(`${model}:${name}`),
          prompt: 'Hello!',
          tools: { get_weather: tool({ inputSchema: z.object({ city: z.string() }), execute }) },
          stopWhen: stepCountIs(3),
          maxRetries: 0,
          providerOptions,
        }
        assert.match((await generateText(settings)).text, /the tool said: .*12 degrees/)
        const stream = streamText(settings)
        await stream.consumeStream()
        assert.match(await stream.text, /the tool said: .*12 degrees/)
        assert.equal(runs, 2)
      }
    },
  },
  {
    name: 'structured output follows the zod schema',
    async run(subject) {
      const { output } = await generateText({
        model: provider(subject)(model),
        prompt: 'Hello!',
        output: Output.object({ schema: person }),
        maxRetries: 0,
      })
      assert.deepEqual(person.parse(output), output)
    },
  },
]

/** The unmodified `ai` package over `@ai-sdk/openai`, which asks for responses. */
export const aiSdkResponses: Client = {
  name: 'ai, responses',
  repeatsWhatWasLost: true,
  ask,
  cases,
  raises: {
    ...aiSdk.raises,
    'unknown model': (error) => {
      assert.ok(APICallError.isInstance(error), String(error))
      assert.match(error.message, messages['unknown model'])
      assert.equal(error.statusCode, 400)
      assert.equal(error.isRetryable, false)
    },
    'broken stream': reported('broken stream', 'server_error'),
    'error in a stream': reported('error in a stream', 'server_error'),
  },
}

function ask(question: Question): Promise<string> {
  return answerOf(provider(question)(question.model), question)
}

function provider({ baseUrl, apiKey }: Pick<Question, 'baseUrl' | 'apiKey'>): OpenAIProvider {
  return createOpenAI({ baseURL: baseUrl, apiKey })
}
