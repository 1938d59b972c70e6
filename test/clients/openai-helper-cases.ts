import assert from 'node:assert/strict'
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod'
import { z } from 'zod'
import { type ClientCase, chatProviders, chatModel as model } from './client.ts'
import { openaiClient } from './openai-client.ts'

const question = [{ role: 'user' as const, content: 'Say something, please.' }]
const person = z.object({ name: z.string(), age: z.number().int(), tags: z.array(z.string()) })
const place = z.object({ city: z.string() })

/** What the `openai` package builds on top of plain requests: parsed answers, tools that it runs, streams with events. */
export const openaiHelperCases: readonly ClientCase[] = [
  {
    name: 'parse gives an object of the zod schema',
    async run(subject) {
      for (const provider of chatProviders) {
        const answer = await openaiClient(subject).chat.completions.parse({
          model: `${model}:${provider}`,
          messages: question,
          response_format: zodResponseFormat(person, 'person'),
        })
        assert.deepEqual(person.parse(answer.choices[0]?.message.parsed), answer.choices[0]?.message.parsed)
      }
    },
  },
  {
    name: 'a stream is parsed by its zod schema when it ends',
    async run(subject) {
      const stream = openaiClient(subject).chat.completions.stream({
        model,
        messages: question,
        response_format: zodResponseFormat(person, 'person'),
      })
      const { choices } = await stream.finalChatCompletion()
      assert.equal(choices[0]?.finish_reason, 'stop')
      assert.equal(typeof choices[0]?.message.parsed?.name, 'string')
    },
  },
  {
    name: 'a stream tells its pieces, its content and its usage as events',
    async run(subject) {
      for (const provider of chatProviders) {
        const stream = openaiClient(subject).chat.completions.stream({
          model: `${model}:${provider}`,
          messages: question,
          stream_options: { include_usage: true },
        })
        let pieces = ''
        stream.on('content', (delta) => {
          pieces += delta
        })
        assert.match(pieces + (await stream.finalContent()), /^Simulated answer:/)
        assert.equal(pieces, await stream.finalContent())
        const { usage } = await stream.finalChatCompletion()
        assert.ok((usage?.completion_tokens ?? 0) > 0)
        assert.deepEqual(await stream.totalUsage(), {
          prompt_tokens: usage?.prompt_tokens,
          completion_tokens: usage?.completion_tokens,
          total_tokens: usage?.total_tokens,
        })
      }
    },
  },
  {
    name: 'runTools calls the function, tells its result, and adds the usage of both answers up',
    async run(subject) {
      const asked: unknown[] = []
      const runner = openaiClient(subject).chat.completions.runTools({
        model,
        messages: question,
        tools: [weather(asked)],
      })
      assert.match((await runner.finalContent()) ?? '', /the tool said: .*12 degrees/)
      assert.equal(asked.length, 1)
      assert.equal(await runner.finalFunctionToolCallResult(), '{"report":"12 degrees"}')
      const answers = runner.allChatCompletions()
      assert.equal(answers.length, 2)
      assert.equal(
        (await runner.totalUsage()).total_tokens,
        answers.reduce((sum, { usage }) => sum + (usage?.total_tokens ?? 0), 0),
      )
    },
  },
  {
    name: 'runTools does the same over streams',
    async run(subject) {
      for (const provider of chatProviders) {
        const asked: unknown[] = []
        const runner = openaiClient(subject).chat.completions.runTools({
          model: `${model}:${provider}`,
          messages: question,
          stream: true,
          tools: [weather(asked)],
        })
        assert.match((await runner.finalContent()) ?? '', /the tool said: .*12 degrees/)
        assert.equal(asked.length, 1)
      }
    },
  },
  {
    name: 'a stream whose caller leaves is charged for what was made until then',
    async run(subject) {
      subject.simulator.script('cerebras', [{ kind: 'slow', firstTokenMs: 1, tokenMs: 2 }])
      const stream = await openaiClient(subject).chat.completions.create({
        model: `${model}:cerebras`,
        messages: [{ role: 'user', content: 'Please say 5000 tokens.' }],
        stream: true,
      })
      let chunks = 0
      for await (const _ of stream) {
        chunks += 1
        if (chunks === 5) break
      }
      await subject.simulator.idle()
      const last = subject.simulator.served.at(-1)
      assert.equal(last?.outcome, 'aborted')
      assert.ok((last?.usage['completion_tokens'] ?? 0) < 5000)
    },
  },
]

function weather(asked: unknown[]) {
  return zodFunction({
    name: 'get_weather',
    parameters: place,
    function: async (args) => {
      asked.push(place.parse(args))
      return { report: '12 degrees' }
    },
  })
}
