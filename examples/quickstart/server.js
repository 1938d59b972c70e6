// The whole product in one file: an Express app with the gateway mounted at /ai, plans, credit on SQLite, and three
// providers. Without provider keys it simulates them on loopback, so that it runs anywhere and costs nothing.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bearerKey, createGateway } from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { replicate } from '@farebox/core/providers/replicate'
import { together } from '@farebox/core/providers/together'
import { middleware } from '@farebox/express'
import { sqlite } from '@farebox/sqlite'
import express from 'express'
import Database from 'libsql'
import { bringOwnKeys, demoAccounts, demoKeys, ownKeyAccountId } from './demo.js'
import { simulateMissing } from './providers.js'

if (process.argv.includes('--help')) {
  console.log(`Farebox quickstart: an OpenAI-compatible API with exact credit accounting.

  npm start

  PORT                  where to listen (8787)
  FAREBOX_DB            SQLite file (a temporary one, deleted at the end)
  FAREBOX_KEY           32 bytes in base64 that encrypt keys of accounts (new ones for each run)
  CEREBRAS_API_KEY      use the real Cerebras instead of the simulated one
  TOGETHER_API_KEY      the same for Together AI
  REPLICATE_API_TOKEN   the same for Replicate
  SIMULATOR_URL         a simulator that runs already (one is started)`)
  process.exit(0)
}

const port = readPort(process.env.PORT)
const temporary = process.env.FAREBOX_DB ? undefined : mkdtempSync(join(tmpdir(), 'farebox-'))
const file = process.env.FAREBOX_DB ?? join(temporary, 'credits.db')

const upstream = await simulateMissing({
  cerebras: process.env.CEREBRAS_API_KEY,
  together: process.env.TOGETHER_API_KEY,
  replicate: process.env.REPLICATE_API_TOKEN,
})

const database = new Database(file)
const gateway = createGateway({
  providers: [cerebras(upstream.cerebras), together(upstream.together), replicate(upstream.replicate)],
  catalog: upstream.catalog,
  storage: sqlite(database),
  // Encrypts the provider keys that accounts bring. Yours comes from where you keep secrets.
  keyRing: [{ id: 'demo', key: process.env.FAREBOX_KEY ?? randomBytes(32) }],
  // Your own sessions, tokens or API keys go here: say who pays.
  authenticate: (request) => demoKeys[bearerKey(request)],
  onEvent(event) {
    if (event.kind === 'attempt.failed')
      console.warn(`${event.providerId} ${event.message}; trying the next provider`)
    if (event.kind === 'settle.failed')
      console.error(`request ${event.requestId} is not settled yet`, event.cause)
  },
})
for (const account of demoAccounts) await gateway.accounts.configure(account)
await bringOwnKeys(gateway, upstream)
await gateway.reconcile()

const app = express()
app.use('/ai', middleware(gateway))
app.get('/', (_req, res) => {
  res
    .type('text')
    .send(`Farebox is mounted at /ai/v1. Answers are ${upstream.isSimulated ? 'simulated' : 'real'}.\n`)
})

const server = app.listen(port, '127.0.0.1', (error) => {
  if (error) {
    console.error(
      error.code === 'EADDRINUSE'
        ? `Port ${port} is taken. Choose another: PORT=8788 npm start`
        : `Cannot listen on port ${port}: ${error.message}`,
    )
    process.exit(1)
  }
  const url = `http://127.0.0.1:${server.address().port}/ai/v1`
  console.log(`farebox ready ${url}`)
  console.log(`
${upstream.notice}

Demo keys:
${demoAccounts
  .map(({ accountId, planId, keys }) => {
    const note = accountId === ownKeyAccountId ? ', with provider keys of its own' : ''
    return `  ${keys.join(', ').padEnd(38)} ${planId}${note}`
  })
  .join('\n')}

Try it:
  curl -s ${url}/chat/completions -H 'Authorization: Bearer hf_demo_free' -d '{"model":"openai/gpt-oss-120b","max_tokens":100,"messages":[{"role":"user","content":"Hello!"}]}'
  curl -sN ${url}/chat/completions -H 'Authorization: Bearer hf_demo_pro' -d '{"model":"openai/gpt-oss-120b:cheapest","stream":true,"messages":[{"role":"user","content":"Hello!"}]}'
  curl -s ${url}/credits -H 'Authorization: Bearer hf_demo_free'

Ctrl-C stops it; running requests finish first.`)
})

let isStopping = false
async function stop() {
  if (isStopping) return
  isStopping = true
  console.log('\nfarebox stopping: waiting for running requests')
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeIdleConnections()
  await gateway.close()
  server.closeIdleConnections()
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 5_000))])
  database.close()
  await upstream.close()
  if (temporary) rmSync(temporary, { recursive: true, force: true })
  console.log('farebox stopped')
  process.exit(0)
}
process.on('SIGINT', stop)
process.on('SIGTERM', stop)

function readPort(text = '8787') {
  const port = Number(text)
  if (/^\d+$/.test(text) && port < 65_536) return port
  throw new RangeError(`PORT is "${text}". Use a number from 1 to 65535, or 0 for any that is free.`)
}
