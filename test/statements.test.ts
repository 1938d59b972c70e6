import { fakeClock, memoryStorage, usd } from '@farebox/core'
import { accountId, authorization, chat, type Rig, type RigOptions, startRig } from '@farebox/testkit/adapter'
import { afterEach, describe, expect, it } from 'vitest'
import { expressHost } from './express-host.ts'

const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

const lastMoment = Date.UTC(2026, 11, 1) - 1

/** A gateway whose clock stands in the last moment of November until a test moves it. */
async function novemberRig(
  options: RigOptions['gateway'] = {},
): Promise<{ rig: Rig; clock: ReturnType<typeof fakeClock> }> {
  const clock = fakeClock(lastMoment)
  const rig = await startRig(expressHost, {
    // One provider, so that what was used is one line.
    providers: ['cerebras'],
    gateway: { clock, storage: memoryStorage({ clock }), ...options },
  })
  undo.push(() => rig.close())
  return { rig, clock }
}

async function read(rig: Rig, path: string): Promise<Record<string, unknown>> {
  const answer = await rig.client.ask({ path, headers: authorization })
  expect(answer.status, path).toBe(200)
  return answer.json() as Record<string, unknown>
}

async function ask(rig: Rig, times: number): Promise<void> {
  for (let index = 0; index < times; index += 1) {
    expect((await rig.client.ask(chat({ say: 3 + index, max_tokens: 50 }))).status).toBe(200)
  }
  await rig.quiet()
}

describe('a month of an account, over HTTP', () => {
  it('is asked for, closed and billed: usage, invoice and receipts say the same', async () => {
    const { rig, clock } = await novemberRig()
    await rig.gateway.accounts.configure({ accountId, planId: 'pro' })
    await ask(rig, 3)
    expect(await rig.gateway.invoices.close({ accountId })).toEqual({
      outcome: 'not-over',
      endsAtMs: lastMoment + 1,
    })

    clock.set(lastMoment + 1)
    await ask(rig, 2)
    const closed = await rig.gateway.invoices.close({ accountId, period: '2026-11' })
    expect(closed.outcome).toBe('closed')
    expect(rig.events.filter(({ kind }) => kind === 'invoice.closed')).toHaveLength(1)

    const november = rig.receipts.filter(({ periodKey }) => periodKey === '2026-11')
    expect(november).toHaveLength(3)
    const charged = november.reduce((sum, receipt) => sum + receipt.charged, 0n)
    const invoice = await read(rig, '/v1/invoices/2026-11')
    const lines = invoice['lines'] as { kind: string; amount: string; quantity?: number }[]
    expect(lines.map(({ kind, quantity }) => [kind, quantity])).toEqual([
      ['subscription', 1],
      ['usage', 3],
      ['credit', undefined],
      ['overage', undefined],
    ])
    expect(usd(lines[1]?.amount ?? '')).toBe(charged)
    expect(invoice).toMatchObject({ object: 'invoice', period: '2026-11', due: '0.00', carry_out: '0.00' })
    expect(await read(rig, '/v1/invoices')).toMatchObject({ data: [invoice], has_more: false })

    const usage = await read(rig, '/v1/usage?from=2026-11-01&to=2026-12-02&group_by=period')
    expect(usage['data']).toMatchObject([
      { period: '2026-11', requests: 3 },
      { period: '2026-12', requests: 2 },
    ])
    expect(usd((usage['data'] as { charged: string }[])[0]?.charged ?? '')).toBe(charged)
  })

  it('is exported with every line that was used', async () => {
    const { rig } = await novemberRig()
    await ask(rig, 3)
    const pieces: string[] = []
    const days = { accountId, from: '2026-11-01', to: '2026-12-01' }
    for await (const piece of rig.gateway.usage.export({ ...days, format: 'jsonl' })) pieces.push(piece)
    const [row] = pieces
      .join('')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    const charged = rig.receipts.reduce((sum, receipt) => sum + receipt.charged, 0n)

    expect(row).toMatchObject({ requests: 3, account: accountId, day: '2026-11-30' })
    expect(usd(String(row?.['charged']))).toBe(charged)
  })

  it('failure 22: is added up by reconciliation for an account that is used much, so that nobody waits for it', async () => {
    let entries = 0
    const clock = fakeClock(lastMoment)
    const storage = memoryStorage({ clock })
    const { journal } = storage.ledger
    const counted: typeof journal = async (...request) => {
      const page = await journal(...request)
      entries += page.length
      return page
    }
    const { rig } = await novemberRig({
      clock,
      storage: { ...storage, ledger: { ...storage.ledger, journal: counted } },
    })
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(Array.from({ length: 51 }, () => rig.client.ask(chat({ say: 1, max_tokens: 5 }))))
    }
    await rig.quiet()
    await rig.gateway.reconcile()
    expect(entries).toBeGreaterThanOrEqual(510)

    entries = 0
    const { total } = await rig.gateway.usage.query({ accountId, from: '2026-11-01', to: '2026-12-01' })
    expect([total.requests, entries]).toEqual([510, 0])
  })

  it('refuses what makes no sense before it reads anything', async () => {
    const { rig } = await novemberRig()
    await expect(rig.gateway.invoices.close({ accountId, period: 'November' })).rejects.toThrow(RangeError)
    for (const limit of [0, 1.5, 1001])
      await expect(rig.gateway.invoices.list({ accountId, limit })).rejects.toThrow(RangeError)
    await expect(
      rig.gateway.usage.query({ accountId, from: '2026-11-01', to: '2026-11-01' }),
    ).rejects.toMatchObject({ code: 'invalid_request', param: 'to' })
  })
})
