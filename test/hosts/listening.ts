import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { MountedHost } from '@farebox/testkit/adapter'

/** A server of Node on a free port of 127.0.0.1. */
export function listening(listener: RequestListener): Promise<MountedHost> {
  const server = createServer(listener)
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () =>
      resolve({
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed())
            server.closeAllConnections()
          }),
      }),
    )
  })
}
