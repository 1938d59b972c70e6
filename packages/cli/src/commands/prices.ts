import {
  type CatalogRow,
  formatUsd,
  type LongContextTier,
  type Price,
  priceBook,
  type Rate,
} from '@farebox/core'
import { type Call, type Command, text } from '../command.ts'
import { exitCodes, UsageError } from '../terminal.ts'
import { jsonLine, shown } from '../text.ts'

export const prices: Command = {
  name: 'prices',
  summary: 'show what providers charge, by the price book',
  help: `farebox prices: show what providers charge, by the price book

Usage: farebox prices [show] [options]

  --provider ID   rows of this provider only
  --model TEXT    rows whose model contains this
  --json          one line of JSON for each row, with its source; rates as nano-USD for so many units, as text

Exits with 0, with 1 when no row fits, and with 2 when called wrongly.
`,
  options: { provider: { type: 'string' }, model: { type: 'string' }, json: { type: 'boolean' } },
  async run(call, { out, error }) {
    const [what = 'show', ...rest] = call.words
    if (what !== 'show' || rest.length > 0) throw new UsageError(`prices knows no "${call.words.join(' ')}".`)
    const rows = priceBook.filter((row) => fits(row, call))
    if (rows.length === 0) {
      error.write('farebox: no row of the price book fits.\n')
      return exitCodes.findings
    }
    out.write(call.options['json'] === true ? rows.map(jsonLine).join('') : table(rows))
    return exitCodes.done
  },
}

function fits(row: CatalogRow, call: Call): boolean {
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

/** The list price, and behind it what is another price in other tiers. */
function priceText({ price, tiers }: CatalogRow): string {
  const ladder = (steps: readonly LongContextTier[] = []) =>
    steps.map((step) => `over ${step.overInputTokens} input tokens ${ratesText(step.price)}`)
  const service = Object.entries(tiers?.service ?? {}).flatMap(([name, tier]) =>
    [ratesText(tier.price), ...ladder(tier.longContext)].map((text) => `${name} ${text}`),
  )
  return [ratesText(price), ...ladder(tiers?.longContext), ...service].join('; ')
}

function ratesText(price: Price): string {
  return Object.entries(price)
    .flatMap(([unit, rate]) => (rate === undefined ? [] : [`${unit} ${rateText(unit, rate)}`]))
    .join(', ')
}

/** Token prices are published by the million, all others by the unit. */
function rateText(unit: string, { nano, per }: Rate): string {
  const units = unit.endsWith('_token') ? 1_000_000n : 1n
  const exact = nano * units
  return `${exact % per === 0n ? '' : '~'}${formatUsd(exact / per)}${units === 1n ? '' : '/M'}`
}
