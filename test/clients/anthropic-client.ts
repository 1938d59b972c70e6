import Anthropic from '@anthropic-ai/sdk'
import { type ClientSubject, chatModel } from './client.ts'

/** The least that a question has to say. */
export const least = {
  model: chatModel,
  max_tokens: 1_000,
  messages: [{ role: 'user' as const, content: 'Say something, please.' }],
}

/** A client that does not ask again by itself, so that a case sees every answer. */
export function anthropicClient({ baseUrl, apiKey }: Pick<ClientSubject, 'baseUrl' | 'apiKey'>): Anthropic {
  return new Anthropic({ baseURL: rootOf(baseUrl), apiKey, authToken: null, maxRetries: 0 })
}

/** The package puts `/v1` behind its address itself. */
export function rootOf(baseUrl: string): string {
  return baseUrl.replace(/\/v1$/, '')
}
