import { randomBytes } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import {
  createGateway,
  type FakeClock,
  fakeClock,
  type GatewayEvent,
  nano,
  type Receipt,
  type WebhookOptions,
  webhooks,
} from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'
import { Webhook } from 'standardwebhooks'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`
const secret = newSecret()

interface Delivered {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What a receiver does with one request. */
type Behaviour =
  | number
  | { readonly status: number; readonly headers: Record<string, string> }
  | 'hang'
  | 'break off'

/** A receiver that behaves as told, request by request, and keeps doing the last of it. */
async function receiver(...behaviours: readonly Behaviour[]) {
  const deliveries: Delivered[] = []
  const server: Server = createServer((request, response) => {
    void text(request).then((body) => {
      deliveries.push({ headers: request.headers, body })
      const behaviour = behaviours[Math.min(deliveries.length, behaviours.length) - 1] ?? 200
      if (behaviour === 'hang') return
      // It has the event and dies before it can say so: the sender must send it again.
      if (behaviour === 'break off') request.socket.destroy()
      else if (typeof behaviour === 'number') response.writeHead(behaviour).end('thanks')
      else response.writeHead(behaviour.status, behaviour.headers).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { deliveries, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks?of=farebox` }
}

function start(url: string, options: Partial<WebhookOptions> = {}) {
  const clock = fakeClock(Date.now())
  const dropped: GatewayEvent[] = []
  // Time is moved in great steps here, which no answer could keep up with.
  const timeoutMs = 1_000_000_000
  const hooks = webhooks({
    url,
    secret,
    clock,
    timeoutMs,
    onEvent: (event) => dropped.push(event),
    ...options,
  })
  onTestFinished(() => {
    // The fake clock stands still, so a close that waits is let go by hand.
    const closing = hooks.close()
    clock.advance(60_000)
    return closing
  })
  return { hooks, clock, dropped }
}

const alert: GatewayEvent = {
  kind: 'alert.threshold',
  accountId: 'alice',
  of: 'credit',
  percent: 80,
  periodKey: '2026-11',
  used: nano(80_000_000n),
  total: nano(100_000_000n),
}

/** Verifies a delivery as a receiver would, with the reference library. */
const verified = ({ headers, body }: Delivered, key = secret) =>
  new Webhook(key).verify(body, headers as Record<string, string>)

const arrived = (deliveries: readonly Delivered[], count: number) =>
  expect.poll(() => deliveries.length).toBe(count)

/** Moves time until so many have arrived: an attempt has to fail before its pause can end. */
async function advanceUntil(
  clock: FakeClock,
  deliveries: readonly Delivered[],
  count: number,
): Promise<void> {
  await expect
    .poll(
      () => {
        clock.advance(60_000)
        return deliveries.length
      },
      { interval: 5 },
    )
    .toBeGreaterThanOrEqual(count)
}

describe('a webhook', () => {
  it('is delivered in a form that the reference library verifies, with amounts as text', async () => {
    const { url, deliveries } = await receiver(204)
    const { hooks, clock, dropped } = start(url)
    hooks(alert)
    await arrived(deliveries, 1)

    const [delivery] = deliveries as [Delivered]
    expect(verified(delivery)).toEqual({
      type: 'alert.threshold',
      timestamp: new Date(clock.now()).toISOString(),
      data: {
        accountId: 'alice',
        of: 'credit',
        percent: 80,
        periodKey: '2026-11',
        used: '80000000',
        total: '100000000',
      },
    })
    expect(delivery.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': expect.stringMatching(/^msg_[0-9a-f-]{36}$/),
      'webhook-timestamp': String(Math.floor(clock.now() / 1000)),
    })
    expect(dropped).toEqual([])
  })

  it('does not verify when somebody changed its body, its id or its time, or has another secret', async () => {
    const { url, deliveries } = await receiver(200)
    start(url).hooks(alert)
    await arrived(deliveries, 1)
    const [{ headers, body }] = deliveries as [Delivered]
    const forged: readonly Delivered[] = [
      { headers, body: body.replace('80000000', '10000000') },
      { headers: { ...headers, 'webhook-id': 'msg_2' }, body },
      {
        headers: { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + 1) },
        body,
      },
    ]
    for (const delivery of forged) expect(() => verified(delivery)).toThrow('No matching signature')
    expect(() => verified({ headers, body }, newSecret())).toThrow('No matching signature')
  })

  it('verifies with the old secret and with the new one while one replaces the other', async () => {
    const [before, after] = [newSecret(), newSecret()]
    const { url, deliveries } = await receiver(200)
    start(url, { secret: [after, before] }).hooks(alert)
    await arrived(deliveries, 1)
    const [delivery] = deliveries as [Delivered]
    expect(verified(delivery, before)).toEqual(verified(delivery, after))
  })

  it('is sent again under the same id, with a new time and signature, until it arrives', async () => {
    const { url, deliveries } = await receiver(500, 404, 302, 200)
    const { hooks, clock, dropped } = start(url)
    hooks(alert)
    await advanceUntil(clock, deliveries, 4)

    expect(new Set(deliveries.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(new Set(deliveries.map(({ body }) => body)).size).toBe(1)
    expect(new Set(deliveries.map(({ headers }) => headers['webhook-timestamp'])).size).toBe(4)
    const signatures = deliveries.map(({ headers }) => headers['webhook-signature'])
    expect(new Set(signatures).size).toBe(4)
    expect(dropped).toEqual([])
  })

  it('reaches a receiver twice when its answer was lost, which the id lets it notice', async () => {
    const { url, deliveries } = await receiver('break off', 200)
    const { hooks, clock } = start(url)
    hooks(alert)
    await advanceUntil(clock, deliveries, 2)

    const handled = new Map(
      deliveries.map((delivery) => [delivery.headers['webhook-id'], verified(delivery)]),
    )
    expect(handled.size).toBe(1)
  })

  it('is sent again when the receiver does not answer in time', async () => {
    const { url, deliveries } = await receiver('hang', 200)
    const { hooks, clock, dropped } = start(url, { timeoutMs: 15_000 })
    hooks(alert)
    await arrived(deliveries, 1)
    clock.advance(14_999)
    expect(deliveries).toHaveLength(1)
    const paused = vi.spyOn(clock, 'after')
    clock.advance(1)
    await expect.poll(() => paused.mock.calls.length).toBe(1)
    // Long enough for the pause of five seconds, and too short for another answer to be late.
    clock.advance(12_000)
    await arrived(deliveries, 2)
    expect(dropped).toEqual([])
  })

  it('is given up after so many attempts, and the host is told', async () => {
    const { url, deliveries } = await receiver(503)
    const { hooks, clock, dropped } = start(url, { attemptsMax: 3 })
    hooks(alert)
    await advanceUntil(clock, deliveries, 3)
    await expect
      .poll(() => dropped)
      .toEqual([
        {
          kind: 'webhook.dropped',
          webhookId: deliveries[0]?.headers['webhook-id'],
          event: 'alert.threshold',
          attempts: 3,
          reason: 'refused',
          status: 503,
        },
      ])
  })

  it('waits as long as the receiver asks for, in seconds or by a date', async () => {
    const until = (ms: number) => ({ status: 429, headers: { 'retry-after': new Date(ms).toUTCString() } })
    const { url, deliveries } = await receiver(
      { status: 503, headers: { 'retry-after': '600' } },
      until(Date.now() + 7_200_000),
      200,
    )
    const { hooks, clock } = start(url)
    const startMs = clock.now()
    hooks(alert)
    await advanceUntil(clock, deliveries, 3)
    const waits = deliveries.map(({ headers }) => Number(headers['webhook-timestamp']) - startMs / 1000)
    expect(waits[1]).toBeGreaterThan(599)
    // An hour is the most it waits for.
    expect((waits[2] ?? 0) - (waits[1] ?? 0)).toBeGreaterThan(3599)
  })

  it('that nobody can reach is given up as unreachable', async () => {
    const { dropped, hooks, clock } = start('http://127.0.0.1:9/', { attemptsMax: 2 })
    hooks(alert)
    await expect
      .poll(() => {
        clock.advance(10_000)
        return dropped
      })
      .toMatchObject([{ reason: 'unreachable', attempts: 2 }])
  })

  it('is not sent to a receiver that wants no more', async () => {
    const { url, deliveries } = await receiver(410)
    const { hooks, dropped } = start(url)
    hooks(alert)
    await expect.poll(() => dropped).toMatchObject([{ reason: 'gone', status: 410 }])
    hooks(alert)
    hooks(alert)
    await new Promise((resolve) => setImmediate(resolve))
    expect(deliveries).toHaveLength(1)
  })

  it('tells only of the kinds of events that are asked for', async () => {
    const { url, deliveries } = await receiver(200)
    const receipt = { requestId: 'r1', charged: nano(5n) } as Receipt
    const refused = {
      kind: 'request.refused',
      requestId: 'r1',
      code: 'invalid_json',
      status: 400,
      message: '',
    } as const
    const { hooks } = start(url, { events: ['request.settled', 'settle.failed'] })
    hooks(alert)
    hooks(refused)
    hooks({ kind: 'request.settled', receipt })
    const cause = new Error('SELECT secret FROM host')
    hooks({ kind: 'settle.failed', requestId: 'r1', accountId: 'alice', willRetry: true, cause })
    await arrived(deliveries, 2)
    const bodies = deliveries.map((delivery) => verified(delivery))
    expect(bodies).toMatchObject([
      { type: 'request.settled', data: { receipt: { charged: '5' } } },
      { type: 'settle.failed', data: { requestId: 'r1', willRetry: true } },
    ])
    expect(JSON.stringify(bodies)).not.toContain('SELECT')
  })

  it('writes a type without dashes, as the specification recommends', async () => {
    const { url, deliveries } = await receiver(200)
    start(url).hooks({
      kind: 'alert.hard-stop',
      accountId: 'alice',
      periodKey: '2026-11',
      missing: nano(1n),
      spendable: nano(0n),
      planId: 'free',
      resetsAtMs: 0,
    })
    await arrived(deliveries, 1)
    expect(verified(deliveries[0] as Delivered)).toMatchObject({
      type: 'alert.hard_stop',
      data: { missing: '1' },
    })
  })
})

describe('closing webhooks', () => {
  it('delivers what is on its way, and tries once more what waits', async () => {
    const { url, deliveries } = await receiver(500, 200)
    const { hooks, clock, dropped } = start(url)
    const after = vi.spyOn(clock, 'after')
    hooks(alert)
    // It waits once its pause has begun: that it has arrived says nothing of its answer.
    await expect.poll(() => after.mock.calls.some(([delayMs]) => delayMs < 60_000)).toBe(true)
    hooks(alert)
    await hooks.close()
    expect(deliveries.map((delivery) => verified(delivery))).toHaveLength(3)
    expect(dropped).toEqual([])
    hooks(alert)
    expect(deliveries).toHaveLength(3)
  })

  it('does not wait for ever, and tells what is lost', async () => {
    const { url, deliveries } = await receiver('hang')
    const { hooks, clock, dropped } = start(url, { inFlightMax: 1, closeMs: 2000, timeoutMs: 60_000 })
    hooks(alert)
    hooks(alert)
    await arrived(deliveries, 1)
    const closing = hooks.close()
    clock.advance(2000)
    await closing
    expect(dropped.map((event) => event.kind === 'webhook.dropped' && event.reason)).toEqual([
      'closed',
      'closed',
    ])
  })

  it('is the gateway’s to do when it was given them', async () => {
    const { url, deliveries } = await receiver(200)
    const hooks = webhooks({ url, secret, events: ['request.refused'] })
    const gateway = createGateway({
      providers: [openaiCompatible({ id: 'any', baseUrl: 'http://127.0.0.1:9' })],
      authenticate: () => undefined,
      onEvent: hooks,
    })
    await gateway.handle({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: {},
      body: { kind: 'parsed', value: {} },
      signal: new AbortController().signal,
    })
    await gateway.close()
    expect(verified(deliveries[0] as Delivered)).toMatchObject({
      type: 'request.refused',
      data: { code: 'invalid_api_key' },
    })
  })
})

describe('webhooks that make no sense', () => {
  it.each([
    ['a relative address', { url: '/hooks' }, 'url must be an absolute address'],
    ['another protocol', { url: 'file:///etc/passwd' }, 'url must be an absolute address'],
    ['a name and password', { url: 'https://a:b@example.com' }, 'no name and password'],
    ['no secret', { secret: [] }, 'at least one secret'],
    ['a weak secret', { secret: 'whsec_c2hvcnQ=' }, '24 to 64 random bytes'],
    ['a queue of nothing', { queueMax: 0 }, 'queueMax must be a whole number of at least 1'],
    ['half an attempt', { attemptsMax: 0.5 }, 'attemptsMax must be a whole number of at least 1'],
  ])('are refused: %s', (_what, options, message) => {
    expect(() => webhooks({ url: 'https://example.com', secret, ...options })).toThrow(message)
  })
})
