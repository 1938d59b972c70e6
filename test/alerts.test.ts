import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createGateway,
  createLedger,
  fakeClock,
  type GatewayEvent,
  type GatewayRequest,
  memoryStorage,
  nano,
  perMillion,
  planPreset,
  type Storage,
  systemClock,
  usd,
} from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { sqlite } from '@farebox/sqlite'
import { type Simulator, startSimulator } from '@farebox/testkit/simulator'
import Database from 'libsql'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'

let simulator: Simulator
beforeEach(async () => {
  simulator = await startSimulator()
})
afterEach(() => simulator.close())

/** Ten output tokens at 1,000 USD per million: a request costs $0.01, a tenth of what free accounts have. */
function start(storage: Storage, clock = systemClock) {
  const events: GatewayEvent[] = []
  const gateway = createGateway({
    providers: [
      cerebras({
        apiKey: 'k',
        baseUrl: simulator.baseUrl('cerebras'),
        costUrl: simulator.costUrl('cerebras'),
      }),
    ],
    storage,
    clock,
    authenticate: () => ({ accountId: 'alice' }),
    onEvent: (event) => events.push(event),
    catalog: [
      {
        providerId: 'cerebras',
        providerModel: 'sim/ok',
        model: 'test/output-only',
        operation: 'chat',
        price: { input_token: perMillion('0'), output_token: perMillion('1000') },
        limits: { contextTokens: 100_000, outputTokens: 1_000 },
        source: 'https://example.com/test',
        readOn: '2026-11-22',
      },
    ],
  })
  return { gateway, events }
}

const question: GatewayRequest = {
  method: 'POST',
  path: '/v1/chat/completions',
  headers: {},
  body: {
    kind: 'parsed',
    value: {
      model: 'test/output-only',
      messages: [{ role: 'user', content: 'say 10 tokens' }],
      max_tokens: 10,
    },
  },
  signal: new AbortController().signal,
}

const streamed: GatewayRequest = {
  ...question,
  body: {
    kind: 'parsed',
    value: { ...(question.body.kind === 'parsed' ? (question.body.value as object) : {}), stream: true },
  },
}

const alertsOf = (events: readonly GatewayEvent[]) =>
  events.flatMap((event) => (event.kind === 'alert.threshold' ? [`${event.of} ${event.percent}`] : []))

describe('the alerts of an account', () => {
  it('come once each from two servers on one file, however the requests fall on them', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'farebox-alerts-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const servers = [1, 2].map(() => start(sqlite(new Database(join(folder, 'ledger.db')))))

    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => servers[index % 2]?.gateway.handle(question)),
    )

    expect(answers.filter((answer) => answer?.status === 200)).toHaveLength(10)
    const events = servers.flatMap((server) => server.events)
    expect(alertsOf(events).toSorted()).toEqual(['credit 100', 'credit 50', 'credit 80'])
    expect(events.find((event) => event.kind === 'alert.threshold')).toMatchObject({
      accountId: 'alice',
      total: 100_000_000n,
    })
    for (const { gateway } of servers) await gateway.close()
  })

  it('follow the receipt that crossed them', async () => {
    const { gateway, events } = start(memoryStorage())
    for (let index = 0; index < 5; index += 1) await gateway.handle(question)
    expect(events.slice(-2)).toMatchObject([
      { kind: 'request.settled', receipt: { charged: 10_000_000n } },
      { kind: 'alert.threshold', of: 'credit', percent: 50, used: 50_000_000n, total: 100_000_000n },
    ])
    await gateway.close()
  })

  it('reach the customer from 80 % on, with whole answers and streams, until credit is bought', async () => {
    const clock = fakeClock(Date.UTC(2026, 10, 22))
    const { gateway } = start(memoryStorage({ clock }), clock)
    const warningOf = async (stream: boolean) => {
      const response = await gateway.handle(stream ? streamed : question)
      if (typeof response?.body === 'object' && Symbol.asyncIterator in response.body)
        for await (const _ of response.body);
      return response?.headers['x-hf-warning']
    }
    for (let index = 0; index < 8; index += 1) expect(await warningOf(index % 2 === 0)).toBeUndefined()

    expect(await warningOf(false)).toBe(
      'credits-80-2026-11; You have used 80% of your credits in 2026-11: $0.08 of $0.10.',
    )
    expect(await warningOf(true)).toBe(
      'credits-80-2026-11; You have used 90% of your credits in 2026-11: $0.09 of $0.10.',
    )

    await gateway.credits.grant({ accountId: 'alice', grantId: 'g1', amount: usd('1.00') })
    expect(await warningOf(false)).toBeUndefined()
    await gateway.close()
  })

  it('tell of a hard stop at the first refusal of a period, and not at the others', async () => {
    const clock = fakeClock(Date.UTC(2026, 10, 30, 23))
    const { gateway, events } = start(memoryStorage({ clock }), clock)
    const stops = () => events.filter((event) => event.kind === 'alert.hard-stop')
    for (let index = 0; index < 10; index += 1) expect((await gateway.handle(question))?.status).toBe(200)
    expect(stops()).toEqual([])

    for (let index = 0; index < 3; index += 1) expect((await gateway.handle(question))?.status).toBe(402)
    expect(stops()).toMatchObject([
      { accountId: 'alice', periodKey: '2026-11', spendable: 0n, planId: 'free' },
    ])

    clock.advance(2 * 3_600_000)
    for (let index = 0; index < 11; index += 1) await gateway.handle(question)
    expect(stops()).toMatchObject([{ periodKey: '2026-11' }, { periodKey: '2026-12' }])
    await gateway.close()
  })
})

it('a cost that a provider tells only after the process died is told as late', async () => {
  const clock = fakeClock(Date.UTC(2026, 10, 22))
  const storage = memoryStorage({ clock })
  const { gateway, events } = start(storage, clock)
  const response = await fetch(`${simulator.baseUrl('cerebras')}/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer k', 'content-type': 'application/json', 'x-request-id': 'left.1' },
    body: JSON.stringify({
      model: 'gpt-oss-120b',
      messages: [{ role: 'user', content: 'say 5 tokens' }],
    }),
  })
  await response.text()
  await createLedger({ store: storage.ledger, plans: planPreset('hf-2026-02-04'), clock }).reserve({
    accountId: 'alice',
    reservationId: 'left',
    amount: nano(1_000_000n),
    timeToLiveMs: 1000,
    subject: { model: 'openai/gpt-oss-120b', costProviderIds: ['cerebras'], attemptsMax: 2 },
  })

  clock.advance(90_000)
  await gateway.reconcile()

  const cost = simulator.served[0]?.costNanoUsd
  expect(events).toContainEqual({
    kind: 'cost.late',
    accountId: 'alice',
    requestId: 'left',
    cost,
    charged: cost,
    absorbed: 0n,
  })
  await gateway.close()
})
