import OpenAI from 'openai'
import type { ClientSubject } from './client.ts'

/** A client that does not ask again by itself, so that a case sees every answer. */
export function openaiClient({ baseUrl, apiKey }: Pick<ClientSubject, 'baseUrl' | 'apiKey'>): OpenAI {
  return new OpenAI({ baseURL: baseUrl, apiKey, maxRetries: 0 })
}
