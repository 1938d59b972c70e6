import { describe, expect, it } from 'vitest'
import { type FakeClock, fakeClock } from '../clock.ts'
import { isGatewayError } from '../errors.ts'
import { createLedger, type Ledger } from '../ledger/ledger.ts'
import { memoryStorage } from '../ledger/memory-storage.ts'
import { planPreset } from '../ledger/plan-presets.ts'
import type { Statements } from '../ledger/statements.ts'
import { nano, usd } from '../money.ts'
import { queryUsage, type UsageQuery } from './usage-query.ts'

const dayMs = 86_400_000
const november = { accountId: 'alice', from: '2026-11-01', to: '2026-12-01' } as const

interface Subject {
  readonly ledger: Ledger
  readonly clock: FakeClock
  ask(
    id: string,
    cost: bigint,
    options?: { model?: string; memberId?: string; providerId?: string },
  ): Promise<void>
  query(request?: Partial<UsageQuery>): ReturnType<typeof queryUsage>
}

async function createSubject(): Promise<Subject> {
  const clock = fakeClock(Date.UTC(2026, 10, 3, 12))
  const { ledger: store } = memoryStorage({ clock })
  const ledger = createLedger({ store, plans: planPreset('hf-2026-02-04'), clock })
  await ledger.grant({ accountId: 'alice', grantId: 'g1', amount: usd('100') })
  return {
    ledger,
    clock,
    async ask(id, cost, { model = 'm', memberId, providerId = 'p' } = {}) {
      const who = memberId === undefined ? {} : { memberId }
      await ledger.reserve({
        accountId: 'alice',
        reservationId: id,
        amount: nano(cost),
        timeToLiveMs: 60_000,
        subject: { model, ...who, costProviderIds: [], attemptsMax: 1 },
      })
      const attempt = { attemptId: `${id}.1`, providerId, providerModel: model } as const
      await ledger.settle({
        accountId: 'alice',
        reservationId: id,
        attempts: [
          { ...attempt, outcome: 'served', costSource: 'provider', cost: nano(cost), payer: 'customer' },
        ],
      })
    },
    query: (request = {}) => queryUsage(ledger.statements, { ...november, ...request }),
  }
}

/** Three days of two members with two models. */
async function busySubject(): Promise<Subject> {
  const subject = await createSubject()
  for (const day of [0, 1, 2]) {
    for (const [index, memberId] of ['ada', 'bob', undefined].entries()) {
      const who = memberId === undefined ? {} : { memberId }
      await subject.ask(`a${day}.${index}`, 100n, { ...who, model: 'large' })
      await subject.ask(`b${day}.${index}`, 7n, { ...who, model: 'small', providerId: 'q' })
    }
    subject.clock.advance(dayMs)
  }
  return subject
}

describe('queryUsage', () => {
  it('gives one group of everything when asked for no groups', async () => {
    const { query } = await busySubject()
    const report = await query()
    expect(report.groups).toEqual([report.total])
    expect(report.total).toMatchObject({ requests: 18, attempts: 18, charged: 963n, cost: 963n })
    expect(report).toMatchObject({ nextCursor: null, isComplete: true })
  })

  it('gives no group where nothing was used', async () => {
    const { query } = await createSubject()
    const report = await query()
    expect(report.groups).toEqual([])
    expect(report.total).toMatchObject({ requests: 0, charged: 0n, quantities: {} })
  })

  it.each([
    [
      ['day'],
      [
        ['2026-11-03', 321n],
        ['2026-11-04', 321n],
        ['2026-11-05', 321n],
      ],
    ],
    [
      ['model'],
      [
        ['large', 900n],
        ['small', 63n],
      ],
    ],
    [
      ['provider'],
      [
        ['p', 900n],
        ['q', 63n],
      ],
    ],
    [
      ['member'],
      [
        ['ada', 321n],
        ['bob', 321n],
        [null, 321n],
      ],
    ],
    [['period'], [['2026-11', 963n]]],
    [['key'], [[null, 963n]]],
  ] as const)('groups by %s', async (groupBy, expected) => {
    const { query } = await busySubject()
    const { groups } = await query({ groupBy })
    expect(groups.map((group) => [group[groupBy[0]], group.charged])).toEqual(expected)
  })

  it('groups by several at once, and each sum is the sum of its parts', async () => {
    const { query } = await busySubject()
    const { groups, total } = await query({ groupBy: ['model', 'member', 'day'] })
    expect(groups).toHaveLength(18)
    expect(groups[0]).toMatchObject({ model: 'large', member: 'ada', day: '2026-11-03', charged: 100n })
    expect(groups.reduce((sum, group) => sum + group.charged, 0n)).toBe(total.charged)
  })

  it('leaves out days outside the range', async () => {
    const { query } = await busySubject()
    const { total } = await query({ from: '2026-11-04', to: '2026-11-05' })
    expect(total.charged).toBe(321n)
  })

  it('gives pages that follow each other, with the total of all', async () => {
    const { query } = await busySubject()
    const seen: unknown[] = []
    let cursor: string | undefined
    for (let page = 0; page < 5; page += 1) {
      const groupBy = ['member', 'day'] as const
      const report = await query({ groupBy, limit: 2, ...(cursor === undefined ? {} : { cursor }) })
      expect(report.total.charged).toBe(963n)
      seen.push(...report.groups.map(({ member, day }) => [member, day]))
      cursor = report.nextCursor ?? undefined
    }
    expect(cursor).toBeUndefined()
    expect(seen).toHaveLength(9)
    expect(new Set(seen.map((each) => JSON.stringify(each))).size).toBe(9)
  })

  it('refuses what makes no sense, naming the parameter', async () => {
    const { query } = await createSubject()
    const refusals: [Partial<UsageQuery>, string][] = [
      [{ groupBy: ['colour' as 'day'] }, 'group_by'],
      [{ groupBy: ['day', 'day'] }, 'group_by'],
      [{ limit: 0 }, 'limit'],
      [{ limit: 1001 }, 'limit'],
      [{ limit: 1.5 }, 'limit'],
      [{ cursor: 'nonsense' }, 'cursor'],
      [{ from: 'yesterday' }, 'from'],
      [{ to: '2026-11-01' }, 'to'],
    ]
    for (const [request, param] of refusals) {
      const error: unknown = await query(request).catch((thrown: unknown) => thrown)
      expect(isGatewayError(error) && [error.code, error.param]).toEqual(['invalid_request', param])
    }
  })

  it('starts over when usage is added up between two steps, and gives up in the end', async () => {
    const { ledger } = await busySubject()
    let seq = 0n
    let changes = 2
    const moving: Statements = {
      ...ledger.statements,
      async usage(accountId, pages) {
        const reading = await ledger.statements.usage(accountId, pages)
        if (changes > 0) {
          changes -= 1
          seq += 1n
        }
        return { ...reading, seq }
      },
    }
    const year = { accountId: 'alice', from: '2026-01-01', to: '2027-01-01' }
    expect((await queryUsage(moving, year)).total.charged).toBe(963n)

    changes = 1000
    await expect(queryUsage(moving, year)).rejects.toMatchObject({ code: 'gateway_busy' })
  })

  it('refuses more than 10,000 groups', async () => {
    const { ledger } = await createSubject()
    const { groups } = await queryUsage(ledger.statements, { ...november, groupBy: ['member'] })
    expect(groups).toEqual([])
    const row = (await busySubject()).ledger
    const [page] = (await rowsOf(row)).pages
    const many: Statements = {
      ...ledger.statements,
      async usage(_accountId, pages) {
        const rows = Array.from({ length: 400 }, (_, index) => ({ ...page?.rows[0], memberId: `m${index}` }))
        const shown = pages.map(({ day }) => ({
          day,
          rows: rows.map((each) => ({ ...each, memberId: `${each.memberId}.${day}` })) as never,
        }))
        return { seq: 1n, pages: shown, further: [] }
      },
    }
    await expect(queryUsage(many, { ...november, groupBy: ['member'] })).rejects.toThrow(
      'more than 10000 groups',
    )
    expect((await queryUsage(many, { ...november, groupBy: ['model'] })).groups).toHaveLength(1)
  })
})

async function rowsOf({ statements }: Ledger): ReturnType<Statements['usage']> {
  await statements.fold('alice', 1000)
  return statements.usage('alice', [{ day: '2026-11-03', page: 0 }])
}
