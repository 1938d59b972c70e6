import { fileURLToPath } from 'node:url'
import type { Storage } from '@farebox/core'
import { type Simulator, startSimulator } from '@farebox/testkit/simulator'
import { afterEach, expect, it } from 'vitest'
import { type ServerProcess, startServer } from './servers/child.ts'
import { outputPrice, requestCost, simulatorPrices } from './stores/gateway-on.ts'
import { servedOn } from './stores/served-on.ts'
import { describeStores } from './stores/store-kinds.ts'

// Ten output tokens at 199 USD per million cost 1,990,000 nano-USD: the free $0.10 pays exactly 50 and leaves 500,000.
const affordable = 50
const remainder = '0.0005'
const parallel = 200

const undo: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

function simulator(): Promise<Simulator> {
  const started = startSimulator({ prices: simulatorPrices })
  undo.push(() => started.then((running) => running.close()))
  return started
}

async function serve(running: Simulator, storage: Storage): Promise<string> {
  const { url, close } = await servedOn(storage, running)
  undo.push(close)
  return url
}

/** Two servers in processes of their own on one store. */
async function twoProcesses(running: Simulator, address: string): Promise<readonly ServerProcess[]> {
  const provider = (name: 'cerebras' | 'together') => ({ apiKey: 'k', baseUrl: running.baseUrl(name) })
  const providers = { cerebras: provider('cerebras'), together: provider('together') }
  const environment = { FAREBOX_TEST: JSON.stringify({ address, outputPrice, providers }) }
  const script = fileURLToPath(new URL('servers/app.js', import.meta.url))
  const servers = await Promise.all([startServer(script, environment), startServer(script, environment)])
  for (const server of servers) undo.push(() => server.stop('SIGKILL'))
  return servers
}

/** 200 requests at once, half of them streams, in turns over these servers. */
async function storm(urls: readonly string[]): Promise<readonly number[]> {
  return Promise.all(
    Array.from({ length: parallel }, async (_, index) => {
      const response = await fetch(`${urls[index % urls.length]}/chat/completions`, {
        method: 'POST',
        headers: { authorization: 'Bearer alice' },
        body: JSON.stringify({
          model: 'test/output-only',
          max_tokens: 10,
          stream: index % 2 === 1,
          messages: [{ role: 'user', content: 'say 10 tokens' }],
        }),
      })
      await response.text()
      return response.status
    }),
  )
}

async function expectExactly(urls: readonly string[], running: Simulator): Promise<void> {
  const statuses = await storm(urls)
  expect(statuses.filter((status) => status === 200)).toHaveLength(affordable)
  expect(statuses.filter((status) => status === 402)).toHaveLength(parallel - affordable)
  for (const url of urls) {
    const credits = await fetch(`${url}/credits`, { headers: { authorization: 'Bearer alice' } })
    expect(await credits.json()).toMatchObject({ spendable: remainder, held: '0.00', included: remainder })
  }
  const counted = running.served.reduce((sum, served) => sum + served.costNanoUsd, 0n)
  expect(counted).toBe(BigInt(affordable) * requestCost)
}

describeStores(
  'failures 1 and 2: a free account with credit for exactly 50 requests, asked 200 times at once,',
  (store, { name }) => {
    it('is served exactly 50 times', async () => {
      const running = await simulator()
      const opened = await store().open(await store().create())
      undo.push(() => opened.close())
      await expectExactly([await serve(running, opened.storage)], running)
    })

    // What lives in one process is not there for another one.
    if (name === 'memory') return
    it('is served exactly 50 times by two processes', async () => {
      const running = await simulator()
      const servers = await twoProcesses(running, await store().create())
      await expectExactly(
        servers.map((server) => server.baseUrl),
        running,
      )
    })
  },
  { isDurable: true },
)
