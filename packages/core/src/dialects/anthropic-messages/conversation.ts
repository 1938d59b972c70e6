import { type Part, partsOf, partsOfBlock, plainText } from './parts.ts'
import { objectAt, refusal, textAt } from './refusal.ts'

export type ChatMessage = Readonly<Record<string, unknown>>

/**
 * The system prompt and the messages of a request, as messages of a chat.
 *
 * Results of tools become messages of their own, before what the caller says beside them; pictures among them, which such a
 * message cannot hold, are shown by the caller. What a model thought earlier is left out: other models do not take it back.
 *
 * @throws GatewayError `invalid_request`, naming the member at fault.
 */
export function conversationOf(system: unknown, messages: unknown): readonly ChatMessage[] {
  if (!Array.isArray(messages) || messages.length === 0)
    throw refusal('messages', 'must be a list with at least one message.')
  const chat: ChatMessage[] = []
  if (system !== undefined && system !== null) addSystem(chat, system, 'system')
  messages.forEach((value, index) => {
    const path = `messages.${index}`
    addMessage(chat, objectAt(value, path), path)
  })
  return chat
}

function addMessage(chat: ChatMessage[], { role, content }: ChatMessage, path: string): void {
  if (role === 'user') addUser(chat, content, `${path}.content`)
  else if (role === 'assistant') addAssistant(chat, content, `${path}.content`)
  else if (role === 'system') addSystem(chat, content, `${path}.content`)
  else throw refusal(`${path}.role`, 'must be "user", "assistant" or "system".')
}

function addSystem(chat: ChatMessage[], content: unknown, path: string): void {
  const text = plainText(content, path, '\n\n')
  if (text !== '') chat.push({ role: 'system', content: text })
}

function addUser(chat: ChatMessage[], content: unknown, path: string): void {
  if (!Array.isArray(content)) {
    chat.push({ role: 'user', content: contentOf(partsOf(content, path)) })
    return
  }
  const shown: Part[] = []
  const said: Part[] = []
  content.forEach((value, index) => {
    const place = `${path}.${index}`
    const block = objectAt(value, place)
    if (block['type'] === 'tool_result') addToolResult(chat, shown, block, place)
    else said.push(...partsOfBlock(block, place))
  })
  const parts = shown.length === 0 ? said : [...shown, ...said]
  if (parts.length > 0) chat.push({ role: 'user', content: contentOf(parts) })
}

function addToolResult(
  chat: ChatMessage[],
  shown: Part[],
  block: Readonly<Record<string, unknown>>,
  path: string,
): void {
  const id = textAt(block['tool_use_id'], `${path}.tool_use_id`)
  const { content } = block
  const parts = content === undefined || content === null ? [] : partsOf(content, `${path}.content`)
  const text = parts.flatMap((part) => (part.type === 'text' ? part.text : [])).join('\n')
  const pictures = parts.filter((part) => part.type === 'image_url')
  if (pictures.length > 0) shown.push({ type: 'text', text: `What the tool call ${id} shows:` }, ...pictures)
  chat.push({ role: 'tool', tool_call_id: id, content: block['is_error'] === true ? `Error: ${text}` : text })
}

function addAssistant(chat: ChatMessage[], content: unknown, path: string): void {
  if (typeof content === 'string') {
    chat.push({ role: 'assistant', content })
    return
  }
  if (!Array.isArray(content)) throw refusal(path, 'must be a text or a list of blocks.')
  let text = ''
  const calls: ChatMessage[] = []
  content.forEach((value, index) => {
    const place = `${path}.${index}`
    const block = objectAt(value, place)
    switch (block['type']) {
      case 'text':
        text += textAt(block['text'], `${place}.text`)
        return
      case 'tool_use':
        calls.push(toolCallOf(block, place))
        return
      case 'thinking':
      case 'redacted_thinking':
        return
      default:
        throw refusal(
          `${place}.type`,
          `Blocks of type ${JSON.stringify(block['type'])} are not supported here.`,
        )
    }
  })
  if (calls.length > 0)
    chat.push({ role: 'assistant', content: text === '' ? null : text, tool_calls: calls })
  else if (text !== '') chat.push({ role: 'assistant', content: text })
}

function toolCallOf(block: Readonly<Record<string, unknown>>, path: string): ChatMessage {
  return {
    id: textAt(block['id'], `${path}.id`),
    type: 'function',
    function: {
      name: textAt(block['name'], `${path}.name`),
      arguments: JSON.stringify(block['input'] ?? {}),
    },
  }
}

/** One text is written as text: not every server of open models takes parts. */
function contentOf(parts: readonly Part[]): string | readonly Part[] {
  const [first] = parts
  return parts.length === 1 && first?.type === 'text' ? first.text : parts
}
