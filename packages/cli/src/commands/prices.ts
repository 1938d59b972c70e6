import {
  type CatalogRow,
  type PriceChange,
  type PriceLineChange,
  type PriceMoment,
  priceBook,
} from '@farebox/core'
import { type Call, type Command, text } from '../command.ts'
import { booksOptions, openPrices } from '../open-books.ts'
import { priceText, rateText } from '../price-text.ts'
import { type ExitCode, exitCodes, type Terminal, UsageError } from '../terminal.ts'
import { counted, jsonLine, shown } from '../text.ts'

export const prices: Command = {
  name: 'prices',
  summary: 'show what providers charge, and what has changed',
  help: `farebox prices: show what providers charge, and what has changed

Usage: farebox prices [show] [options]                what Farebox was released with, with the sources
       farebox prices versions [--gateway FILE]       the versions there are, and since when
       farebox prices compare FROM TO [options]       which rates differ

FROM and TO are each a version, a date such as 2026-12-01 or 2026-12-01T09:00Z, or \`now\`.

  --gateway FILE  your module that exports \`gateway\`: your own prices too
  --provider ID   rows of this provider only
  --model TEXT    rows whose model contains this
  --json          one line of JSON for each row or change; rates as nano-USD for so many units, as text

Exits with 0, with 1 when no row fits or something differs, with 2 when called wrongly, and with 3 when the gateway could not
be loaded.
`,
  options: {
    gateway: booksOptions.gateway,
    provider: { type: 'string' },
    model: { type: 'string' },
    json: { type: 'boolean' },
  },
  async run(call, terminal) {
    const [what = 'show', ...rest] = call.words
    if (what === 'show' && rest.length === 0) return show(call, terminal)
    if (what === 'versions' && rest.length === 0) return versions(call, terminal)
    if (what === 'compare') return compare(call, rest, terminal)
    throw new UsageError(`prices knows no "${call.words.join(' ')}".`)
  },
}

function show(call: Call, { out, error }: Terminal): ExitCode {
  if (call.options['gateway'] !== undefined)
    throw new UsageError('prices show is about what Farebox was released with: use compare with --gateway.')
  const rows = priceBook.filter((row) => fits(row, call))
  if (rows.length === 0) {
    error.write('farebox: no row of the price book fits.\n')
    return exitCodes.findings
  }
  out.write(call.options['json'] === true ? rows.map(jsonLine).join('') : table(rows))
  return exitCodes.done
}

async function versions(call: Call, { folder, out }: Terminal): Promise<ExitCode> {
  const books = await openPrices(call, folder)
  try {
    // A book without rows, such as that of a host without prices of its own, is a version like any other.
    for (const known of books.prices.versions().filter(({ rows }) => rows > 0)) {
      const since = known.effectiveAtMs === 0 ? 'always' : new Date(known.effectiveAtMs).toISOString()
      out.write(
        call.options['json'] === true
          ? jsonLine(known)
          : `${known.version}  ${since.padEnd(24)}  ${counted(known.rows, 'row')}\n`,
      )
    }
    return exitCodes.done
  } finally {
    await books.close()
  }
}

async function compare(
  call: Call,
  [from, to, ...rest]: readonly string[],
  { folder, out, clock }: Terminal,
): Promise<ExitCode> {
  if (from === undefined || to === undefined || rest.length > 0)
    throw new UsageError('prices compare takes two versions or dates: FROM TO.')
  const moments = { from: momentOf(from, clock.now()), to: momentOf(to, clock.now()) }
  const books = await openPrices(call, folder)
  try {
    const result = books.prices.compare(moments)
    if (result.outcome === 'unknown-version')
      throw new UsageError(`There is no version ${result.version}. \`farebox prices versions\` lists them.`)
    const changes = result.changes.filter((change) => fits(change, call))
    for (const change of changes)
      out.write(call.options['json'] === true ? jsonLine(change) : changeText(change))
    return changes.length === 0 ? exitCodes.done : exitCodes.findings
  } finally {
    await books.close()
  }
}

/** @throws UsageError when the text is neither a version nor a date. */
function momentOf(text: string, nowMs: number): PriceMoment {
  if (text === 'now') return { atMs: nowMs }
  if (/^[0-9a-f]{16}$/.test(text)) return { version: text }
  const atMs = /^\d{4}-\d{2}-\d{2}(T.+)?$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(atMs)) throw new UsageError(`"${text}" is neither a version, nor a date, nor "now".`)
  return { atMs }
}

function fits(row: Pick<CatalogRow, 'providerId' | 'model' | 'providerModel'>, call: Call): boolean {
  const provider = text(call, 'provider')
  const model = text(call, 'model')?.toLowerCase()
  return (
    (provider === undefined || row.providerId === provider) &&
    (model === undefined || `${row.model} ${row.providerModel}`.toLowerCase().includes(model))
  )
}

function table(rows: readonly CatalogRow[]): string {
  const cells = [
    ['model', 'provider', 'operation', 'price in USD', 'read on'],
    ...rows.map((row) => [row.model, row.providerId, row.operation, priceText(row), row.readOn]),
  ]
  const widths =
    cells[0]?.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0))) ?? []
  return cells
    .map(
      (line) =>
        `${line
          .map((cell, column) => shown(cell).padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

function changeText({ kind, model, providerId, operation, lines }: PriceChange): string {
  const what = `${kind} ${shown(model)} on ${shown(providerId)} for ${operation}`
  return [what, ...lines.map((line) => `  ${lineText(line)}`), ''].join('\n')
}

function lineText({ unit, serviceTier, overInputTokens, from, to }: PriceLineChange): string {
  const tier = serviceTier === undefined ? '' : `${shown(serviceTier)} `
  const over = overInputTokens === undefined ? '' : `over ${overInputTokens} input tokens `
  const rate = (value: typeof from) => (value === undefined ? 'none' : rateText(unit, value))
  return `${tier}${over}${unit} ${rate(from)} -> ${rate(to)}`
}
