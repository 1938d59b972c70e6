import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Stands in front of a server and counts what clients really send, retries included. */
export interface Front {
  /** The server's address, through the front. */
  readonly baseUrl: string
  /** Requests so far. */
  readonly count: number
  /** Lets the next request through, waits for the whole answer, and cuts the connection in place of giving it. */
  loseNextAnswer(): void
}

/**
 * Runs something through a front, which is closed on every way out. `beforeRequest` is told the number of each request, from 1,
 * before it is passed on.
 */
export async function throughFront(
  { baseUrl }: { readonly baseUrl: string },
  run: (front: Front) => Promise<void>,
  beforeRequest: (number: number) => void = () => undefined,
): Promise<void> {
  const { origin, pathname } = new URL(baseUrl)
  let count = 0
  let isNextLost = false

  const server = createServer((message, reply) => {
    count += 1
    beforeRequest(count)
    const isLost = isNextLost
    isNextLost = false
    pass(origin, message, reply, isLost)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    await run({
      baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
      get count() {
        return count
      },
      loseNextAnswer() {
        isNextLost = true
      },
    })
  } finally {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }
}

function pass(origin: string, message: IncomingMessage, reply: ServerResponse, isLost: boolean): void {
  const { method, url, headers } = message
  const onward = request(new URL(url ?? '/', origin), { method, headers, agent: false })
  onward.on('response', (answer) => {
    if (isLost) {
      answer.resume().once('close', () => reply.destroy())
      return
    }
    reply.writeHead(answer.statusCode ?? 500, answer.headers)
    // What the server has sent is passed on at once, and so is its breaking off.
    reply.flushHeaders()
    answer.once('close', () => answer.complete || reply.destroy())
    answer.pipe(reply)
  })
  onward.once('error', () => reply.destroy())
  reply.once('close', () => onward.destroy())
  message.pipe(onward)
}
