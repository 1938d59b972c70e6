import type { Period } from '../ledger/period.ts'
import type { Statements, UsagePage } from '../ledger/statements.ts'
import { daysIn, rangeOf } from './day-range.ts'
import type { ExportRow } from './export-row.ts'
import { focusHeader, focusLines } from './focus.ts'
import { tableHeader, tableLine, tableRow } from './usage-table.ts'

/** `csv` and `jsonl` have one line for each row; `focus` is a FOCUS 1.2 data set as CSV. */
export type UsageFormat = 'csv' | 'jsonl' | 'focus'

export interface UsageExport {
  readonly accountId: string
  /** The first UTC day, such as `2026-11-01`. */
  readonly from: string
  /** The UTC day after the last one. At most 366 days. */
  readonly to: string
  readonly format: UsageFormat
  /** For `focus`: who sends the invoice. @default 'Farebox' */
  readonly issuer?: string
}

/**
 * All usage of some days as text, in pieces of at most a few hundred lines: the whole of it is never in memory. Amounts
 * are exact decimal US dollars.
 *
 * What was booked before it began is in it. Days are read one after another, so later bookings may be in some of them.
 *
 * @throws GatewayError `invalid_request` when the days make no sense. RangeError when the format is unknown.
 */
export function exportUsage(statements: Statements, request: UsageExport): AsyncIterable<string> {
  const { accountId, format, issuer = 'Farebox' } = request
  const days = daysIn(rangeOf(request))
  if (!Object.hasOwn(formats, format)) {
    throw new RangeError(`Usage can not be written as "${format}". Use ${Object.keys(formats).join(', ')}.`)
  }
  const { header, line } = formats[format]
  const periods = new Map<string, Period>()

  async function periodOf(periodKey: string): Promise<Period> {
    const known = periods.get(periodKey)
    if (known !== undefined) return known
    const period = await statements.period(accountId, periodKey)
    periods.set(periodKey, period)
    return period
  }

  async function* pieces(): AsyncGenerator<string> {
    await statements.fold(accountId, Number.MAX_SAFE_INTEGER)
    if (header !== '') yield header
    const waiting: UsagePage[] = days.map((day) => ({ day, page: 0 }))
    for (;;) {
      const next = waiting.shift()
      if (next === undefined) return
      const { pages, further } = await statements.usage(accountId, [next])
      waiting.unshift(...further)
      for (const { day, rows } of pages) {
        const lines: string[] = []
        for (const row of rows) {
          lines.push(line({ accountId, day, row, issuer, period: await periodOf(row.periodKey) }))
        }
        if (lines.length > 0) yield lines.join('')
      }
    }
  }

  return pieces()
}

interface Format {
  readonly header: string
  readonly line: (row: ExportRow) => string
}

const formats: Readonly<Record<UsageFormat, Format>> = {
  csv: { header: tableHeader, line: tableLine },
  jsonl: { header: '', line: (row) => `${JSON.stringify(tableRow(row))}\n` },
  focus: { header: focusHeader, line: focusLines },
}
