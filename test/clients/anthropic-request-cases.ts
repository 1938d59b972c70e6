import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import { anthropicClient as client, least } from './anthropic-client.ts'
import { type ClientCase, embeddingModel } from './client.ts'

const png = {
  type: 'image' as const,
  source: { type: 'base64' as const, media_type: 'image/png' as const, data: 'iVBORw0KGgo=' },
}

/** What a request of the package may hold, and what is refused of it. */
export const anthropicRequestCases: readonly ClientCase[] = [
  {
    name: 'system prompts, stop sequences and who asks are taken, and cache marks are no obstacle',
    async run(subject) {
      const mark = { type: 'ephemeral' as const, ttl: '1h' as const }
      const asked = {
        ...least,
        system: [
          { type: 'text' as const, text: 'Be brief.' },
          { type: 'text' as const, text: 'Be kind.', cache_control: mark },
        ],
        messages: [
          { role: 'user' as const, content: [{ type: 'text' as const, text: 'Hi', cache_control: mark }] },
          { role: 'assistant' as const, content: 'Hello!' },
          ...least.messages,
        ],
        stop_sequences: ['END', '###'],
        metadata: { user_id: 'user-1' },
        service_tier: 'auto' as const,
        cache_control: mark,
      }
      assert.equal((await client(subject).messages.create(asked)).stop_reason, 'end_turn')
      const sent = JSON.parse(subject.simulator.requests.at(-1)?.body ?? '{}')
      assert.deepEqual(sent.messages[0], { role: 'system', content: 'Be brief.\n\nBe kind.' })
      assert.deepEqual(sent.stop, ['END', '###'])
      assert.equal(sent.user, 'user-1')
    },
  },
  {
    name: 'pictures may be part of the question, and of what a tool gave',
    async run(subject) {
      const answer = await client(subject).messages.create({
        ...least,
        messages: [
          { role: 'user', content: [png, { type: 'text', text: 'What is this?' }] },
          { role: 'assistant', content: [{ type: 'tool_use', id: 't1', name: 'look', input: {} }] },
          {
            role: 'user',
            content: [{ type: 'tool_result', tool_use_id: 't1', content: [png], is_error: false }],
          },
        ],
      })
      assert.equal(answer.stop_reason, 'end_turn')
    },
  },
  {
    name: 'a bad request is refused with the class the package has for it, naming the member',
    async run(subject) {
      const anthropic = client(subject)
      const bad: readonly (readonly [object, RegExp])[] = [
        [{ max_tokens: undefined }, /^max_tokens: is required/],
        [{ messages: [] }, /^messages: /],
        [{ tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, /^tools\.0\.type: /],
        [
          {
            messages: [
              {
                role: 'user',
                content: [{ type: 'document', source: { type: 'url', url: 'https://example.com/a.pdf' } }],
              },
            ],
          },
          /^messages\.0\.content\.0\.source\.type: .*Nothing in a request bounds/,
        ],
      ]
      for (const [members, message] of bad) {
        await assert.rejects(
          anthropic.messages.create({ ...least, ...members } as typeof least),
          (error: unknown) => {
            assert.ok(error instanceof Anthropic.BadRequestError)
            assert.equal(error.type, 'invalid_request_error')
            assert.match(error.apiMessage ?? '', message)
            return true
          },
        )
      }
      const embedding = anthropic.messages.create({ ...least, model: embeddingModel })
      await assert.rejects(embedding, {
        constructor: Anthropic.BadRequestError,
        errorCode: 'model_not_supported',
      })
    },
  },
  {
    name: 'a request as Claude Code sends it is answered',
    async run({ baseUrl, apiKey }) {
      const mark = { type: 'ephemeral' }
      const response = await fetch(`${baseUrl}/messages?beta=true`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${apiKey}`,
          'content-type': 'application/json',
          'anthropic-version': '2023-06-01',
          'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14',
          'x-app': 'cli',
        },
        body: JSON.stringify({
          ...least,
          max_tokens: 32_000,
          stream: true,
          temperature: 1,
          system: [
            { type: 'text', text: 'x-anthropic-billing-header: cc_version=2;' },
            { type: 'text', text: 'You are a coding agent.', cache_control: mark },
          ],
          thinking: { type: 'adaptive' },
          output_config: { effort: 'medium' },
          context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
          metadata: { user_id: '{"device_id":"d","session_id":"s"}' },
          tool_choice: { type: 'none' },
          tools: [
            {
              name: 'Read',
              description: 'Reads a file.',
              input_schema: { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object' },
              eager_input_streaming: true,
              defer_loading: false,
              cache_control: mark,
            },
          ],
          messages: [
            ...least.messages,
            {
              role: 'assistant',
              content: [
                { type: 'thinking', thinking: 'Let me read.', signature: 'abc' },
                { type: 'tool_use', id: 'toolu_1', name: 'Read', input: { path: 'a.ts' } },
              ],
            },
            {
              role: 'user',
              content: [
                { type: 'tool_result', tool_use_id: 'toolu_1', content: [{ type: 'text', text: 'a' }, png] },
                { type: 'text', text: '<system-reminder>Go on.</system-reminder>', cache_control: mark },
              ],
            },
          ],
        }),
      })
      assert.equal(response.status, 200, await response.clone().text())
      const events = [...(await response.text()).matchAll(/^event: (\w+)$/gm)].map(([, name]) => name)
      assert.equal(events.at(0), 'message_start')
      assert.equal(events.at(-1), 'message_stop')
    },
  },
]
