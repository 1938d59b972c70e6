import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  bearerKey,
  createGateway,
  type Gateway,
  type GatewayEvent,
  type PlanTable,
  type Storage,
} from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { middleware } from '@farebox/express'
import type { Simulator } from '@farebox/testkit/simulator'
import express from 'express'
import { outputOnly } from './gateway-on.ts'

export interface ServedOn {
  /** Where clients find it, up to `/v1`. */
  readonly url: string
  readonly gateway: Gateway
  readonly events: readonly GatewayEvent[]
  /** Ends the server and closes the gateway. */
  close(): Promise<void>
}

/** An Express server with a gateway on this storage that sells one model. Whoever asks names an account as key. */
export async function servedOn(
  storage: Storage,
  simulator: Simulator,
  options: { readonly plans?: PlanTable } = {},
): Promise<ServedOn> {
  const events: GatewayEvent[] = []
  const gateway = createGateway({
    ...options,
    providers: [cerebras({ apiKey: 'k', baseUrl: simulator.baseUrl('cerebras') })],
    storage,
    authenticate: (request) => {
      const accountId = bearerKey(request)
      return accountId === undefined ? undefined : { accountId }
    },
    onEvent: (event) => events.push(event),
    catalog: [outputOnly],
  })
  const server = await new Promise<Server>((resolve) => {
    const listening = express()
      .use('/ai', middleware(gateway))
      .listen(0, '127.0.0.1', () => resolve(listening))
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/ai/v1`,
    gateway,
    events,
    async close() {
      server.closeAllConnections()
      server.close()
      await gateway.close()
    },
  }
}
