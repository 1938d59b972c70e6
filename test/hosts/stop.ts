import type { Server } from 'node:http'
import type { Gateway } from '@farebox/core'

/** As docs/hosts/express.md shows it, for every server of Node. */
export async function stop(server: Server, gateway: Gateway): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve)) // no new connections
  server.closeIdleConnections()
  await gateway.close() // no new requests; running ones finish and are settled
  server.closeIdleConnections()
  await closed
}
