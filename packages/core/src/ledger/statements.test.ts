import { describe, expect, it } from 'vitest'
import { type FakeClock, fakeClock } from '../clock.ts'
import { readEntry } from './entry.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { memoryStorage } from './memory-storage.ts'
import { planPreset } from './plan-presets.ts'
import { createStatements, type Statements, usagePagesMax } from './statements.ts'
import type { LedgerStore, TransactOptions } from './storage.ts'

const november = Date.UTC(2026, 10, 10)
const plans = planPreset('hf-2026-02-04')

interface Subject {
  readonly ledger: Ledger
  readonly store: LedgerStore
  readonly clock: FakeClock
  readonly statements: Statements
  /** Where and how much of the journal was read. */
  readonly read: [bigint, number][]
  readonly options: (TransactOptions | undefined)[]
}

/** Statements on a store in memory whose journal shows no entries above `visible()`. */
function open({ visible = () => 1000n, before = async () => {} }: Partial<Hidden> = {}): Subject {
  const clock = fakeClock(november)
  const { ledger: store } = memoryStorage({ clock })
  const read: [bigint, number][] = []
  const options: (TransactOptions | undefined)[] = []
  const ledger = createLedger({ store, plans, clock })
  const statements = createStatements({
    plans,
    run: async (accountId, keys, reduce, option) => {
      options.push(option)
      await before(ledger, option)
      return store.transact(accountId, keys, reduce, option)
    },
    journal: async (accountId, afterSeq, limit) => {
      read.push([afterSeq, limit])
      const entries = await store.journal(accountId, afterSeq, limit)
      return entries.filter(({ seq }) => seq <= visible()).map(readEntry)
    },
  })
  return { ledger, store, clock, statements, read, options }
}

interface Hidden {
  readonly visible: () => bigint
  /** What happens right before a step. */
  readonly before: (ledger: Ledger, options: TransactOptions | undefined) => Promise<unknown>
}

/** Books so many entries, besides the credit that is included. */
async function give(ledger: Ledger, count: number): Promise<void> {
  for (let seats = 2; seats < count + 2; seats += 1) {
    await ledger.configure({ accountId: 'alice', planId: 'free', seats })
  }
}

describe('adding up a journal', () => {
  it('reads it in steps of 250 entries, each once, and no more than it was asked for', async () => {
    const { ledger, statements, read } = open()
    await give(ledger, 599)
    const { seq } = await ledger.exportState('alice', 'none')
    expect(await statements.fold('alice', 300)).toEqual({ seq: 300n, isComplete: false })
    expect(read).toEqual([
      [0n, 250],
      [250n, 50],
    ])
    read.length = 0
    expect(await statements.fold('alice', 1000)).toEqual({ seq, isComplete: true })
    expect(read).toEqual([
      [300n, 250],
      [550n, 250],
    ])
    read.length = 0
    expect(await statements.fold('alice', 1000)).toEqual({ seq, isComplete: true })
    expect(await statements.fold('nobody', 1000)).toEqual({ seq: 0n, isComplete: true })
    expect(read).toEqual([])
  })

  it('ends with what was booked before, and does not run after what is booked meanwhile', async () => {
    let seats = 100
    const before = (ledger: Ledger) => {
      seats += 1
      return ledger.configure({ accountId: 'alice', planId: 'free', seats })
    }
    const { ledger, statements, read } = open({ before })
    await give(ledger, 10)
    const { seq } = await ledger.exportState('alice', 'none')
    expect(await statements.fold('alice', 1000)).toEqual({ seq: seq + 1n, isComplete: true })
    expect(read).toEqual([[0n, 250]])
    expect((await ledger.exportState('alice', 'none')).seq).toBe(seq + 3n)
  })

  it('adds nothing when it is asked for nothing', async () => {
    const { ledger, statements, read } = open()
    await give(ledger, 1)
    expect(await statements.fold('alice', 0)).toEqual({ seq: 0n, isComplete: false })
    expect(read).toEqual([])
  })

  it('is not complete as long as the journal is read behind its account', async () => {
    let visible = 2n
    const { ledger, statements } = open({ visible: () => visible })
    await give(ledger, 4)
    const { seq } = await ledger.exportState('alice', 'none')
    expect(seq).toBeGreaterThan(2n)
    expect(await statements.fold('alice', 1000)).toEqual({ seq: 2n, isComplete: false })
    visible = seq
    expect(await statements.fold('alice', 1000)).toEqual({ seq, isComplete: true })
  })

  it('lets others run after each full step', async () => {
    const { ledger, statements } = open()
    await give(ledger, 600)
    let turns = 0
    const turning = setInterval(() => {
      turns += 1
    }, 0)
    const started = performance.now()
    while (performance.now() < started + 3);
    await statements.fold('alice', 500)
    clearInterval(turning)
    expect(turns).toBeGreaterThan(0)
  })
})

describe('reading usage', () => {
  it('gives the rows of the pages that were asked for, none where nobody used anything, and names further pages', async () => {
    const { ledger, store, statements } = open()
    await give(ledger, 1)
    await statements.fold('alice', 1000)
    const row = { model: 'model' }
    await store.transact('alice', [], ({ head }) => ({
      result: 0,
      write: {
        head: head as never,
        put: [
          { key: 'usage:2026-11-10', value: { pages: 3, rows: [row] }, mode: 'replace' },
          { key: 'usage:2026-11-10:1', value: { rows: [row, row] }, mode: 'replace' },
        ],
      },
    }))
    const day = '2026-11-10'
    const pages = [
      { day, page: 0 },
      { day, page: 1 },
      { day: '2026-11-11', page: 0 },
    ]
    const { seq } = await ledger.exportState('alice', 'none')
    expect(await statements.usage('alice', pages)).toEqual({
      seq,
      pages: [
        { day, rows: [row] },
        { day, rows: [row, row] },
        { day: '2026-11-11', rows: [] },
      ],
      further: [
        { day, page: 1 },
        { day, page: 2 },
      ],
    })
  })

  it('gives 32 pages at once and no more', async () => {
    const { statements } = open()
    const pages = (count: number) => Array.from({ length: count }, (_, page) => ({ day: '2026-11-10', page }))
    expect((await statements.usage('alice', pages(usagePagesMax))).pages).toHaveLength(32)
    await expect(statements.usage('alice', pages(usagePagesMax + 1))).rejects.toThrow('33 pages')
  })
})

describe('closing a period', () => {
  const december = Date.UTC(2026, 11, 2)

  it('adds up what is missing, looks after every open hold, and reads the invoice again as the period', async () => {
    const { ledger, clock, statements, options } = open()
    await give(ledger, 3)
    const running = await statements.period('alice', '2026-11')
    expect(running).toEqual({
      key: '2026-11',
      startMs: Date.UTC(2026, 10, 1),
      endMs: Date.UTC(2026, 11, 1),
    })
    clock.set(december)
    const result = await statements.closePeriod({ accountId: 'alice', periodKey: '2026-11' })
    expect(result.outcome).toBe('closed')
    expect(options).toContainEqual({ dueBy: Number.MAX_SAFE_INTEGER, dueMax: 1000 })
    expect(await statements.period('alice', '2026-11')).toEqual(running)
    const invoice = await statements.invoice('alice', '2026-11')
    expect(result).toMatchObject({ invoice })
    expect(await statements.invoice('alice', '2026-12')).toBeUndefined()
    const steps = options.length
    expect(await statements.invoice('alice', '2026-11x')).toBeUndefined()
    expect(options).toHaveLength(steps)
  })

  it('closes the oldest one without an invoice when none is named', async () => {
    const { ledger, clock, statements } = open()
    expect(await statements.closePeriod({ accountId: 'alice' })).toEqual({ outcome: 'no-period' })
    await give(ledger, 1)
    clock.set(Date.UTC(2027, 0, 2))
    for (const periodKey of ['2026-11', '2026-12']) {
      expect(await statements.closePeriod({ accountId: 'alice' })).toMatchObject({ invoice: { periodKey } })
    }
    const list = (limit: number, before?: string) =>
      statements.invoices({ accountId: 'alice', limit, ...(before === undefined ? {} : { before }) })
    expect((await list(9)).map(({ periodKey }) => periodKey)).toEqual(['2026-12', '2026-11'])
    expect((await list(1)).map(({ periodKey }) => periodKey)).toEqual(['2026-12'])
    expect((await list(9, '2026-12')).map(({ periodKey }) => periodKey)).toEqual(['2026-11'])
  })

  it.each([0, -1, 1001, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'does not list %s invoices, and reads nothing for that',
    async (limit) => {
      const { options, statements } = open()
      await expect(statements.invoices({ accountId: 'alice', limit })).rejects.toThrow(
        new RangeError(`limit must be a whole number from 1 to 1000, not ${limit}.`),
      )
      expect(options).toEqual([])
    },
  )

  it('reads a period that has its invoice as it was, though its terms are forgotten', async () => {
    const { ledger, clock, statements } = open()
    await ledger.configure({ accountId: 'alice', planId: 'free', anchorDay: 5 })
    clock.set(Date.UTC(2027, 0, 10))
    await ledger.configure({ accountId: 'alice', planId: 'free', anchorDay: 20 })
    clock.set(Date.UTC(2027, 5, 2))
    const invoices: unknown[] = []
    for (;;) {
      const result = await statements.closePeriod({ accountId: 'alice' })
      if (result.outcome !== 'closed') break
      const { periodKey, startMs, endMs } = result.invoice
      invoices.push({ key: periodKey, startMs, endMs })
    }
    expect(invoices.length).toBeGreaterThan(3)
    const periods = await Promise.all(
      invoices.map((each) => statements.period('alice', (each as { key: string }).key)),
    )
    expect(periods).toEqual(invoices)
  })

  it.each([
    ['tries again', { periodKey: '2026-11' }, 2],
    ['looks for the oldest period', {}, 1],
  ])('adds up what is booked meanwhile before it %s', async (_, period, expected) => {
    let tries = 0
    let booked = 0
    const { ledger, clock, statements } = open({
      async before(writing, options) {
        if (options?.dueMax !== undefined) tries += 1
        else if (booked < 20) {
          booked += 1
          await writing.configure({ accountId: 'alice', planId: 'free', seats: 50 + booked })
        }
      },
    })
    await give(ledger, 1)
    clock.set(december)
    const result = await statements.closePeriod({ accountId: 'alice', ...period })
    expect(result).toMatchObject({ outcome: 'closed', invoice: { periodKey: '2026-11' } })
    expect({ tries, booked }).toEqual({ tries: expected, booked: 20 })
  })

  it('says that the account is busy when it was written between all of 200 tries', async () => {
    let tries = 0
    const { ledger, clock, statements } = open({
      // As though a request were settled right before each try to close.
      async before(writing, options) {
        if (options?.dueMax === undefined) return
        tries += 1
        await writing.configure({ accountId: 'alice', planId: 'free', seats: 2 + (tries % 2) })
      },
    })
    await give(ledger, 1)
    clock.set(december)
    const closing = statements.closePeriod({ accountId: 'alice', periodKey: '2026-11' })
    await expect(closing).rejects.toMatchObject({ code: 'gateway_busy', retryAfterSeconds: 1 })
    expect(tries).toBe(200)
  })
})
