import type { Question } from './http-client.ts'
import { authorization } from './rig.ts'

export const chatModel = 'openai/gpt-oss-120b'

/** A chat body: `say` is how many tokens the answer has. */
export function chatBody(members: { readonly say?: number; readonly [name: string]: unknown } = {}): object {
  const { say = 5, ...others } = members
  return { model: chatModel, messages: [{ role: 'user', content: `say ${say} tokens` }], ...others }
}

/** A chat question of the account that has credit. */
export function chat(members?: Parameters<typeof chatBody>[0], headers: Question['headers'] = {}): Question {
  return {
    path: '/v1/chat/completions',
    headers: { ...authorization, 'content-type': 'application/json', ...headers },
    body: chatBody(members),
  }
}

/** A streamed chat question. */
export function streamedChat(members: Parameters<typeof chatBody>[0] = {}): Question {
  return chat({ ...members, stream: true })
}
