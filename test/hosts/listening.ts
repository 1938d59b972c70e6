import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Gateway } from '@farebox/core'
import type { MountedHost } from '@farebox/testkit/adapter'
import { stop } from './stop.ts'

/** A server of Node on a free port of 127.0.0.1. */
export function listening(gateway: Gateway, listener: RequestListener): Promise<MountedHost> {
  const server = createServer(listener)
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () =>
      resolve({
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        stop: () => stop(server, gateway),
        close: () =>
          new Promise((closed) => {
            server.close(() => closed())
            server.closeAllConnections()
          }),
      }),
    )
  })
}
