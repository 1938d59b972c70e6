import type { ChatContent } from './content.ts'

type Json = Readonly<Record<string, unknown>>

/** A conversation in chat's words, as it is put together item by item. */
export interface Conversation {
  system(text: string): void
  user(content: ChatContent): void
  assistant(text: string): void
  /** A call that the assistant made. */
  call(callId: string, name: string, args: string): void
  /** What a call came to. Chat's tools answer in text: images follow in a message of their own. */
  output(callId: string, text: string, images: readonly Json[]): void
  /** The messages. Nothing is added after that. */
  end(): readonly Json[]
}

interface AssistantMessage {
  readonly role: 'assistant'
  content: string | null
  tool_calls?: Json[]
}

/** What a tool says whose output is nothing but images. */
const imagesFollow = 'See the images in the next message.'

/**
 * Chat has one message for what an assistant says and calls at once, and wants the outputs right behind it; items are apart.
 * Templates of many models know a system message only as the first: what comes before everything else is one message.
 */
export function createConversation(): Conversation {
  const messages: Json[] = []
  let beginning: string | undefined
  let assistant: AssistantMessage | undefined
  let images: Json[] = []

  /** Behind the outputs of all calls, not between them. */
  function showImages(): void {
    if (images.length > 0) messages.push({ role: 'user', content: images })
    images = []
  }

  function add(message: Json): void {
    showImages()
    messages.push(message)
    assistant = undefined
  }

  function speak(content: string | null): AssistantMessage {
    showImages()
    assistant = { role: 'assistant', content }
    messages.push(assistant as unknown as Json)
    return assistant
  }

  return {
    system(text) {
      if (messages.length > 0) add({ role: 'system', content: text })
      else beginning = beginning === undefined ? text : `${beginning}\n\n${text}`
    },
    user: (content) => add({ role: 'user', content }),
    assistant(text) {
      // What is said behind a call belongs to its message: nothing may come between a call and its output.
      if (assistant?.tool_calls === undefined) speak(text)
      else assistant.content = (assistant.content ?? '') + text
    },
    call(id, name, args) {
      const speaker = assistant ?? speak(null)
      speaker.tool_calls ??= []
      speaker.tool_calls.push({ id, type: 'function', function: { name, arguments: args } })
    },
    output(callId, text, shown) {
      messages.push({
        role: 'tool',
        tool_call_id: callId,
        content: text === '' && shown.length > 0 ? imagesFollow : text,
      })
      images.push(...shown)
      assistant = undefined
    },
    end() {
      showImages()
      return beginning === undefined ? messages : [{ role: 'system', content: beginning }, ...messages]
    },
  }
}
