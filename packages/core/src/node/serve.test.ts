import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createGateway } from '../gateway.ts'
import { ByteStream } from '../http/byte-stream.ts'
import { cerebras } from '../providers/cerebras.ts'
import { serve } from './serve.ts'

describe('serve', () => {
  it('answers over HTTP/2, whose responses have neither socket nor connection header', async () => {
    const gateway = createGateway({ providers: [cerebras()], authenticate: () => undefined })
    await overHttp2(gateway, async (ask) => {
      expect(await ask('GET', '/v1/models')).toMatchObject({ status: 200 })
      expect(await ask('POST', '/v1/chat/completions', 'x'.repeat(100_000))).toMatchObject({ status: 401 })
    })
  })

  it('streams over HTTP/2', async () => {
    const gateway = createGateway({ providers: [cerebras()], authenticate: () => undefined })
    const streaming = {
      ...gateway,
      handle: async () => {
        const body = new ByteStream({ onResume: () => undefined, onCancel: () => undefined })
        body.write(Buffer.from('data: 1\n\n'))
        setImmediate(() => {
          body.write(Buffer.from('data: [DONE]\n\n'))
          body.end()
        })
        return { status: 200, headers: { 'content-type': 'text/event-stream' }, body }
      },
    }
    await overHttp2(streaming, async (ask) => {
      expect(await ask('POST', '/v1/chat/completions', '{}')).toEqual({
        status: 200,
        text: 'data: 1\n\ndata: [DONE]\n\n',
      })
    })
  })
})

type Ask = (method: string, path: string, body?: string) => Promise<{ status: number; text: string }>

async function overHttp2(
  gateway: Parameters<typeof serve>[0],
  check: (ask: Ask) => Promise<void>,
): Promise<void> {
  const server = createServer((message, reply) => {
    // Frameworks hand these over as if they were HTTP/1.1; the parts used here are the same.
    void serve(gateway, message as unknown as IncomingMessage, reply as unknown as ServerResponse, {
      url: message.url,
    }).catch((error: unknown) => reply.stream.destroy(error as Error))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  try {
    await check(async (method, path, body) => {
      const stream = session.request({ ':method': method, ':path': path })
      stream.end(body)
      const [headers] = (await once(stream, 'response')) as [{ ':status'?: number }]
      let text = ''
      for await (const part of stream) text += String(part)
      return { status: headers[':status'] ?? 0, text }
    })
  } finally {
    session.close()
    server.close()
  }
}
