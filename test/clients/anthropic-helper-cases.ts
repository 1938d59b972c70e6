import assert from 'node:assert/strict'
import type Anthropic from '@anthropic-ai/sdk'
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod'
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod'
import { z } from 'zod'
import { anthropicClient, least } from './anthropic-client.ts'
import { type ClientCase, chatProviders, chatModel as model } from './client.ts'

const person = z.object({ name: z.string(), age: z.number().int() })
const place = z.object({ city: z.string() })

/** What the package builds on top of plain requests: tools, streams with events, parsed answers. */
export const anthropicHelperCases: readonly ClientCase[] = [
  {
    name: 'a tool call makes its round trip, whole and streamed',
    async run(subject) {
      const anthropic = anthropicClient(subject)
      const tools: Anthropic.Tool[] = [
        {
          name: 'get_weather',
          description: 'The weather of a city.',
          input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
        },
      ]
      for (const provider of chatProviders) {
        const asked = { ...least, model: `${model}:${provider}`, tools }
        const choice = { type: 'any' as const, disable_parallel_tool_use: true }
        const stream = anthropic.messages.stream({ ...asked, tool_choice: choice })
        let json = ''
        stream.on('inputJson', (delta) => {
          json += delta
        })
        const streamed = await stream.finalMessage()
        const whole = await anthropic.messages.create({ ...asked, tool_choice: choice })
        for (const message of [whole, streamed]) {
          const call = message.content.at(-1)
          assert.equal(message.stop_reason, 'tool_use')
          assert.ok(call?.type === 'tool_use' && call.name === 'get_weather' && call.id !== '')
          assert.equal(typeof place.parse(call.input).city, 'string')
          const answered = await anthropic.messages.create({
            ...asked,
            messages: [
              ...least.messages,
              { role: 'assistant', content: message.content as Anthropic.ContentBlockParam[] },
              {
                role: 'user',
                content: [{ type: 'tool_result', tool_use_id: call.id, content: '12 degrees' }],
              },
            ],
          })
          const [said] = answered.content
          assert.match(said?.type === 'text' ? said.text : '', /the tool said: .*12 degrees/)
        }
        assert.deepEqual(JSON.parse(json), (streamed.content.at(-1) as Anthropic.ToolUseBlock).input)
      }
    },
  },
  {
    name: 'the tool runner calls the function and tells its result, whole and over streams',
    async run(subject) {
      for (const isStreaming of [false, true]) {
        const asked: unknown[] = []
        const runner = anthropicClient(subject).beta.messages.toolRunner({
          ...least,
          stream: isStreaming,
          tools: [
            betaZodTool({
              name: 'get_weather',
              description: 'The weather of a city.',
              inputSchema: place,
              run(input) {
                asked.push(place.parse(input))
                return '12 degrees'
              },
            }),
          ],
        })
        const { content } = await runner.runUntilDone()
        assert.match(content[0]?.type === 'text' ? content[0].text : '', /the tool said: .*12 degrees/)
        assert.equal(asked.length, 1)
      }
    },
  },
  {
    name: 'a stream tells its pieces and its message as events',
    async run(subject) {
      for (const provider of chatProviders) {
        const stream = anthropicClient(subject).messages.stream({ ...least, model: `${model}:${provider}` })
        let pieces = ''
        stream.on('text', (delta, whole) => {
          pieces += delta
          assert.equal(whole, pieces)
        })
        const message = await stream.finalMessage()
        assert.match(pieces, /^Simulated answer:/)
        assert.equal(await stream.finalText(), pieces)
        assert.ok(message.usage.input_tokens > 0 && message.usage.output_tokens > 0)
        assert.ok(stream.request_id)
      }
    },
  },
  {
    name: 'parse gives an object of the zod schema, whole and streamed',
    async run(subject) {
      for (const provider of chatProviders) {
        const asked = {
          ...least,
          model: `${model}:${provider}`,
          output_config: { format: zodOutputFormat(person) },
        }
        const whole = await anthropicClient(subject).messages.parse(asked)
        const streamed = await anthropicClient(subject).messages.stream(asked).finalMessage()
        for (const { parsed_output: found } of [whole, streamed]) {
          assert.deepEqual(person.parse(found), found)
        }
      }
    },
  },
  {
    name: 'a stream whose caller leaves is charged for what was made until then',
    async run(subject) {
      subject.simulator.script('cerebras', [{ kind: 'slow', firstTokenMs: 1, tokenMs: 2 }])
      const stream = await anthropicClient(subject).messages.create({
        ...least,
        max_tokens: 5_000,
        model: `${model}:cerebras`,
        messages: [{ role: 'user', content: 'Please say 5000 tokens.' }],
        stream: true,
      })
      let events = 0
      for await (const _ of stream) {
        events += 1
        if (events === 5) break
      }
      await subject.simulator.idle()
      const last = subject.simulator.served.at(-1)
      assert.equal(last?.outcome, 'aborted')
      assert.ok((last?.usage['completion_tokens'] ?? 0) < 5000)
    },
  },
]
