import Anthropic from '@anthropic-ai/sdk'
import type { ClientSubject } from './client.ts'

/** A client that does not ask again by itself, so that a case sees every answer. */
export function anthropicClient({ baseUrl, apiKey }: Pick<ClientSubject, 'baseUrl' | 'apiKey'>): Anthropic {
  return new Anthropic({ baseURL: rootOf(baseUrl), apiKey, authToken: null, maxRetries: 0 })
}

/** The package puts `/v1` behind its address itself. */
export function rootOf(baseUrl: string): string {
  return baseUrl.replace(/\/v1$/, '')
}
