import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** A server on 127.0.0.1 that ends when it is told to, whoever is still connected. */
export interface LocalServer {
  readonly url: string
  readonly port: number
  openSockets(): number
  /** Destroys all sockets and frees the port. */
  close(): Promise<void>
}

/** Starts a server on this port, or on any free one for 0. Rejects with the error of `listen`. */
export async function startLocalServer(listener: RequestListener, port = 0): Promise<LocalServer> {
  const sockets = new Set<Socket>()
  const server = createServer(listener)
  server.keepAliveTimeout = 60_000
  server.requestTimeout = 0
  server.on('clientError', (_error, socket) => socket.destroy())
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.setNoDelay(true)
    // A socket's end is seen in its close event; its error says nothing more.
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const address = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    openSockets: () => sockets.size,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
