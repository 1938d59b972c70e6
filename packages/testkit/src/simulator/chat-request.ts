import { countPromptTokens, type Question, type Tool } from './answer.ts'
import { asObject } from './exchange.ts'
import type { Fault } from './faults.ts'
import type { ProviderName } from './price-list.ts'

/** The body of a chat request, as far as any provider reads it. */
export interface ChatBody {
  readonly model?: unknown
  readonly messages?: unknown
  readonly max_tokens?: unknown
  readonly max_completion_tokens?: unknown
  readonly n?: unknown
  readonly stream?: unknown
  readonly stream_options?: unknown
  readonly tools?: unknown
  readonly tool_choice?: unknown
  readonly response_format?: unknown
  readonly logprobs?: unknown
  readonly top_logprobs?: unknown
  readonly seed?: unknown
}

interface Message {
  readonly role?: unknown
  readonly content?: unknown
}

interface ToolDefinition {
  readonly function?: { readonly name?: unknown; readonly parameters?: unknown }
}

const choicesMax = 16

/** What is wrong with the parts of a request that every chat provider checks. */
export function chatProblem(body: ChatBody): string | undefined {
  if (typeof body.model !== 'string') return 'model: Field required'
  if (!Array.isArray(body.messages) || body.messages.length === 0) return 'messages: Field required'
  if (body.messages.some((message) => asObject(message) === undefined))
    return 'messages: Input should be objects'
  for (const name of ['max_tokens', 'max_completion_tokens', 'n'] as const) {
    const value = body[name]
    if (value === undefined || value === null) continue
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1)
      return `${name}: Input should be 1 or more`
  }
  if (typeof body.n === 'number' && body.n > choicesMax) return `n: Input should be ${choicesMax} or less`
  return undefined
}

/** What the content of an answer depends on. */
export function keyParts(provider: ProviderName, body: ChatBody): readonly unknown[] {
  return [provider, body.model, body.messages, body.tools, body.tool_choice, body.response_format, body.seed]
}

/** Reads a valid request. */
export function readQuestion(
  body: ChatBody,
  { key, schema, fault }: { key: string; schema: unknown; fault: Fault | undefined },
): Question {
  const messages = body.messages as readonly Message[]
  const last = messages.at(-1)
  const limits = [body.max_tokens, body.max_completion_tokens].filter((limit) => typeof limit === 'number')
  return {
    key,
    lastUserText: texts(messages.findLast(({ role }) => role === 'user')).join('\n'),
    toolReply: last?.role === 'tool' ? texts(last).join('') : undefined,
    tool: last?.role === 'tool' ? undefined : chosenTool(body),
    schema,
    tokensMax: limits.length === 0 ? undefined : Math.min(...limits),
    isNonAscii: fault?.kind === 'split',
  }
}

function chosenTool(body: ChatBody): Tool | undefined {
  if (!Array.isArray(body.tools) || body.tool_choice === 'none') return undefined
  const tools = body.tools.flatMap((definition: ToolDefinition | null) => {
    const { name, parameters } = definition?.function ?? {}
    return typeof name === 'string' ? [{ name, parameters }] : []
  })
  const named = (asObject(body.tool_choice) as ToolDefinition | undefined)?.function?.name
  return tools.find(({ name }) => name === named) ?? tools[0]
}

/** A quarter of the bytes of text and tools, rounded up, and 85 for each image. */
export function promptTokens(body: ChatBody): number {
  const messages = body.messages as readonly Message[]
  const tools = Array.isArray(body.tools) && body.tools.length > 0 ? [JSON.stringify(body.tools)] : []
  const images = messages.flatMap(parts).filter(({ type }) => type === 'image_url').length
  return countPromptTokens([...messages.flatMap(texts), ...tools]) + 85 * images
}

function texts(message: Message | undefined): readonly string[] {
  if (typeof message?.content === 'string') return [message.content]
  return message === undefined
    ? []
    : parts(message).flatMap(({ text }) => (typeof text === 'string' ? [text] : []))
}

function parts(message: Message): readonly { readonly type?: unknown; readonly text?: unknown }[] {
  return Array.isArray(message.content) ? message.content.filter((part) => asObject(part) !== undefined) : []
}
