import { setImmediate } from 'node:timers/promises'
import { assert } from '../assert.ts'
import { GatewayError } from '../errors.ts'
import type { Account } from './account.ts'
import { periodOf } from './account-periods.ts'
import {
  type ClosePeriodResult,
  closePeriod,
  closePeriodKeys,
  nextToClose,
  openHoldsMax,
} from './close-period.ts'
import type { JournalEntry } from './entry.ts'
import { foldKeys, foldUsage, readCursor, usageCursorKey } from './fold-usage.ts'
import { type Invoice, invoiceKey, invoiceListKey } from './invoice.ts'
import { isPeriodKey, type Period } from './period.ts'
import type { PlanTable } from './plan.ts'
import type { Cut, Key, Reduce, TransactOptions } from './storage.ts'
import { type UsageDay, type UsageRow, usageDayKey } from './usage-day.ts'

/** How far the sums of an account go. */
export interface Folded {
  /** The last entry of the journal that is in the sums. */
  readonly seq: bigint
  /** Whether everything is in them that was booked before. */
  readonly isComplete: boolean
}

/** A part of the usage of one UTC day: page 0, and further ones for a busy day. */
export interface UsagePage {
  readonly day: string
  readonly page: number
}

/** Some pages, all as of the same entry of the journal. */
export interface UsageReading {
  readonly seq: bigint
  readonly pages: readonly { readonly day: string; readonly rows: readonly UsageRow[] }[]
  /** What else the days have, for those whose page 0 was read. */
  readonly further: readonly UsagePage[]
}

/** Pages that are read in one step: at most about 8,000 rows. */
export const usagePagesMax = 32

/** Invoices that are read in one step. */
const invoicesMax = 1000

export interface CloseRequest {
  readonly accountId: string
  /** Such as `2026-11`. @default the oldest period without an invoice */
  readonly periodKey?: string | undefined
}

export interface ListInvoicesRequest {
  readonly accountId: string
  /** Only periods before this one. */
  readonly before?: string
  /** 1 to 1,000. */
  readonly limit: number
}

/** What is read from the sums of an account instead of its journal. */
export interface Statements {
  /**
   * Adds up what was booked between the last time and now, at most `entriesMax` entries, in small steps. What is booked
   * meanwhile is for the next time. Safe to run at once.
   */
  fold(accountId: string, entriesMax: number): Promise<Folded>
  /** Reads the usage of days, at most 32 pages at once. A day nobody used anything on has no rows. */
  usage(accountId: string, pages: readonly UsagePage[]): Promise<UsageReading>
  /** When a period of the account begins and ends. */
  period(accountId: string, periodKey: string): Promise<Period>
  closePeriod(request: CloseRequest): Promise<ClosePeriodResult>
  invoice(accountId: string, periodKey: string): Promise<Invoice | undefined>
  /**
   * Newest first.
   *
   * @throws RangeError when `limit` is no whole number from 1 to 1,000.
   */
  invoices(request: ListInvoicesRequest): Promise<readonly Invoice[]>
}

export interface StatementsOptions {
  readonly run: <R>(
    accountId: string,
    keys: readonly Key[],
    reduce: Reduce<R>,
    options?: TransactOptions,
  ) => Promise<R>
  readonly journal: (accountId: string, afterSeq: bigint, limit: number) => Promise<readonly JournalEntry[]>
  readonly plans: PlanTable
}

/** Entries added up in one step: few enough that requests under way do not notice. */
const foldStepMax = 250

/** How often a close starts over because the account was in use meanwhile. */
const closeAttemptsMax = 200

export function createStatements({ run, journal, plans }: StatementsOptions): Statements {
  /** `isChasing` also adds up what is booked meanwhile: on an account that is always in use it takes until that pauses. */
  async function foldOn(accountId: string, entriesMax: number, isChasing: boolean): Promise<Folded> {
    let left = entriesMax
    let through: bigint | undefined
    for (;;) {
      const { cursor, head } = await run(accountId, [usageCursorKey], readPlace)
      if (isChasing) through = head
      through ??= head
      if (cursor >= through || left <= 0) return { seq: cursor, isComplete: cursor >= through }
      const entries = await journal(accountId, cursor, Math.min(foldStepMax, left))
      // A journal that is read behind its account has them a little later.
      if (entries.length === 0) return { seq: cursor, isComplete: false }
      await foldStep(accountId, entries)
      left -= entries.length
      // A store in memory answers at once: without a pause, requests would wait until everything is added up.
      if (entries.length === foldStepMax) await setImmediate()
    }
  }

  async function foldStep(accountId: string, entries: readonly JournalEntry[]): Promise<void> {
    let keys = foldKeys(entries)
    for (;;) {
      const result = await run(accountId, keys, foldUsage({ entries }))
      if (result.outcome !== 'more-keys') return
      keys = [...keys, ...result.keys]
    }
  }

  /** The oldest period without an invoice. */
  async function nextKey(accountId: string): Promise<string | undefined> {
    await foldOn(accountId, Number.MAX_SAFE_INTEGER, true)
    return run(accountId, [usageCursorKey], (cut) => {
      const head = cut.head as Account | null
      return { result: head === null ? undefined : nextToClose(head, readCursor(cut))?.key }
    })
  }

  return {
    fold: (accountId, entriesMax) => foldOn(accountId, entriesMax, false),

    async usage(accountId, pages) {
      assert(pages.length <= usagePagesMax, `${pages.length} pages of usage were asked for at once`)
      const keys = [usageCursorKey, ...pages.map(({ day, page }) => usageDayKey(day, page))]
      const { seq, records } = await run(accountId, keys, readRecords)
      const values = pages.map(({ day, page }) => ({
        day,
        value: records.get(usageDayKey(day, page)) as Partial<UsageDay> | undefined,
      }))
      return {
        seq,
        pages: values.map(({ day, value }) => ({ day, rows: value?.rows ?? [] })),
        further: values.flatMap(({ day, value }) => furtherPages(day, value?.pages ?? 1)),
      }
    },

    async period(accountId, periodKey) {
      const key = invoiceKey(periodKey)
      return run(accountId, [usageCursorKey, key], (cut) => {
        const invoice = cut.records.get(key) as Invoice | undefined
        // What its terms were is forgotten once a period has its invoice.
        return {
          result: invoice === undefined ? periodOf(periodKey, readCursor(cut).terms) : spanOf(invoice),
        }
      })
    },

    async closePeriod({ accountId, periodKey: asked }) {
      const periodKey = asked ?? (await nextKey(accountId))
      if (periodKey === undefined) return { outcome: 'no-period' }
      const reduce = closePeriod({ accountId, periodKey }, plans)
      let keys = closePeriodKeys(periodKey)
      for (let attempt = 0; attempt < closeAttemptsMax; attempt += 1) {
        const step = await run(accountId, keys, reduce, {
          dueBy: Number.MAX_SAFE_INTEGER,
          dueMax: openHoldsMax,
        })
        if (step.outcome === 'more-keys') keys = [...keys, ...step.keys]
        else if (step.outcome === 'behind') await foldOn(accountId, Number.MAX_SAFE_INTEGER, true)
        else return step
      }
      throw new GatewayError(
        'gateway_busy',
        'The account is in use all the time. Close its period a little later.',
        { retryAfterSeconds: 1 },
      )
    },

    async invoice(accountId, periodKey) {
      // Keys of records are bounded, what a caller asks for is not.
      if (!isPeriodKey(periodKey)) return undefined
      const key = invoiceKey(periodKey)
      const { records } = await run(accountId, [key], readRecords)
      return records.get(key) as Invoice | undefined
    },

    async invoices({ accountId, before, limit }) {
      if (!Number.isInteger(limit) || limit < 1 || limit > invoicesMax)
        throw new RangeError(`limit must be a whole number from 1 to ${invoicesMax}, not ${limit}.`)
      const list = (await run(accountId, [invoiceListKey], readRecords)).records.get(invoiceListKey)
      const periodKeys = ((list ?? []) as readonly string[])
        .filter((periodKey) => before === undefined || periodKey < before)
        .slice(-limit)
        .toReversed()
      const { records } = await run(accountId, periodKeys.map(invoiceKey), readRecords)
      return periodKeys.map((periodKey) => records.get(invoiceKey(periodKey)) as Invoice)
    },
  }
}

function spanOf({ periodKey, startMs, endMs }: Invoice): Period {
  return { key: periodKey, startMs, endMs }
}

function readPlace(cut: Cut): { result: { cursor: bigint; head: bigint } } {
  const head = cut.head as Account | null
  return { result: { cursor: readCursor(cut).seq, head: head?.seq ?? 0n } }
}

function readRecords(cut: Cut): { result: { seq: bigint; records: Cut['records'] } } {
  return { result: { seq: readCursor(cut).seq, records: cut.records } }
}

function furtherPages(day: string, count: number): UsagePage[] {
  return Array.from({ length: count - 1 }, (_, index) => ({ day, page: index + 1 }))
}
