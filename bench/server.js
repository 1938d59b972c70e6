import { parseArgs } from 'node:util'
import { createGateway } from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'
import { middleware } from '@farebox/express'
import express from 'express'
import { bareProxy } from './bare-proxy.js'
import { answerParent } from './children.js'
import { catalogRow, openStorage, plans, spendingLimit } from './money.js'
import { processUsage } from './process-usage.js'

/** The server under measurement: the same Express with either nothing or Farebox in it. */

const { values } = parseArgs({
  options: { mode: { type: 'string' }, upstream: { type: 'string' }, database: { type: 'string' } },
})

async function handler({ mode, upstream, database }) {
  if (mode === 'bare') return bareProxy(upstream)
  const gateway = createGateway({
    providers: [openaiCompatible({ id: 'bench', baseUrl: `${upstream}/v1` })],
    authenticate: () => ({ accountId: 'bench' }),
    catalog: [catalogRow],
    plans,
    storage: openStorage(mode, database),
  })
  await gateway.accounts.configure({ accountId: 'bench', planId: 'pro', spendingLimit })
  return middleware(gateway)
}

answerParent({
  async start() {
    const app = express()
    app.use('/ai', await handler(values))
    return new Promise((resolve, reject) => {
      const server = app.listen(0, '127.0.0.1', (error) => {
        if (error === undefined) resolve({ port: server.address().port })
        else reject(error)
      })
    })
  },
  usage: processUsage,
})
