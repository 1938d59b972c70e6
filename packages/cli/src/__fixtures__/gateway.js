// A host's module: a gateway on a file, with the address of a provider that may be asked for costs.
import { createGateway } from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { sqlite } from '@farebox/sqlite'
import Database from 'libsql'

const { file, baseUrl, costUrl } = JSON.parse(process.env.FAREBOX_TEST)

export const gateway = createGateway({
  providers: [cerebras({ apiKey: 'k', baseUrl, costUrl })],
  storage: sqlite(new Database(file)),
  authenticate: () => ({ accountId: 'alice' }),
})

// As in a server's module: something that keeps the process alive.
setInterval(() => undefined, 1000)
