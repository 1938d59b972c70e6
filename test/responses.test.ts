import { ByteStream, createGateway, perMillion, type Transport } from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'
import fc from 'fast-check'
import OpenAI from 'openai'
import { accumulateResponse } from 'openai/lib/responses/ResponseAccumulator'
import { afterEach, describe, expect, it } from 'vitest'

type Json = Readonly<Record<string, unknown>>

const usage = { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 }
const model = 'acme/m'
const question = { model, input: 'Hi', max_output_tokens: 50 }
const tools = [
  { type: 'function', name: 'f', parameters: { type: 'object' }, strict: false },
  { type: 'custom', name: 'apply_patch' },
] satisfies OpenAI.Responses.Tool[]

/** The unmodified SDK in front of a gateway whose provider answers with these bytes, written in these pieces. */
function start(
  answer: (asked: Json) => { readonly contentType: string; readonly pieces: readonly Buffer[] },
) {
  const asked: Json[] = []
  const transport: Transport = {
    async send({ body }) {
      const sent = JSON.parse(String(body)) as Json
      asked.push(sent)
      const { contentType, pieces } = answer(sent)
      const stream = new ByteStream({ onResume: () => undefined, onCancel: () => undefined })
      for (const piece of pieces) stream.write(piece)
      stream.end()
      return { status: 200, headers: { 'content-type': contentType }, body: stream }
    },
    close: async () => undefined,
  }
  const gateway = createGateway({
    providers: [openaiCompatible({ id: 'example', baseUrl: 'http://127.0.0.1:9/v1' })],
    authenticate: () => ({ accountId: 'alice' }),
    // Each gateway of this test answers one request, so that two answers can be compared.
    ids: () => 'r-1',
    transport,
    catalog: [
      {
        providerId: 'example',
        providerModel: 'm',
        model,
        operation: 'chat',
        price: { input_token: perMillion('1'), output_token: perMillion('2') },
        source: 'https://example.com/pricing',
        readOn: '2026-11-22',
      },
    ],
  })
  closing.push(() => gateway.close())
  const client = new OpenAI({
    apiKey: 'k',
    baseURL: 'http://gateway/v1',
    maxRetries: 0,
    fetch: async (input, init) => {
      const response = await gateway.fetch(new Request(input, init))
      return response ?? new Response('Not Found', { status: 404 })
    },
  })
  return { client, gateway, asked }
}

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const chunk = (delta: Json, finishReason: string | null = null): Json => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1_780_000_000,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: finishReason }],
})

function streamOf(chunks: readonly Json[], pieceBytes = 4096) {
  const events = [...chunks, { ...chunk({}), choices: [], usage }]
  const text = `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`
  const bytes = Buffer.from(text)
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, index) =>
    bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes),
  )
  return { contentType: 'text/event-stream', pieces }
}

function wholeOf(message: Json, finishReason: string) {
  const chat = {
    created: 1_780_000_000,
    choices: [{ index: 0, message, finish_reason: finishReason }],
    usage,
  }
  return { contentType: 'application/json', pieces: [Buffer.from(JSON.stringify(chat))] }
}

const text = fc.string({ unit: 'grapheme', maxLength: 30 })
const answers = fc.record({
  reasoning: text,
  content: text,
  calls: fc.array(
    fc.record({ name: fc.constantFrom('f', 'apply_patch'), arguments: fc.json({ maxDepth: 1 }) }),
    { maxLength: 3 },
  ),
  finishReason: fc.constantFrom('stop', 'length', 'tool_calls'),
  pieceBytes: fc.integer({ min: 1, max: 700 }),
  letters: fc.integer({ min: 1, max: 9 }),
})

describe('responses, as the openai package sees them', () => {
  it('are the same put together from a stream, taken from its end, and asked for whole', async () => {
    await fc.assert(
      fc.asyncProperty(answers, async ({ reasoning, content, calls, finishReason, pieceBytes, letters }) => {
        const toolCalls = calls.map((asked, index) => ({
          id: `call_${index}`,
          type: 'function',
          function: asked,
        }))
        const message = { role: 'assistant', reasoning, content, tool_calls: toolCalls }
        const chunks = [
          chunk({ role: 'assistant', content: '' }),
          ...cut(reasoning, letters).map((piece) => chunk({ reasoning: piece })),
          ...cut(content, letters).map((piece) => chunk({ content: piece })),
          ...toolCalls.flatMap((call, index) => [
            chunk({
              tool_calls: [{ ...call, index, function: { name: call.function.name, arguments: '' } }],
            }),
            ...cut(call.function.arguments, letters).map((piece) =>
              chunk({ tool_calls: [{ index, function: { arguments: piece } }] }),
            ),
          ]),
          chunk({}, finishReason),
        ]
        const asked = { ...question, tools }
        const whole = await start(() => wholeOf(message, finishReason)).client.responses.create(asked)
        const { client } = start(() => streamOf(chunks, pieceBytes))
        let gathered: OpenAI.Responses.Response | undefined
        let last: OpenAI.Responses.ResponseStreamEvent | undefined
        for await (const event of await client.responses.create({ ...asked, stream: true })) {
          last = event
          if (!isEnd(event)) gathered = accumulateResponse(event, gathered)
        }
        expect(gathered?.output).toEqual(whole.output)
        expect(gathered?.output_text).toBe(whole.output_text)
        const { output_text: _gathered, ...wire } = whole
        expect(last && 'response' in last && last.response).toEqual(wire)
      }),
      { numRuns: 40 },
    )
  })
})

function isEnd({ type }: OpenAI.Responses.ResponseStreamEvent): boolean {
  return type === 'response.completed' || type === 'response.incomplete'
}

function cut(whole: string, letters: number): readonly string[] {
  const characters = Array.from(whole)
  return Array.from({ length: Math.ceil(characters.length / letters) }, (_, index) =>
    characters.slice(index * letters, (index + 1) * letters).join(''),
  )
}
