import assert from 'node:assert/strict'
import OpenAI from 'openai'
import { type ClientCase, chatProviders, embeddingModel, imageModel, chatModel as model } from './client.ts'
import { credits, nanoUsd, receipt } from './money.ts'
import { openaiClient as client } from './openai-client.ts'

const question = [{ role: 'user' as const, content: 'Say something, please.' }]

/** What the unmodified `openai` package must be able to do with any server that mounts the gateway. */
export const openaiCases: readonly ClientCase[] = [
  {
    name: 'chat answers with content, usage and a request id',
    async run(subject) {
      const { data, response } = await client(subject)
        .chat.completions.create({ model, messages: question, max_tokens: 50 })
        .withResponse()
      assert.match(data.choices[0]?.message.content ?? '', /^Simulated answer:/)
      assert.ok((data.usage?.total_tokens ?? 0) > 0)
      assert.ok(response.headers.get('x-request-id'))
      assert.match(response.headers.get('x-farebox-cost') ?? '', /^0\.\d+$/)
      assert.ok(['cerebras', 'together'].includes(response.headers.get('x-inference-provider') ?? ''))
    },
  },
  {
    name: 'a stream shows no usage to a caller who did not ask',
    async run(subject) {
      for (const provider of chatProviders) {
        const stream = await client(subject).chat.completions.create({
          model: `${model}:${provider}`,
          messages: question,
          stream: true,
        })
        let text = ''
        for await (const chunk of stream) {
          text += chunk.choices[0]?.delta.content ?? ''
          assert.ok(chunk.usage == null, `${provider} showed usage`)
        }
        assert.match(text, /^Simulated answer:/)
      }
    },
  },
  {
    name: 'a stream ends with usage and its cost for a caller who asked',
    async run(subject) {
      for (const provider of chatProviders) {
        const stream = await client(subject).chat.completions.create({
          model: `${model}:${provider}`,
          messages: question,
          stream: true,
          stream_options: { include_usage: true },
        })
        let usage: (OpenAI.CompletionUsage & { cost?: string }) | undefined
        for await (const chunk of stream) usage = chunk.usage ?? usage
        assert.ok((usage?.completion_tokens ?? 0) > 0, `${provider} told no usage`)
        assert.match(usage?.cost ?? '', /^0\.\d+$/)
      }
    },
  },
  {
    name: 'a tool call makes its round trip, whole and streamed',
    async run(subject) {
      const tools: OpenAI.ChatCompletionTool[] = [
        {
          type: 'function',
          function: {
            name: 'get_weather',
            parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
          },
        },
      ]
      const openai = client(subject)
      const asked = await openai.chat.completions.create({ model, messages: question, tools })
      const call = asked.choices[0]?.message.tool_calls?.[0]
      assert.equal(asked.choices[0]?.finish_reason, 'tool_calls')
      assert.ok(call?.type === 'function')
      assert.equal(typeof JSON.parse(call.function.arguments).city, 'string')
      const answered = await openai.chat.completions.create({
        model,
        tools,
        messages: [
          ...question,
          { role: 'assistant', tool_calls: [call] },
          { role: 'tool', tool_call_id: call.id, content: '12 degrees' },
        ],
      })
      assert.match(answered.choices[0]?.message.content ?? '', /12 degrees/)
      const streamed = await openai.chat.completions
        .stream({ model, messages: question, tools })
        .finalChatCompletion()
      assert.equal(streamed.choices[0]?.message.tool_calls?.[0]?.function.name, 'get_weather')
    },
  },
  {
    name: 'structured output follows the schema on every provider',
    async run(subject) {
      for (const provider of chatProviders) {
        const answer = await client(subject).chat.completions.create({
          model: `${model}:${provider}`,
          messages: question,
          response_format: {
            type: 'json_schema',
            json_schema: {
              name: 'person',
              strict: true,
              schema: {
                type: 'object',
                properties: { name: { type: 'string' }, age: { type: 'integer' } },
                required: ['name', 'age'],
                additionalProperties: false,
              },
            },
          },
        })
        const person = JSON.parse(answer.choices[0]?.message.content ?? '')
        assert.equal(typeof person.name, 'string')
        assert.ok(Number.isInteger(person.age))
      }
    },
  },
  {
    name: 'several choices, log probabilities and unknown members survive',
    async run(subject) {
      const answer = await client(subject).chat.completions.create({
        model: `${model}:cerebras`,
        messages: question,
        n: 2,
        logprobs: true,
        top_logprobs: 2,
        max_tokens: 5,
      })
      assert.equal(answer.choices.length, 2)
      assert.ok((answer.choices[0]?.logprobs?.content?.length ?? 0) > 0)
      // Cerebras adds its timing; nothing the provider says is lost.
      assert.ok('time_info' in answer)
    },
  },
  {
    name: 'a picture may be part of the question',
    async run(subject) {
      const answer = await client(subject).chat.completions.create({
        model,
        max_tokens: 20,
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'What is this?' },
              { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
            ],
          },
        ],
      })
      assert.equal(answer.choices.length, 1)
    },
  },
  {
    name: 'embeddings come as the vectors asked for, in base64 and as floats',
    async run(subject) {
      const openai = client(subject)
      // Without a format the SDK asks for base64 and decodes it.
      const decoded = await openai.embeddings.create({ model: embeddingModel, input: ['one', 'two'] })
      const floats = await openai.embeddings.create({
        model: embeddingModel,
        input: ['one', 'two'],
        encoding_format: 'float',
      })
      assert.equal(decoded.data.length, 2)
      const [first] = decoded.data[0]?.embedding ?? []
      assert.ok(Math.abs((first ?? 0) - (floats.data[0]?.embedding[0] ?? 1)) < 1e-6)
      assert.equal(decoded.data[0]?.embedding.length, floats.data[0]?.embedding.length)
    },
  },
  {
    name: 'an image is made and its address can be read',
    async run(subject) {
      const image = await client(subject).images.generate({
        model: `${imageModel}:replicate`,
        prompt: 'a lighthouse',
      })
      const response = await fetch(image.data?.[0]?.url ?? '')
      assert.equal(response.headers.get('content-type'), 'image/png')
    },
  },
  {
    name: 'models are listed and found by an id with a slash',
    async run(subject) {
      const openai = client(subject)
      const list = await openai.models.list()
      assert.ok(list.data.some((item) => item.id === model))
      const one = await openai.models.retrieve(model)
      assert.equal(one.id, model)
      assert.equal(one.owned_by, 'openai')
    },
  },
  {
    name: 'an unknown model, a wrong key and a bad request raise the classes the package has for them',
    async run(subject) {
      const openai = client(subject)
      await assert.rejects(openai.chat.completions.create({ model: 'no/such-model', messages: question }), {
        constructor: OpenAI.NotFoundError,
        code: 'model_not_found',
        param: 'model',
      })
      await assert.rejects(client({ ...subject, apiKey: 'wrong' }).models.list(), {
        constructor: OpenAI.AuthenticationError,
        code: 'invalid_api_key',
      })
      await assert.rejects(openai.chat.completions.create({ model, messages: [] }), {
        constructor: OpenAI.BadRequestError,
        param: 'messages',
      })
    },
  },
  {
    name: 'the balance falls by exactly the sum of the receipts',
    async run(subject) {
      const openai = client(subject)
      const before = await credits(subject)
      const ids: string[] = []
      for (const suffix of ['', ':cheapest', ':cerebras', ':together']) {
        const whole = await openai.chat.completions
          .create({ model: model + suffix, messages: question, max_tokens: 30 })
          .withResponse()
        ids.push(whole.response.headers.get('x-farebox-receipt') ?? '')
        const streamed = await openai.chat.completions
          .create({ model: model + suffix, messages: question, stream: true })
          .withResponse()
        for await (const _ of streamed.data);
        ids.push(streamed.response.headers.get('x-farebox-receipt') ?? '')
      }
      const receipts = await Promise.all(ids.map((id) => receipt(subject, id)))
      const spent = receipts.reduce((sum, { charged }) => sum + nanoUsd(charged), 0n)
      const after = await credits(subject)
      assert.ok(spent > 0n)
      assert.equal(nanoUsd(before['spendable']) - nanoUsd(after['spendable']), spent)
      for (const { cost, charged, absorbed } of receipts) {
        assert.equal(nanoUsd(cost), nanoUsd(charged) + nanoUsd(absorbed))
      }
    },
  },
]
