import type { AnswerFacts } from '../dialect.ts'
import type { InferenceCall } from '../inference-call.ts'
import { isObject } from '../members.ts'
import { offeredTools } from './tools.ts'

type Json = Readonly<Record<string, unknown>>

export type ResponseStatus = 'in_progress' | 'completed' | 'incomplete' | 'failed'

/** What of a response changes while it comes about. */
export interface ResponseState {
  readonly status: ResponseStatus
  readonly createdAt: number
  readonly output: readonly Json[]
  readonly incompleteReason?: string | undefined
  readonly error?: Json | undefined
  readonly serviceTier?: string | undefined
  readonly usage?: Json | undefined
}

/**
 * A response with everything that SDKs expect of one (openai-openapi, 2026-08-21): the request's members are in it again. What
 * is not so is not claimed: nothing is stored or truncated, and the tools are those that the model got to see.
 */
export function responseObject(
  call: InferenceCall,
  { requestId }: AnswerFacts,
): (state: ResponseState) => Json {
  const asked = (call.translatedFrom ?? call.body).value
  const { reasoning, text } = asked
  const { format, verbosity } = isObject(text) ? text : {}
  const told = (name: string) => asked[name] ?? null
  const echo = {
    instructions: told('instructions'),
    max_output_tokens: told('max_output_tokens'),
    max_tool_calls: told('max_tool_calls'),
    metadata: told('metadata') ?? {},
    model: call.model,
    parallel_tool_calls: asked['parallel_tool_calls'] ?? true,
    previous_response_id: null,
    prompt_cache_key: told('prompt_cache_key'),
    reasoning: { effort: (isObject(reasoning) ? reasoning['effort'] : undefined) ?? null, summary: null },
    safety_identifier: told('safety_identifier'),
    store: false,
    temperature: told('temperature'),
    text: { format: format ?? { type: 'text' }, ...(verbosity == null ? {} : { verbosity }) },
    tool_choice: asked['tool_choice'] ?? 'auto',
    tools: offeredTools(asked['tools']),
    top_logprobs: asked['top_logprobs'] ?? 0,
    top_p: told('top_p'),
    truncation: 'disabled',
    user: told('user'),
  }
  return ({ status, createdAt, output, incompleteReason, error, serviceTier, usage }) => ({
    id: `resp_${requestId}`,
    object: 'response',
    created_at: createdAt,
    status,
    background: false,
    error: error ?? null,
    incomplete_details: incompleteReason === undefined ? null : { reason: incompleteReason },
    output,
    service_tier: serviceTier ?? asked['service_tier'] ?? null,
    usage: usage ?? null,
    ...echo,
  })
}
