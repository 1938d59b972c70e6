import './fixed-chance.ts'
import fc from 'fast-check'
import OpenAI from 'openai'
import { accumulateResponse } from 'openai/lib/responses/ResponseAccumulator'
import { describe, expect, it } from 'vitest'
import {
  type Json,
  type Script,
  scriptedGateway,
  scriptedModel,
  streamOf,
  wholeOf,
} from './scripted-gateway.ts'

const usage = { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 }
const question = { model: scriptedModel, input: 'Hi', max_output_tokens: 50 }
const tools = [
  { type: 'function', name: 'f', parameters: { type: 'object' }, strict: false },
  { type: 'custom', name: 'apply_patch' },
] satisfies OpenAI.Responses.Tool[]

/** The unmodified SDK in front of a gateway whose provider answers as it is told. */
function start(answer: (asked: Json) => Script) {
  const { gateway, asked, fetch } = scriptedGateway(answer)
  const client = new OpenAI({ apiKey: 'k', baseURL: 'http://gateway/v1', maxRetries: 0, fetch })
  return { client, gateway, asked }
}

const chunk = (delta: Json, finishReason: string | null = null): Json => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1_780_000_000,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: finishReason }],
})

function chunksOf(chunks: readonly Json[], pieceBytes?: number): Script {
  return streamOf([...chunks, { ...chunk({}), choices: [], usage }], pieceBytes)
}

function messageOf(message: Json, finishReason: string): Script {
  const choices = [{ index: 0, message, finish_reason: finishReason }]
  return wholeOf({ created: 1_780_000_000, choices, usage })
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
        const whole = await start(() => messageOf(message, finishReason)).client.responses.create(asked)
        const { client } = start(() => chunksOf(chunks, pieceBytes))
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
