import { isObject, wrongMember } from '../members.ts'
import { readContent, readParts, readText } from './content.ts'
import { type Conversation, createConversation } from './conversation.ts'
import { writeInput } from './custom-tools.ts'
import { chatName } from './tools.ts'

type Json = Readonly<Record<string, unknown>>

/**
 * `instructions` and `input` as chat messages.
 *
 * @throws GatewayError `invalid_request` that names the item at fault.
 */
export function readInput(input: unknown, instructions: string | null | undefined): readonly Json[] {
  const conversation = createConversation()
  if (instructions != null && instructions !== '') conversation.system(instructions)
  if (typeof input === 'string') conversation.user(input)
  else if (!Array.isArray(input)) throw wrongMember('input', '"input" must be a text or a list of items.')
  else for (const [index, item] of input.entries()) readItem(item, `input.${index}`, conversation)
  const messages = conversation.end()
  if (messages.length === 0 || (Array.isArray(input) && input.length === 0))
    throw wrongMember('input', '"input" must have at least one message.')
  return messages
}

function readItem(item: unknown, param: string, conversation: Conversation): void {
  if (!isObject(item)) throw wrongMember(param, `"${param}" must be an object.`)
  const type = item['type'] ?? (item['role'] === undefined ? undefined : 'message')
  const read = typeof type === 'string' ? readers.get(type) : undefined
  if (read === undefined) throw wrongMember(param, unsupported(type))
  read(item, param, conversation)
}

const readers: ReadonlyMap<string, (item: Json, param: string, conversation: Conversation) => void> = new Map(
  [
    ['message', readMessage],
    [
      'function_call',
      (item, param, conversation) =>
        conversation.call(
          textOf(item, 'call_id', param),
          chatName(textOf(item, 'name', param), item['namespace']),
          textOf(item, 'arguments', param),
        ),
    ],
    [
      'custom_tool_call',
      (item, param, conversation) =>
        conversation.call(
          textOf(item, 'call_id', param),
          chatName(textOf(item, 'name', param), item['namespace']),
          writeInput(textOf(item, 'input', param)),
        ),
    ],
    ['function_call_output', readOutput],
    ['custom_tool_call_output', readOutput],
    // Providers do not agree on how a model is told what it thought, and some refuse to hear it. What a search found is in
    // what the assistant said of it.
    ['reasoning', () => undefined],
    ['web_search_call', () => undefined],
  ],
)

function readMessage({ role, content }: Json, param: string, conversation: Conversation): void {
  const place = `${param}.content`
  if (role === 'user') conversation.user(readContent(content, place))
  else if (role === 'assistant') conversation.assistant(readText(content, place, ''))
  // A developer is above the user, which is what every chat template knows as the system.
  else if (role === 'system' || role === 'developer') conversation.system(readText(content, place, '\n\n'))
  else
    throw wrongMember(
      `${param}.role`,
      `"${param}.role" must be "user", "assistant", "system" or "developer".`,
    )
}

function readOutput(item: Json, param: string, conversation: Conversation): void {
  const callId = textOf(item, 'call_id', param)
  const { output } = item
  const parts =
    typeof output === 'string' ? [{ type: 'text', text: output }] : readParts(output, `${param}.output`)
  const texts = parts.flatMap(({ type, text }) => (type === 'text' ? [String(text)] : []))
  const others = parts.filter(({ type }) => type !== 'text')
  conversation.output(callId, texts.join('\n'), others)
}

function textOf(item: Json, name: string, param: string): string {
  const value = item[name]
  if (typeof value === 'string') return value
  throw wrongMember(`${param}.${name}`, `"${param}.${name}" must be a text.`)
}

function unsupported(type: unknown): string {
  if (type === 'item_reference') {
    return 'Nothing is stored here, so there is nothing to refer to. Send the item itself; some clients do with "store": false.'
  }
  return `Items of type ${JSON.stringify(type) ?? 'none'} are not supported.`
}
