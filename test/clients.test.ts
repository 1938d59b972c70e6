import { type Simulator, startSimulator } from '@farebox/testkit/simulator'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { ClientSubject } from './clients/client.ts'
import { clients } from './clients/clients.ts'
import { drain } from './clients/drain.ts'
import { chargedExactly } from './clients/money.ts'
import { situationsOf } from './clients/situations.ts'
import { type ServerProcess, startServer } from './servers/child.ts'
import {
  allowedOrigin,
  type ExampleServer,
  exampleServers,
  type Place,
  scriptOf,
} from './servers/example-servers.ts'

/** Keeps its accounts in a SQLite file of its own. */
const quickstart: ExampleServer = {
  name: 'quickstart',
  script: scriptOf('quickstart'),
  isPossible: true,
  open: async () => ({ setting: '', close: () => undefined }),
}

describe.each([quickstart, ...exampleServers].filter(({ isPossible }) => isPossible))(
  'examples/$name',
  ({ script, open }) => {
    let place: Place
    let simulator: Simulator
    let server: ServerProcess
    let subject: ClientSubject

    beforeAll(async () => {
      place = await open()
      simulator = await startSimulator()
      server = await startServer(script, {
        STORAGE: place.setting,
        SIMULATOR_URL: simulator.url,
        ALLOWED_ORIGIN: allowedOrigin,
        LOG_LEVEL: 'silent',
      })
      subject = { baseUrl: server.baseUrl, apiKey: 'hf_demo_pro', emptyKey: 'hf_demo_free', simulator }
      await drain(subject)
    })
    afterAll(async () => {
      await server?.stop('SIGKILL')
      await simulator?.close()
      await place?.close()
    })

    describe.each(clients)('$name', (client) => {
      it.each([...client.cases, ...situationsOf(client)])('$name', async ({ run }) => {
        await chargedExactly(subject, () => run(subject))
      })
    })
  },
)
