import assert from 'node:assert/strict'
import { type ClientCase, type ClientSubject, chatProviders, chatModel as model } from './client.ts'

type Json = Readonly<Record<string, unknown>>

/** A turn as Codex reads it: the items it keeps as history, and how the stream ended. */
interface Turn {
  readonly items: readonly Json[]
  readonly text: string
  readonly ending: Json
}

const userMessage = {
  type: 'message',
  id: 'msg_01a21773-35c3-7933-a35d-40bd665baba9',
  role: 'user',
  content: [{ type: 'input_text', text: 'Say something, please.' }],
}

/** What Codex 0.171.0 offers, shortened: functions, some in a namespace, a custom tool, and a search that nobody runs here. */
const tools = [
  {
    type: 'function',
    name: 'exec_command',
    description: 'Runs a command in a PTY.',
    strict: false,
    parameters: { type: 'object', properties: { cmd: { type: 'string' } }, required: ['cmd'] },
  },
  {
    type: 'namespace',
    name: 'multi_agent_v1',
    description: 'Tools for spawning and managing sub-agents.',
    tools: [
      {
        type: 'function',
        name: 'close_agent',
        description: 'Close an agent.',
        strict: false,
        parameters: { type: 'object', properties: { target: { type: 'string' } }, required: ['target'] },
      },
    ],
  },
  {
    type: 'custom',
    name: 'apply_patch',
    description: 'Edits files.',
    format: { type: 'grammar', syntax: 'lark', definition: 'start: "*** Begin Patch"' },
  },
  { type: 'web_search', external_web_access: false },
]

/** What Codex sends and how it reads answers, by its own rules (codex-rs/codex-api, requests of 0.171.0, 2026-11-26). */
export const codexCases: readonly ClientCase[] = [
  {
    name: 'Codex keeps whole items, runs what was called, and is answered',
    async run(subject) {
      for (const provider of chatProviders) {
        const first = await turn(subject, provider, [userMessage])
        const [call] = first.items
        assert.equal(call?.['type'], 'function_call')
        assert.equal(call['name'], 'exec_command')
        assert.equal(typeof JSON.parse(String(call['arguments'])).cmd, 'string')
        const output = { type: 'function_call_output', call_id: call['call_id'], output: 'Exit code: 0' }
        const second = await turn(subject, provider, [userMessage, ...first.items, output])
        assert.match(second.text, /the tool said: Exit code: 0/)
      }
    },
  },
  {
    name: 'Codex finds a tool by its namespace, and a custom one by its input',
    async run(subject) {
      const spaced = await turn(subject, 'cerebras', [userMessage], { tools: tools.slice(1) })
      const [agent] = spaced.items
      assert.deepEqual([agent?.['name'], agent?.['namespace']], ['close_agent', 'multi_agent_v1'])
      const custom = await turn(subject, 'cerebras', [userMessage], { tools: tools.slice(2) })
      const [patch] = custom.items
      assert.deepEqual([patch?.['type'], patch?.['name']], ['custom_tool_call', 'apply_patch'])
      assert.equal(typeof patch?.['input'], 'string')
    },
  },
  {
    name: 'Codex is always told how a stream ended, also when its provider breaks off',
    async run(subject) {
      for (const kind of ['truncate', 'end-early', 'error-event'] as const) {
        subject.simulator.script('cerebras', [{ kind, afterChunks: 3 }])
        const { ending } = await turn(subject, 'cerebras', [userMessage], { tools: [] })
        assert.equal(ending['type'], 'response.failed')
        const { error } = ending['response'] as { readonly error: Json }
        assert.equal(error['code'], 'server_error')
      }
    },
  },
]

async function turn(
  { baseUrl, apiKey }: ClientSubject,
  provider: string,
  input: readonly Json[],
  members: Json = {},
): Promise<Turn> {
  const developer = {
    type: 'message',
    role: 'developer',
    content: [{ type: 'input_text', text: 'You are a coding agent running in the Codex CLI.' }],
  }
  const response = await fetch(`${baseUrl}/responses`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      accept: 'text/event-stream',
    },
    body: JSON.stringify({
      model: `${model}:${provider}`,
      input: [developer, ...input],
      tools,
      tool_choice: 'auto',
      parallel_tool_calls: true,
      reasoning: { summary: 'auto' },
      store: false,
      stream: true,
      include: ['reasoning.encrypted_content'],
      prompt_cache_key: '01a21773-3516-7330-92e5-03a4898dcf37',
      client_metadata: { 'x-codex-installation-id': '5e166f98' },
      ...members,
    }),
  })
  const body = await response.text()
  assert.equal(response.status, 200, body)
  return read(body)
}

/** Goes by the `type` of the data alone. A piece belongs to the item that began last; what is kept is `output_item.done`. */
function read(body: string): Turn {
  const items: Json[] = []
  let open: unknown
  let text = ''
  let ending: Json | undefined
  for (const line of body.split('\n')) {
    if (!line.startsWith('data: ')) continue
    const event = JSON.parse(line.slice('data: '.length)) as Json
    assert.equal(ending, undefined, 'something comes after the end')
    const { type, item, delta } = event
    if (type === 'response.output_item.added') open = (item as Json)['id']
    if (type === 'response.output_item.done') items.push(item as Json)
    if (type === 'response.output_text.delta') {
      assert.equal(event['item_id'], open)
      text += String(delta)
    }
    if (/^response\.(completed|incomplete|failed)$/.test(String(type))) ending = event
  }
  assert.ok(ending !== undefined, 'stream closed before response.completed')
  checkEnding(ending['response'] as Json)
  return { items, text, ending }
}

/** What Codex needs of the last event, without which it asks for the whole answer again. */
function checkEnding({ id, usage }: Json): void {
  assert.equal(typeof id, 'string')
  if (usage === null) return
  const { input_tokens: input, output_tokens: output, total_tokens: total, ...details } = usage as Json
  for (const count of [input, output, total]) assert.ok(Number.isInteger(count))
  assert.ok(Number.isInteger((details['input_tokens_details'] as Json)['cached_tokens']))
  assert.ok(Number.isInteger((details['output_tokens_details'] as Json)['reasoning_tokens']))
}
