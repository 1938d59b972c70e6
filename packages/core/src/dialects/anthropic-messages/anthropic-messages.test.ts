import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../errors.ts'
import { readJsonBody } from '../../http/request-body.ts'
import type { InferenceCall } from '../inference-call.ts'
import { anthropicMessages, readMessages } from './anthropic-messages.ts'

const least = {
  model: 'openai/gpt-oss-120b',
  max_tokens: 100,
  messages: [{ role: 'user', content: 'Hi' }],
}

async function parse(members: object = {}): Promise<InferenceCall> {
  const body = { kind: 'parsed', value: { ...least, ...members } } as const
  return anthropicMessages.parse(await readJsonBody(body, 1_000_000))
}

/** The chat that is asked for in the end, from its bytes. */
async function chatOf(members: object = {}): Promise<Record<string, unknown>> {
  const { body } = await parse(members)
  expect(JSON.parse(body.source?.bytes.toString() ?? '')).toEqual(JSON.parse(JSON.stringify(body.value)))
  return JSON.parse(JSON.stringify(body.value))
}

async function messagesOf(messages: readonly object[], members: object = {}): Promise<unknown> {
  return (await chatOf({ messages, ...members }))['messages']
}

async function refusal(members: object): Promise<unknown> {
  try {
    await parse(members)
  } catch (error) {
    if (isGatewayError(error)) return [error.code, error.param, error.message]
    throw error
  }
  return 'accepted'
}

const user = (...content: object[]) => ({ role: 'user', content })
const assistant = (...content: object[]) => ({ role: 'assistant', content })
const text = (said: string) => ({ type: 'text', text: said })
const png = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } }
const tool = { name: 'get_weather', description: 'Weather', input_schema: { type: 'object', properties: {} } }

describe('what a call for a message says', () => {
  it('is read from the least a caller can send', async () => {
    const call = await parse()
    expect(call).toMatchObject({
      operation: 'chat',
      model: 'openai/gpt-oss-120b',
      selector: { kind: 'default' },
      isStreaming: false,
      wantsUsage: true,
      outputTokensMax: 100,
      choices: 1,
      inputImages: 0,
      translatedFrom: { value: least },
    })
    expect(call.body.value).toEqual(least)
  })

  it('is streamed and pinned to a provider like any other', async () => {
    const call = await parse({ model: 'openai/gpt-oss-120b:together', stream: true })
    expect(call).toMatchObject({
      model: 'openai/gpt-oss-120b',
      selector: { kind: 'provider', providerId: 'together' },
      isStreaming: true,
      wantsUsage: true,
    })
  })

  it('keeps the members that a chat has under their names there', async () => {
    const chat = await chatOf({
      temperature: 1,
      top_p: 0.5,
      top_k: 40,
      stop_sequences: ['END', '###'],
      metadata: { user_id: 'user-1' },
    })
    expect(chat).toEqual({
      ...least,
      temperature: 1,
      top_p: 0.5,
      top_k: 40,
      stop: ['END', '###'],
      user: 'user-1',
    })
  })

  it('leaves out what a chat has no word for, without refusing it', async () => {
    const chat = await chatOf({
      cache_control: { type: 'ephemeral' },
      service_tier: 'auto',
      container: null,
      context_management: { edits: [] },
      mcp_servers: [],
      stop_sequences: [],
      metadata: {},
      tools: [],
      tool_choice: { type: 'auto' },
      output_config: {},
      unheard_of: true,
    })
    expect(chat).toEqual(least)
  })

  it('takes null as absent', async () => {
    const nulls = {
      system: null,
      stream: null,
      temperature: null,
      stop_sequences: null,
      metadata: null,
      tools: null,
      tool_choice: null,
      thinking: null,
      output_config: null,
    }
    expect(await chatOf(nulls)).toEqual(least)
  })

  it('needs no bound on the answer where the prompt is only counted', async () => {
    const { max_tokens: _, ...unbounded } = least
    const body = await readJsonBody({ kind: 'parsed', value: unbounded }, 1_000_000)
    expect(readMessages(body).outputTokensMax).toBeUndefined()
  })
})

describe('the conversation', () => {
  it('begins with the system prompt, its blocks apart', async () => {
    expect(await messagesOf(least.messages, { system: 'Be brief.' })).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
    ])
    const system = [{ ...text('Be brief.'), cache_control: { type: 'ephemeral' } }, text('Be kind.')]
    expect(await messagesOf(least.messages, { system })).toEqual([
      { role: 'system', content: 'Be brief.\n\nBe kind.' },
      { role: 'user', content: 'Hi' },
    ])
  })

  it('may have a system message in its midst', async () => {
    const messages = [...least.messages, { role: 'system', content: 'Now in French.' }]
    expect(await messagesOf(messages)).toEqual(messages)
  })

  it('says one text as text, and several as parts', async () => {
    expect(await messagesOf([user(text('one'))])).toEqual([{ role: 'user', content: 'one' }])
    expect(await messagesOf([user(text('one'), text('two'))])).toEqual([user(text('one'), text('two'))])
  })

  it('shows pictures from the body and from elsewhere, and counts them for the money', async () => {
    const picture = { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } }
    const call = await parse({ messages: [user(png, picture, text('What is this?'))] })
    expect(call.inputImages).toBe(2)
    expect(call.body.value['messages']).toEqual([
      user(
        { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
        { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
        text('What is this?'),
      ),
    ])
  })

  it('reads documents and search results that are text', async () => {
    const document = {
      type: 'document',
      title: 'Notes',
      source: { type: 'text', media_type: 'text/plain', data: 'It rains.' },
    }
    const found = {
      type: 'search_result',
      title: 'News',
      source: 'https://a.example',
      content: [text('Sun.')],
    }
    const nested = { type: 'document', source: { type: 'content', content: [text('Snow.')] } }
    expect(await messagesOf([user(document, found, nested)])).toEqual([
      user(
        text('Document\nNotes'),
        text('It rains.'),
        text('Document\nNews\nhttps://a.example'),
        text('Sun.'),
        text('Document'),
        text('Snow.'),
      ),
    ])
  })

  it('has tool calls and their results, which come before what the caller says beside them', async () => {
    const messages = [
      assistant(
        { type: 'thinking', thinking: 'Hm.', signature: 's' },
        { type: 'redacted_thinking', data: 'x' },
        text('Let me see.'),
        { type: 'tool_use', id: 't1', name: 'get_weather', input: { city: 'Bern' } },
        { type: 'tool_use', id: 't2', name: 'now' },
      ),
      user(
        text('Go on.'),
        { type: 'tool_result', tool_use_id: 't1', content: '12 degrees' },
        { type: 'tool_result', tool_use_id: 't2', content: [text('noon'), text('sharp')], is_error: false },
      ),
    ]
    expect(await messagesOf(messages)).toEqual([
      {
        role: 'assistant',
        content: 'Let me see.',
        tool_calls: [
          { id: 't1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Bern"}' } },
          { id: 't2', type: 'function', function: { name: 'now', arguments: '{}' } },
        ],
      },
      { role: 'tool', tool_call_id: 't1', content: '12 degrees' },
      { role: 'tool', tool_call_id: 't2', content: 'noon\nsharp' },
      { role: 'user', content: 'Go on.' },
    ])
  })

  it('marks a result that is an error, and has the caller show the pictures of a tool', async () => {
    const call = await parse({
      messages: [
        user(
          { type: 'tool_result', tool_use_id: 't1', content: 'no such city', is_error: true },
          { type: 'tool_result', tool_use_id: 't2', content: [text('seen'), png] },
          { type: 'tool_result', tool_use_id: 't3' },
        ),
      ],
    })
    expect(call.inputImages).toBe(1)
    expect(call.body.value['messages']).toEqual([
      { role: 'tool', tool_call_id: 't1', content: 'Error: no such city' },
      { role: 'tool', tool_call_id: 't2', content: 'seen' },
      { role: 'tool', tool_call_id: 't3', content: '' },
      user(text('What the tool call t2 shows:'), {
        type: 'image_url',
        image_url: { url: 'data:image/png;base64,AAAA' },
      }),
    ])
  })

  it('has a call without words as one without content, and leaves out a turn that was thought only', async () => {
    const call = { type: 'tool_use', id: 't1', name: 'now', input: {} }
    const thought = { type: 'thinking', thinking: 'Hm.', signature: '' }
    expect(await messagesOf([...least.messages, assistant(thought), assistant(call)])).toEqual([
      ...least.messages,
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 't1', type: 'function', function: { name: 'now', arguments: '{}' } }],
      },
    ])
  })

  it('may end with the beginning of the answer', async () => {
    const messages = [...least.messages, { role: 'assistant', content: 'Well,' }]
    expect(await messagesOf(messages)).toEqual(messages)
    expect(await messagesOf([...least.messages, assistant(text('We'), text('ll,'))])).toEqual(messages)
  })
})

describe('tools, thinking and the form of the answer', () => {
  it('describes tools as functions', async () => {
    const { tools } = await chatOf({
      tools: [
        { ...tool, strict: true, cache_control: { type: 'ephemeral' }, eager_input_streaming: true },
        { type: 'custom', name: 'now', input_schema: { type: 'object' } },
      ],
    })
    expect(tools).toEqual([
      {
        type: 'function',
        function: {
          name: 'get_weather',
          description: 'Weather',
          parameters: tool.input_schema,
          strict: true,
        },
      },
      { type: 'function', function: { name: 'now', parameters: { type: 'object' } } },
    ])
  })

  it.each([
    [{ type: 'auto' }, { tool_choice: 'auto' }],
    [{ type: 'any' }, { tool_choice: 'required' }],
    [{ type: 'none' }, { tool_choice: 'none' }],
    [{ type: 'tool', name: 'f' }, { tool_choice: { type: 'function', function: { name: 'f' } } }],
    [
      { type: 'auto', disable_parallel_tool_use: true },
      { tool_choice: 'auto', parallel_tool_calls: false },
    ],
    [{ type: 'any', disable_parallel_tool_use: false }, { tool_choice: 'required' }],
  ])('chooses tools by %j', async (choice, expected) => {
    const {
      model: _,
      max_tokens: _bound,
      messages: _asked,
      tools: _tools,
      ...rest
    } = await chatOf({
      tools: [tool],
      tool_choice: choice,
    })
    expect(rest).toEqual(expected)
  })

  it.each([
    [{ thinking: { type: 'disabled' } }, 'none'],
    [{ thinking: { type: 'adaptive' } }, undefined],
    [{ thinking: { type: 'between_tools' } }, undefined],
    [{ thinking: { type: 'enabled', budget_tokens: 1_024 } }, 'low'],
    [{ thinking: { type: 'enabled', budget_tokens: 4_095 } }, 'low'],
    [{ thinking: { type: 'enabled', budget_tokens: 4_096 } }, 'medium'],
    [{ thinking: { type: 'enabled', budget_tokens: 16_383 } }, 'medium'],
    [{ thinking: { type: 'enabled', budget_tokens: 16_384 } }, 'high'],
    [{ output_config: { effort: 'medium' } }, 'medium'],
    [{ output_config: { effort: 'xhigh' } }, 'high'],
    [{ output_config: { effort: 'max' } }, 'high'],
    [{ thinking: { type: 'adaptive' }, output_config: { effort: 'low' } }, 'low'],
    [{ thinking: { type: 'enabled', budget_tokens: 32_000 }, output_config: { effort: 'low' } }, 'low'],
    [{ thinking: { type: 'disabled' }, output_config: { effort: 'low' } }, 'none'],
  ])('thinks as hard as %j says: %s', async (members, effort) => {
    expect((await chatOf(members))['reasoning_effort']).toBe(effort)
  })

  it.each(['output_config', 'output_format'])('has its answer follow a schema, by %s', async (member) => {
    const format = { type: 'json_schema', schema: { type: 'object' } }
    const { response_format } = await chatOf({
      [member]: member === 'output_config' ? { format } : format,
    })
    expect(response_format).toEqual({
      type: 'json_schema',
      json_schema: { name: 'answer', strict: true, schema: { type: 'object' } },
    })
  })
})

describe('the bounds on cost', () => {
  it('are those of the chat that a provider is sent, every byte of it', async () => {
    const call = await parse({ system: 'é'.repeat(500), tools: [tool] })
    expect(call.body.byteLength).toBe(Buffer.byteLength(JSON.stringify(call.body.value)))
    expect(call.inputTokensMax).toBeGreaterThanOrEqual(call.body.byteLength)
  })

  it('take a picture for a picture, not for the text it is written in', async () => {
    const large = { ...png, source: { ...png.source, data: 'A'.repeat(100_000) } }
    const call = await parse({ messages: [user(large)] })
    expect(call.inputTokensMax).toBeLessThan(2_000)
  })

  it('bound the answer by max_tokens, thinking included', async () => {
    const call = await parse({ max_tokens: 7, thinking: { type: 'enabled', budget_tokens: 1_024 } })
    expect(call.outputTokensMax).toBe(7)
    expect(call.body.value['max_tokens']).toBe(7)
  })
})

describe('a bad request', () => {
  it.each([
    [{ max_tokens: undefined }, 'max_tokens'],
    [{ max_tokens: null }, 'max_tokens'],
    [{ max_tokens: 0 }, 'max_tokens'],
    [{ max_tokens: 1.5 }, 'max_tokens'],
    [{ max_tokens: '100' }, 'max_tokens'],
    [{ model: undefined }, 'model'],
    [{ model: 'https://api.example.com' }, 'model'],
    [{ stream: 'yes' }, 'stream'],
    [{ stop_sequences: 'END' }, 'stop_sequences'],
    [{ stop_sequences: [1] }, 'stop_sequences.0'],
    [{ metadata: { user_id: 1 } }, 'metadata.user_id'],
    [{ messages: undefined }, 'messages'],
    [{ messages: [] }, 'messages'],
    [{ messages: 'Hi' }, 'messages'],
    [{ messages: [null] }, 'messages.0'],
    [{ messages: [{ role: 'tool', content: 'x' }] }, 'messages.0.role'],
    [{ messages: [{ role: 'user' }] }, 'messages.0.content'],
    [{ messages: [{ role: 'user', content: 5 }] }, 'messages.0.content'],
    [{ messages: [user({ type: 'text' })] }, 'messages.0.content.0.text'],
    [{ messages: [{ role: 'user', content: ['Hi'] }] }, 'messages.0.content.0'],
    [{ messages: [assistant({ type: 'tool_use', name: 'f' })] }, 'messages.0.content.0.id'],
    [{ messages: [assistant({ type: 'server_tool_use', id: 's' })] }, 'messages.0.content.0.type'],
    [{ messages: [assistant(png)] }, 'messages.0.content.0.type'],
    [{ messages: [user({ type: 'tool_result' })] }, 'messages.0.content.0.tool_use_id'],
    [{ messages: [user({ type: 'container_upload', file_id: 'f' })] }, 'messages.0.content.0.type'],
    [{ messages: [user({ type: 'image' })] }, 'messages.0.content.0.source'],
    [
      { messages: [user({ type: 'image', source: { type: 'file', file_id: 'f' } })] },
      'messages.0.content.0.source.type',
    ],
    [
      {
        messages: [
          user({ type: 'image', source: { type: 'base64', media_type: 'application/pdf', data: 'A' } }),
        ],
      },
      'messages.0.content.0.source.media_type',
    ],
    [
      { messages: [user({ type: 'image', source: { type: 'base64', media_type: 'image/png' } })] },
      'messages.0.content.0.source.data',
    ],
    [{ system: 5 }, 'system'],
    [{ system: [png] }, 'system.0'],
    [{ tools: {} }, 'tools'],
    [{ tools: [null] }, 'tools.0'],
    [{ tools: [{ input_schema: {} }] }, 'tools.0.name'],
    [{ tools: [{ name: 'f' }] }, 'tools.0.input_schema'],
    [{ tools: [tool, { type: 'web_search_20250305', name: 'web_search' }] }, 'tools.1.type'],
    [{ tools: [{ type: 'bash_20250124', name: 'bash' }] }, 'tools.0.type'],
    [{ tools: [tool], tool_choice: 'auto' }, 'tool_choice'],
    [{ tools: [tool], tool_choice: { type: 'some' } }, 'tool_choice.type'],
    [{ tools: [tool], tool_choice: { type: 'tool' } }, 'tool_choice.name'],
    [{ thinking: 'yes' }, 'thinking'],
    [{ thinking: { type: 'enabled' } }, 'thinking.budget_tokens'],
    [{ output_config: 'low' }, 'output_config'],
    [{ output_config: { effort: 'enormous' } }, 'output_config.effort'],
    [{ output_config: { effort: 'constructor' } }, 'output_config.effort'],
    [{ output_config: { format: { type: 'text' } } }, 'output_config.format.type'],
    [{ output_config: { format: { type: 'json_schema' } } }, 'output_config.format.schema'],
  ])('%j is refused at its member %s', async (members, param) => {
    expect(await refusal(members)).toEqual([
      'invalid_request',
      param,
      expect.stringMatching(new RegExp(`${param}|You must name a model`)),
    ])
  })

  it.each(['base64', 'url', 'file'])(
    'a document that is a file (%s) is refused, because nothing bounds its cost',
    async (type) => {
      const document = { type: 'document', source: { type, media_type: 'application/pdf', data: 'A' } }
      const expected = [
        'invalid_request',
        'messages.0.content.0.source.type',
        expect.stringContaining('Nothing in a request bounds what a file costs.'),
      ]
      expect(await refusal({ messages: [user(document)] })).toEqual(expected)
      const result = { type: 'tool_result', tool_use_id: 't', content: [document] }
      expect(await refusal({ messages: [user(result)] })).toEqual([
        expected[0],
        'messages.0.content.0.content.0.source.type',
        expected[2],
      ])
    },
  )

  it('with a suffix that cannot be meant is refused like everywhere', async () => {
    expect(await refusal({ model: 'openai/gpt-oss-120b:' })).toEqual([
      'invalid_model_suffix',
      'model',
      expect.stringContaining('suffix'),
    ])
  })

  it('of thoughts alone asks nothing', async () => {
    const messages = [assistant({ type: 'thinking', thinking: 'Hm.', signature: '' })]
    expect(await refusal({ messages })).toEqual(['invalid_request', 'messages', expect.any(String)])
  })
})
