import type { StripeApi } from './api.ts'

/** An HTTP client as Stripe's library takes one, that calls the simulated API without a socket. */
export interface InProcessClient {
  getClientName(): string
  makeRequest(
    host: string,
    port: string | number,
    path: string,
    method: string,
    headers: object,
    requestData: string | null,
    protocol: string,
    timeoutMs: number,
  ): Promise<InProcessResponse>
}

export interface InProcessResponse {
  getStatusCode(): number
  getHeaders(): { [name: string]: string }
  getRawResponse(): unknown
  toStream(onEnd: () => void): unknown
  toJSON(): Promise<unknown>
}

export function createInProcessClient(api: StripeApi, url: string): InProcessClient {
  return {
    getClientName: () => 'in-process',
    async makeRequest(_host, _port, path, method, headers, requestData) {
      const sent = new Map(
        Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
      )
      const made = api.answer({
        method,
        target: new URL(path, url),
        authorization: sent.get('authorization'),
        idempotencyKey: sent.get('idempotency-key'),
        body: requestData ?? '',
      })
      if (made === undefined || made.isLost) throw new Error('The connection was lost.')
      return {
        getStatusCode: () => made.status,
        getHeaders: () => ({ ...made.headers }),
        getRawResponse: () => made,
        toStream: () => {
          throw new Error('Nothing here is streamed.')
        },
        toJSON: async () => JSON.parse(made.text),
      }
    },
  }
}
