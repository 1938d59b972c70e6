import type { ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { startLocalServer } from '../simulator/local-server.ts'

/** What such a provider does, by the word in the request's `user`. It never ends an answer. */
export const endlessKinds = ['silent', 'first', 'flowing', 'unread'] as const

/** A provider whose answers end only when their reader leaves. Of those it remembers nothing. */
export interface EndlessProvider {
  readonly baseUrl: string
  /** How many are being answered, or waited on. */
  readonly active: number
  readonly sockets: number
  close(): Promise<void>
}

/** A few of these come one by one, so that a reader leaves between two. */
const flowingEvents = 32

const event = `data: ${JSON.stringify({
  id: 'endless',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta: { content: 'x'.repeat(1_000) }, finish_reason: null }],
})}\n\n`

/** Starts one on a free port of 127.0.0.1. */
export async function startEndlessProvider(): Promise<EndlessProvider> {
  const active = new Set<ServerResponse>()
  const server = await startLocalServer((message, reply) => {
    active.add(reply)
    reply.once('close', () => active.delete(reply))
    text(message).then(
      (body) => play(reply, body),
      // It left while it was sending, and has been forgotten.
      () => undefined,
    )
  })
  return {
    baseUrl: `${server.url}/v1`,
    get active() {
      return active.size
    },
    get sockets() {
      return server.openSockets()
    },
    close: server.close,
  }
}

function play(reply: ServerResponse, body: string): void {
  const kind = endlessKinds.find((candidate) => body.includes(`"${candidate}"`)) ?? 'first'
  if (kind === 'silent' || reply.destroyed) return
  reply.writeHead(200, { 'content-type': 'text/event-stream' })
  let left = kind === 'flowing' ? flowingEvents : 1
  const flow = () => {
    if (reply.destroyed) return
    reply.write(event)
    left -= 1
    if (left > 0) setImmediate(flow)
  }
  flow()
}
