import { z } from 'zod'
import type { JsonBody } from '../../http/request-body.ts'
import { memberReader } from '../members.ts'
import { conversationOf } from './conversation.ts'
import { objectAt, refusal } from './refusal.ts'
import { reasoningEffort } from './thinking.ts'
import { toolMembers } from './tools.ts'

const readMembers = memberReader({
  stop_sequences: z.array(z.string()).nullish(),
  metadata: z.looseObject({ user_id: z.string().nullish() }).nullish(),
})

/** Members that chat calls the same: their values are for OpenAI's dialect and the provider to judge. */
const sameMembers = ['model', 'max_tokens', 'stream', 'temperature', 'top_p', 'top_k'] as const

/**
 * A request for a message as a request for a chat (anthropic-sdk-typescript 1.14.0, 2026-11-24).
 *
 * Members without a counterpart, such as `cache_control`, are left out. What would be lost that the answer depends on is refused.
 *
 * @throws GatewayError `invalid_request`, naming the member at fault.
 */
export function chatOf(body: JsonBody): Readonly<Record<string, unknown>> {
  const { value } = body
  const { stop_sequences: stop, metadata } = readMembers(body)
  const chat: Record<string, unknown> = {}
  for (const name of sameMembers)
    if (value[name] !== undefined && value[name] !== null) chat[name] = value[name]
  chat['messages'] = conversationOf(value['system'], value['messages'])
  Object.assign(chat, toolMembers(value['tools'], value['tool_choice']))
  if (stop != null && stop.length > 0) chat['stop'] = stop
  if (metadata?.user_id != null) chat['user'] = metadata.user_id
  const { effort, format } = outputConfig(value)
  const reasoning = reasoningEffort(value['thinking'], effort)
  if (reasoning !== undefined) chat['reasoning_effort'] = reasoning
  if (format !== undefined) chat['response_format'] = format
  return chat
}

function outputConfig(value: Readonly<Record<string, unknown>>): {
  readonly effort: unknown
  readonly format: object | undefined
} {
  const config = value['output_config']
  const { effort, format = value['output_format'] } =
    config === undefined || config === null ? {} : objectAt(config, 'output_config')
  return { effort, format: format === undefined || format === null ? undefined : responseFormat(format) }
}

function responseFormat(value: unknown): object {
  const { type, schema } = objectAt(value, 'output_config.format')
  if (type !== 'json_schema') throw refusal('output_config.format.type', 'must be "json_schema".')
  return {
    type: 'json_schema',
    json_schema: {
      name: 'answer',
      strict: true,
      schema: objectAt(schema, 'output_config.format.schema'),
    },
  }
}
