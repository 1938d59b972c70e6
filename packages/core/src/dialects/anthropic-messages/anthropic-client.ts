import { type GatewayRequest, header } from '../../http/exchange.ts'

/** Whether Anthropic's API is expected where the path alone does not tell. Its clients say which version they speak. */
export function isAnthropicClient(request: GatewayRequest): boolean {
  return header(request, 'anthropic-version') !== undefined
}
