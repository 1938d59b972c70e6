import assert from 'node:assert/strict'
import { type AIMessageChunk, HumanMessage, ToolMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { z } from 'zod'
import { type ClientCase, type ClientSubject, chatModel, chatProviders, embeddingModel } from './client.ts'

const text = 'Say something, please.'
const person = z.object({ name: z.string(), age: z.number().int() })

const weather = tool(async () => '12 degrees', {
  name: 'get_weather',
  description: 'The weather in a city',
  schema: z.object({ city: z.string() }),
})

/** What the unmodified `@langchain/openai` package must be able to do with any server that mounts the gateway. */
export const langchainCases: readonly ClientCase[] = [
  {
    name: 'invoke gives text and usage, as the provider counted it',
    async run(subject) {
      for (const provider of chatProviders) {
        const message = await chat(subject, provider).invoke(text)
        assert.match(message.text, /^Simulated answer:/)
        assert.equal(message.response_metadata['finish_reason'], 'stop')
        assert.deepEqual(usageOf(message.usage_metadata), lastCount(subject))
      }
    },
  },
  {
    name: 'the chunks of a stream add up to the text, and their usage to what the provider counted',
    async run(subject) {
      for (const provider of chatProviders) {
        const whole = await gathered(chat(subject, provider).stream(text))
        assert.match(whole.text, /^Simulated answer:/)
        assert.equal(whole.response_metadata['finish_reason'], 'stop')
        assert.deepEqual(usageOf(whole.usage_metadata), lastCount(subject))
      }
    },
  },
  {
    name: 'a stream may do without usage, and is charged all the same',
    async run(subject) {
      const model = new ChatOpenAI({ ...fields(subject, 'together'), streamUsage: false })
      const whole = await gathered(model.stream(text))
      assert.match(whole.text, /^Simulated answer:/)
      assert.equal(whole.usage_metadata, undefined)
    },
  },
  {
    name: 'a bound tool is called and its result told, whole and streamed',
    async run(subject) {
      for (const provider of chatProviders) {
        const model = chat(subject, provider).bindTools([weather])
        const question = new HumanMessage(text)
        for (const call of [await model.invoke([question]), await gathered(model.stream([question]))]) {
          assert.deepEqual(call.invalid_tool_calls, [])
          const [asked] = call.tool_calls ?? []
          assert.ok(asked?.id !== undefined)
          assert.equal(asked.name, 'get_weather')
          assert.equal(typeof asked.args['city'], 'string')
          const result: unknown = await weather.invoke({ ...asked, type: 'tool_call' })
          assert.ok(ToolMessage.isInstance(result))
          const answer = await model.invoke([question, call, result])
          assert.match(answer.text, /the tool said: .*12 degrees/)
        }
      }
    },
  },
  {
    name: 'structured output follows the zod schema, by its own format and by a tool',
    async run(subject) {
      for (const provider of chatProviders) {
        for (const method of ['jsonSchema', 'functionCalling'] as const) {
          const model = chat(subject, provider).withStructuredOutput(person, { method, name: 'person' })
          const answer = await model.invoke(text)
          assert.deepEqual(person.parse(answer), answer)
        }
      }
    },
  },
  {
    name: 'several questions at once are answered one by one, and each is charged',
    async run(subject) {
      const served = subject.simulator.served.length
      const answers = await chat(subject, 'cerebras').batch(['one', 'two', 'three'])
      assert.equal(answers.length, 3)
      assert.equal(subject.simulator.served.length, served + 3)
    },
  },
  {
    name: 'texts are embedded in batches, and a single one the same way',
    async run(subject) {
      const { baseUrl, apiKey, simulator } = subject
      const embeddings = new OpenAIEmbeddings({
        model: embeddingModel,
        apiKey,
        batchSize: 2,
        maxRetries: 0,
        configuration: { baseURL: baseUrl },
      })
      const served = simulator.served.length
      const vectors = await embeddings.embedDocuments(['one', 'two', 'three'])
      assert.equal(simulator.served.length, served + 2)
      assert.equal(vectors.length, 3)
      assert.deepEqual(await embeddings.embedQuery('one'), vectors[0])
    },
  },
]

function chat(subject: ClientSubject, provider: string): ChatOpenAI {
  return new ChatOpenAI(fields(subject, provider))
}

function fields({ baseUrl, apiKey }: ClientSubject, provider: string) {
  return { model: `${chatModel}:${provider}`, apiKey, maxRetries: 0, configuration: { baseURL: baseUrl } }
}

async function gathered(stream: Promise<AsyncIterable<AIMessageChunk>>): Promise<AIMessageChunk> {
  let whole: AIMessageChunk | undefined
  for await (const chunk of await stream) whole = whole === undefined ? chunk : whole.concat(chunk)
  assert.ok(whole !== undefined, 'the stream was empty')
  return whole
}

function usageOf(
  usage:
    | { readonly input_tokens: number; readonly output_tokens: number; readonly total_tokens: number }
    | undefined,
) {
  return { input: usage?.input_tokens, output: usage?.output_tokens, total: usage?.total_tokens }
}

/** What the provider says it has served last. */
function lastCount({ simulator }: ClientSubject) {
  const usage = simulator.served.at(-1)?.usage ?? {}
  const { prompt_tokens: input, completion_tokens: output, total_tokens: total } = usage
  return { input, output, total }
}
