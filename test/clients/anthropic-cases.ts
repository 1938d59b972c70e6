import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import AnthropicBefore1 from 'anthropic0'
import { anthropicClient as client, least, rootOf } from './anthropic-client.ts'
import { type ClientCase, chatProviders, embeddingModel, chatModel as model } from './client.ts'
import { credits, nanoUsd, receipt } from './money.ts'

/** What the unmodified `@anthropic-ai/sdk` package must be able to do with any server that mounts the gateway. */
export const anthropicCases: readonly ClientCase[] = [
  {
    name: 'a message answers with content, usage and a request id',
    async run(subject) {
      for (const provider of chatProviders) {
        const { data, response, request_id } = await client(subject)
          .messages.create({ ...least, model: `${model}:${provider}` })
          .withResponse()
        assert.match(textOf(data), /^Simulated answer:/)
        assert.equal(data.type, 'message')
        assert.equal(data.model, model)
        assert.equal(data.stop_reason, 'end_turn')
        assert.ok(data.usage.input_tokens > 0 && data.usage.output_tokens > 0)
        assert.equal(costOf(data.usage), response.headers.get('x-farebox-cost'))
        assert.equal(request_id, response.headers.get('x-farebox-receipt'))
        assert.equal(response.headers.get('x-inference-provider'), provider)
      }
    },
  },
  {
    name: 'the beta namespace asks the same, whatever is in beta',
    async run(subject) {
      const asked = { ...least, betas: ['interleaved-thinking-2025-05-14', 'unheard-of-2026-11-26'] }
      const { content } = await client(subject).beta.messages.create(asked)
      assert.equal(content[0]?.type, 'text')
    },
  },
  {
    // It speaks API version 2023-06-01, has samplers, and sends its key as `x-api-key`.
    name: 'the last version of the package before 1.0 asks in its own way and is answered',
    async run({ baseUrl, apiKey }) {
      const before = new AnthropicBefore1({
        baseURL: rootOf(baseUrl),
        apiKey,
        authToken: null,
        maxRetries: 0,
      })
      const asked = { ...least, temperature: 0.5, top_p: 0.9 }
      const whole = await before.messages.create(asked)
      const stream = before.messages.stream(asked)
      for (const { content, usage } of [whole, await stream.finalMessage()]) {
        assert.match(content[0]?.type === 'text' ? content[0].text : '', /^Simulated answer:/)
        assert.ok(usage.input_tokens > 0)
      }
      const wrong = new AnthropicBefore1({ baseURL: rootOf(baseUrl), apiKey: 'wrong', maxRetries: 0 })
      await assert.rejects(wrong.messages.create(least), (error: unknown) => {
        assert.ok(error instanceof AnthropicBefore1.AuthenticationError)
        assert.equal(error.type, 'authentication_error')
        assert.match(error.message, /Invalid credentials in x-api-key header\./)
        return true
      })
    },
  },
  {
    name: 'a stream comes in the events that a message is put together from, with usage and its cost at the end',
    async run(subject) {
      for (const provider of chatProviders) {
        const stream = await client(subject).messages.create({
          ...least,
          model: `${model}:${provider}`,
          stream: true,
        })
        const types: string[] = []
        let text = ''
        for await (const event of stream) {
          if (types.at(-1) !== event.type) types.push(event.type)
          if (event.type === 'content_block_delta' && event.delta.type === 'text_delta')
            text += event.delta.text
          if (event.type !== 'message_delta') continue
          assert.equal(event.delta.stop_reason, 'end_turn')
          assert.ok(event.usage.output_tokens > 0 && (event.usage.input_tokens ?? 0) > 0)
          assert.match(costOf(event.usage) ?? '', /^0\.\d+$/)
        }
        assert.match(text, /^Simulated answer:/)
        assert.deepEqual(types, [
          'message_start',
          'content_block_start',
          'content_block_delta',
          'content_block_stop',
          'message_delta',
          'message_stop',
        ])
      }
    },
  },
  {
    name: 'an answer is cut at max_tokens, whole and streamed, and what is held covers it',
    async run(subject) {
      const asked = { ...least, max_tokens: 3 }
      const whole = await client(subject).messages.create(asked)
      const streamed = await client(subject).messages.stream(asked).finalMessage()
      for (const { stop_reason, usage } of [whole, streamed]) {
        assert.equal(stop_reason, 'max_tokens')
        assert.equal(usage.output_tokens, 3)
      }
    },
  },
  {
    name: 'thoughts are shown to a caller who asks for them, whole and streamed, and to nobody else',
    async run(subject) {
      for (const provider of chatProviders) {
        const asked = {
          ...least,
          model: `${model}:${provider}`,
          messages: [{ role: 'user' as const, content: 'Please think 5 tokens.' }],
        }
        const thinking = { type: 'enabled' as const, budget_tokens: 1_024 }
        const whole = await client(subject).messages.create({ ...asked, max_tokens: 2_000, thinking })
        const stream = client(subject).messages.stream({ ...asked, max_tokens: 2_000, thinking })
        let thought = ''
        stream.on('thinking', (delta) => {
          thought += delta
        })
        const streamed = await stream.finalMessage()
        for (const { content } of [whole, streamed]) {
          assert.deepEqual(
            content.map(({ type }) => type),
            ['thinking', 'text'],
          )
          assert.match(content[0]?.type === 'thinking' ? content[0].thinking : '', /^Simulated thought:/)
        }
        assert.match(thought, /^Simulated thought:/)
        const again = { ...asked, messages: [...asked.messages, reply(whole), ...least.messages] }
        for (const { content } of [
          await client(subject).messages.create(again),
          await client(subject).messages.stream(asked).finalMessage(),
        ]) {
          assert.deepEqual(
            content.map(({ type }) => type),
            ['text'],
          )
        }
      }
    },
  },
  {
    name: 'tokens are counted without being asked of anybody, or paid for',
    async run(subject) {
      const asked = subject.simulator.requests.length
      const count = async (content: string) => {
        const counted = { model, messages: [{ role: 'user' as const, content }] }
        return (await client(subject).messages.countTokens(counted)).input_tokens
      }
      const small = await count('Hi')
      const large = await count('word '.repeat(4_000))
      assert.ok(small > 0 && small < 200, `${small} tokens`)
      assert.ok(large > 4_000 && large < 8_000, `${large} tokens`)
      await assert.rejects(client({ ...subject, apiKey: 'wrong' }).messages.countTokens(least), {
        constructor: Anthropic.AuthenticationError,
      })
      await assert.rejects(client(subject).messages.countTokens({ ...least, model: 'no/such-model' }), {
        constructor: Anthropic.NotFoundError,
        errorCode: 'model_not_found',
      })
      assert.equal(subject.simulator.requests.length, asked)
    },
  },
  {
    name: 'models that can be asked are listed, and found by an id with a slash',
    async run(subject) {
      const anthropic = client(subject)
      const ids: string[] = []
      for await (const { id, type } of anthropic.models.list()) {
        assert.equal(type, 'model')
        ids.push(id)
      }
      assert.ok(ids.includes(model))
      assert.ok(!ids.includes(embeddingModel))
      const one = await anthropic.models.retrieve(model)
      assert.equal(one.display_name, 'gpt-oss-120b')
      assert.ok((one.max_input_tokens ?? 0) > 0)
      assert.ok(!Number.isNaN(Date.parse(one.created_at)))
      await assert.rejects(anthropic.models.retrieve(embeddingModel), {
        constructor: Anthropic.NotFoundError,
        type: 'not_found_error',
      })
      await assert.rejects(client({ ...subject, apiKey: 'wrong' }).models.list(), {
        constructor: Anthropic.AuthenticationError,
        errorCode: 'invalid_api_key',
      })
    },
  },
  {
    name: 'the balance falls by exactly the sum of the receipts, and by what the answers said',
    async run(subject) {
      const before = await credits(subject)
      let told = 0n
      let spent = 0n
      for (const suffix of ['', ':cheapest', ':cerebras', ':together']) {
        const asked = { ...least, model: model + suffix }
        const whole = await client(subject).messages.create(asked).withResponse()
        const stream = client(subject).messages.stream(asked)
        let cost: string | undefined
        stream.on('streamEvent', (event) => {
          if (event.type === 'message_delta') cost = costOf(event.usage)
        })
        await stream.done()
        told += nanoUsd(costOf(whole.data.usage)) + nanoUsd(cost)
        for (const id of [whole.request_id, stream.request_id]) {
          spent += nanoUsd((await receipt(subject, id ?? ''))['charged'])
        }
      }
      const after = await credits(subject)
      assert.ok(spent > 0n)
      assert.equal(nanoUsd(before['spendable']) - nanoUsd(after['spendable']), spent)
      assert.equal(told, spent)
    },
  },
]

function textOf({ content }: Anthropic.Message): string {
  return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
}

function reply({ content }: Anthropic.Message): Anthropic.MessageParam {
  return { role: 'assistant', content: content as Anthropic.ContentBlockParam[] }
}

/** A member of usage that the package does not know, and keeps. */
function costOf(usage: object): string | undefined {
  return (usage as { readonly cost?: string }).cost
}
