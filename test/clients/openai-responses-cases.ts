import assert from 'node:assert/strict'
import OpenAI from 'openai'
import { zodResponsesFunction, zodTextFormat } from 'openai/helpers/zod'
import { z } from 'zod'
import { type ClientCase, chatProviders, chatModel as model } from './client.ts'
import { expectError } from './expect-error.ts'
import { nanoUsd, receipt } from './money.ts'
import { openaiClient as client } from './openai-client.ts'

type Usage = OpenAI.Responses.ResponseUsage & { readonly cost?: string }

const input = 'Say something, please.'
const person = z.object({ name: z.string(), age: z.number().int(), tags: z.array(z.string()) })
const weather = zodResponsesFunction({ name: 'get_weather', parameters: z.object({ city: z.string() }) })

/** What the unmodified `openai` package must be able to do with responses, at any server that mounts the gateway. */
export const openaiResponsesCases: readonly ClientCase[] = [
  {
    name: 'a response has a text, usage with its cost, and the id of its receipt',
    async run(subject) {
      for (const provider of chatProviders) {
        const { data, response } = await client(subject)
          .responses.create({
            model: `${model}:${provider}`,
            instructions: 'Be brief.',
            input,
            max_output_tokens: 50,
            metadata: { order: '1' },
          })
          .withResponse()
        assert.match(data.output_text, /^Simulated answer:/)
        assert.equal(data.status, 'completed')
        assert.equal(data.model, model)
        assert.deepEqual(data.metadata, { order: '1' })
        assert.equal(response.headers.get('x-inference-provider'), provider)
        const requestId = data.id.replace(/^resp_/, '')
        assert.equal(response.headers.get('x-farebox-receipt'), requestId)
        const usage = data.usage as Usage
        assert.equal(usage.total_tokens, usage.input_tokens + usage.output_tokens)
        assert.equal(nanoUsd(usage.cost), nanoUsd((await receipt(subject, requestId))['charged']))
      }
    },
  },
  {
    name: 'a streamed response tells its text in pieces, and its usage and cost at its end',
    async run(subject) {
      for (const provider of chatProviders) {
        const stream = await client(subject).responses.create({
          model: `${model}:${provider}`,
          input,
          stream: true,
        })
        let text = ''
        let next = 0
        let last: OpenAI.Responses.ResponseStreamEvent | undefined
        for await (const event of stream) {
          assert.equal(event.sequence_number, next)
          next += 1
          if (event.type === 'response.output_text.delta') text += event.delta
          last = event
        }
        assert.ok(last?.type === 'response.completed', last?.type)
        const { id, output, usage } = last.response
        assert.match(text, /^Simulated answer:/)
        assert.equal(textOf(output), text)
        // A caller who has read the whole answer finds it on the balance.
        const charged = (await receipt(subject, id.replace(/^resp_/, '')))['charged']
        assert.equal(nanoUsd((usage as Usage).cost), nanoUsd(charged))
      }
    },
  },
  {
    name: 'the helper for streams puts the same response together',
    async run(subject) {
      for (const provider of chatProviders) {
        const stream = client(subject).responses.stream({ model: `${model}:${provider}`, input })
        let snapshot = ''
        stream.on('response.output_text.delta', (event) => {
          snapshot = event.snapshot
        })
        const { status, output_text: text } = await stream.finalResponse()
        assert.equal(status, 'completed')
        assert.equal(text, snapshot)
        assert.match(text, /^Simulated answer:/)
      }
    },
  },
  {
    name: 'parse gives an object of the zod schema, whole and streamed',
    async run(subject) {
      for (const provider of chatProviders) {
        const asked = {
          model: `${model}:${provider}`,
          input,
          text: { format: zodTextFormat(person, 'person') },
        }
        const { output_parsed: parsed } = await client(subject).responses.parse(asked)
        assert.deepEqual(person.parse(parsed), parsed)
        const streamed = await client(subject).responses.stream(asked).finalResponse()
        assert.deepEqual(streamed.output_parsed, parsed)
      }
    },
  },
  {
    name: 'a function makes its round trip, whole and streamed',
    async run(subject) {
      for (const provider of chatProviders) {
        const openai = client(subject)
        const asked = { model: `${model}:${provider}`, tools: [weather] }
        for (const first of [
          await openai.responses.parse({ ...asked, input }),
          await openai.responses.stream({ ...asked, input }).finalResponse(),
        ]) {
          const call = first.output.find((item) => item.type === 'function_call')
          assert.ok(call !== undefined)
          assert.equal(typeof (call.parsed_arguments as { city?: unknown }).city, 'string')
          const { output_text: text } = await openai.responses.create({
            ...asked,
            input: [
              { role: 'user', content: input },
              ...itemsOf(first.output),
              { type: 'function_call_output', call_id: call.call_id, output: '12 degrees' },
            ],
          })
          assert.match(text, /the tool said: 12 degrees/)
        }
      }
    },
  },
  {
    name: 'a custom tool makes its round trip, whole and streamed',
    async run(subject) {
      const openai = client(subject)
      const asked = { model, input, tools: [{ type: 'custom' as const, name: 'apply_patch' }] }
      for (const first of [
        await openai.responses.create(asked),
        await openai.responses.stream(asked).finalResponse(),
      ]) {
        const call = customCall(first.output)
        assert.equal(call.name, 'apply_patch')
        assert.ok(call.input.length > 0 && !call.input.startsWith('{'))
        const { output_text: text } = await openai.responses.create({
          ...asked,
          input: [
            { role: 'user', content: input },
            ...itemsOf(first.output),
            { type: 'custom_tool_call_output', call_id: call.call_id, output: 'Done.' },
          ],
        })
        assert.match(text, /the tool said: Done\./)
      }
    },
  },
  {
    name: 'a response that was cut says so, whole and streamed',
    async run(subject) {
      const asked = { model, input: 'Please say 50 tokens.', max_output_tokens: 5 }
      const openai = client(subject)
      for (const response of [
        await openai.responses.create(asked),
        await openai.responses.stream(asked).finalResponse(),
      ]) {
        assert.equal(response.status, 'incomplete')
        assert.deepEqual(response.incomplete_details, { reason: 'max_output_tokens' })
        assert.equal(response.usage?.output_tokens, 5)
      }
    },
  },
  {
    name: 'a picture may be part of the question, and log probabilities of the answer',
    async run(subject) {
      const { output } = await client(subject).responses.create({
        model: `${model}:cerebras`,
        max_output_tokens: 20,
        top_logprobs: 2,
        include: ['message.output_text.logprobs'],
        input: [
          {
            role: 'user',
            content: [
              { type: 'input_text', text: 'What is this?' },
              { type: 'input_image', image_url: 'data:image/png;base64,iVBORw0KGgo=', detail: 'auto' },
            ],
          },
        ],
      })
      const [message] = output
      assert.ok(message?.type === 'message' && message.content[0]?.type === 'output_text')
      assert.ok((message.content[0].logprobs?.length ?? 0) > 0)
    },
  },
  {
    name: 'what would have to be stored is refused, naming the member',
    async run(subject) {
      const openai = client(subject)
      const refused = { status: 400, code: 'invalid_request', param: 'previous_response_id' }
      const error = await failure(openai.responses.create({ model, input, previous_response_id: 'resp_1' }))
      expectError(error, OpenAI.BadRequestError, refused)
      for (const ask of [
        () => openai.responses.retrieve('resp_1'),
        () => openai.responses.delete('resp_1'),
        () => openai.responses.cancel('resp_1'),
        () => openai.responses.inputItems.list('resp_1'),
      ]) {
        expectError(await failure(ask()), OpenAI.NotFoundError, { status: 404, code: 'response_not_found' })
      }
    },
  },
  {
    name: 'a streamed response whose caller leaves is charged for what was made until then',
    async run(subject) {
      subject.simulator.script('cerebras', [{ kind: 'slow', firstTokenMs: 1, tokenMs: 2 }])
      const stream = await client(subject).responses.create({
        model: `${model}:cerebras`,
        input: 'Please say 5000 tokens.',
        stream: true,
      })
      for await (const event of stream) if (event.type === 'response.output_text.delta') break
      await subject.simulator.idle()
      const last = subject.simulator.served.at(-1)
      assert.equal(last?.outcome, 'aborted')
      assert.ok((last?.usage['completion_tokens'] ?? 0) < 5000)
    },
  },
]

function customCall(output: readonly { readonly type: string }[]): OpenAI.Responses.ResponseCustomToolCall {
  const call = output.find((item) => item.type === 'custom_tool_call')
  assert.ok(call !== undefined)
  return call as OpenAI.Responses.ResponseCustomToolCall
}

/** Items of an answer as the next question has them. */
function itemsOf(output: readonly OpenAI.Responses.ResponseOutputItem[]): OpenAI.Responses.ResponseInput {
  return output as OpenAI.Responses.ResponseInput
}

function textOf(output: readonly OpenAI.Responses.ResponseOutputItem[]): string {
  return output
    .flatMap((item) => (item.type === 'message' ? item.content : []))
    .map((part) => (part.type === 'output_text' ? part.text : ''))
    .join('')
}

async function failure(asking: PromiseLike<unknown>): Promise<unknown> {
  try {
    await asking
  } catch (error) {
    return error
  }
  return assert.fail('It was not refused.')
}
