import { z } from 'zod'
import type { JsonBody } from '../../http/request-body.ts'
import { flag, memberReader, positiveCount, wrongMember } from '../members.ts'
import { readInput } from './input-items.ts'
import { chatTools } from './tool-choice.ts'

type Json = Readonly<Record<string, unknown>>

const text = z.string().nullish()

const readMembers = memberReader({
  instructions: text,
  stream: flag,
  stream_options: z.looseObject({}).nullish(),
  max_output_tokens: positiveCount,
  max_tool_calls: positiveCount,
  parallel_tool_calls: flag,
  include: z.array(z.string()).nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  text: z.looseObject({ format: z.looseObject({ type: z.string() }).nullish(), verbosity: text }).nullish(),
  reasoning: z.looseObject({ effort: text }).nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  truncation: z.enum(['auto', 'disabled']).nullish(),
  store: flag,
  background: flag,
})

/** Members that both know under one name, and some of chat's own that models with open weights are tuned by. */
const sameMembers = [
  'model',
  'stream',
  'temperature',
  'top_p',
  'service_tier',
  'user',
  'safety_identifier',
  'prompt_cache_key',
  'prompt_cache_retention',
  'prompt_cache_options',
  'seed',
  'stop',
  'frequency_penalty',
  'presence_penalty',
  'repetition_penalty',
  'logit_bias',
  'top_k',
  'min_p',
] as const

const noMemory = 'Nothing is stored here. Send the whole conversation in "input".'

/** What would be ignored at the caller's cost, and why it can not be done. */
const refusedMembers: Readonly<Record<string, string>> = {
  previous_response_id: noMemory,
  conversation: noMemory,
  prompt: 'Nothing is stored here, also no prompts. Send "instructions" and "input".',
  context_management: 'Nothing is compacted here. Shorten "input" yourself.',
  moderation: 'Nothing is moderated here.',
}

/**
 * A body in chat's words. Members that neither a model nor the answer has a use for are left out.
 *
 * @throws GatewayError `invalid_request` that names the member at fault.
 */
export function chatBody(body: JsonBody): Json {
  const { value } = body
  const members = readMembers(body)
  for (const name in refusedMembers)
    if (value[name] != null) throw wrongMember(name, refusedMembers[name] ?? '')
  if (members.background === true)
    throw wrongMember('background', 'Nothing is stored here, so no answer can be fetched later.')
  const chat: Record<string, unknown> = {}
  for (const name of sameMembers) if (value[name] != null) chat[name] = value[name]
  chat['messages'] = readInput(value['input'], members.instructions)
  Object.assign(chat, chatTools(value))
  const { max_output_tokens: outputTokens, reasoning, top_logprobs: top } = members
  if (outputTokens != null) chat['max_tokens'] = outputTokens
  if (reasoning?.effort != null) chat['reasoning_effort'] = reasoning.effort
  if (members.text?.verbosity != null) chat['verbosity'] = members.text.verbosity
  const format = responseFormat(members.text?.format)
  if (format !== undefined) chat['response_format'] = format
  if (members.include?.includes('message.output_text.logprobs') === true || (top ?? 0) > 0) {
    chat['logprobs'] = true
    if (top != null) chat['top_logprobs'] = top
  }
  return chat
}

/** Chat has the schema one level deeper. */
function responseFormat(format: Json | null | undefined): Json | undefined {
  if (format == null || format['type'] === 'text') return undefined
  const { type, name, description, schema, strict } = format
  if (type === 'json_object') return { type }
  if (type !== 'json_schema')
    throw wrongMember(
      'text.format.type',
      '"text.format.type" must be "text", "json_object" or "json_schema".',
    )
  const named = {
    name: name ?? 'answer',
    ...(description == null ? {} : { description }),
    ...(schema == null ? {} : { schema }),
    ...(strict == null ? {} : { strict }),
  }
  return { type, json_schema: named }
}
