import {
  ByteStream,
  createGateway,
  type Gateway,
  type Price,
  perMillion,
  type Transport,
} from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'
import { onTestFinished } from 'vitest'

export type Json = Readonly<Record<string, unknown>>

/** What a scripted provider answers: bytes, written in these pieces. */
export interface Script {
  readonly contentType: string
  readonly pieces: readonly Buffer[]
}

export interface ScriptedGateway {
  readonly gateway: Gateway
  /** What the provider was asked, in order. */
  readonly asked: readonly Json[]
  /** For the options of an SDK: goes to the gateway without a socket. */
  readonly fetch: typeof fetch
}

/** The one model of a scripted gateway. */
export const scriptedModel = 'acme/m'

/** A gateway whose provider answers as it is told. It ends with the test. */
export function scriptedGateway(
  answer: (asked: Json) => Script,
  price: Price = { input_token: perMillion('1'), output_token: perMillion('2') },
): ScriptedGateway {
  const asked: Json[] = []
  const transport: Transport = {
    async send({ body }) {
      const sent = JSON.parse(String(body)) as Json
      asked.push(sent)
      const { contentType, pieces } = answer(sent)
      const stream = new ByteStream({ onResume: () => undefined, onCancel: () => undefined })
      for (const piece of pieces) stream.write(piece)
      stream.end()
      return { status: 200, headers: { 'content-type': contentType }, body: stream }
    },
    close: async () => undefined,
  }
  const gateway = createGateway({
    providers: [openaiCompatible({ id: 'example', baseUrl: 'http://127.0.0.1:9/v1' })],
    authenticate: () => ({ accountId: 'alice' }),
    // Each of these gateways answers one request, so that two answers can be compared.
    ids: () => 'r-1',
    transport,
    catalog: [
      {
        providerId: 'example',
        providerModel: 'm',
        model: scriptedModel,
        operation: 'chat',
        price,
        source: 'https://example.com/pricing',
        readOn: '2026-11-22',
      },
    ],
  })
  onTestFinished(() => gateway.close())
  return {
    gateway,
    asked,
    fetch: async (input, init) => {
      const response = await gateway.fetch(new Request(input, init))
      return response ?? new Response('Not Found', { status: 404 })
    },
  }
}

/** A stream of these events, in pieces of so many bytes. */
export function streamOf(events: readonly Json[], pieceBytes = 4096): Script {
  const text = `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`
  const bytes = Buffer.from(text)
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, index) =>
    bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes),
  )
  return { contentType: 'text/event-stream', pieces }
}

/** One answer, at once. */
export function wholeOf(answer: Json): Script {
  return { contentType: 'application/json', pieces: [Buffer.from(JSON.stringify(answer))] }
}
