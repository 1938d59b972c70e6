import { parseArgs } from 'node:util'
import { checkCharges } from '@farebox/testkit/prices'

const help = `Rates random attempts and compares every one with an exact rational oracle, to the nano-USD.

  node bench/soak-charges.js [options]

  --count N   how many charges (10000000)
  --seed N    which charges; the same seed gives the same ones (1)
  --help

Prices have tiers for long prompts and for the service tier, units that are named or not, amounts with up to fifteen
places or an exponent. Build first. Exits with 1 at the first charge that is wrong, and shows it.
`

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '10000000' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  process.stdout.write(help)
  process.exit(0)
}
const count = whole(values.count, '--count')
const seed = whole(values.seed, '--seed')
const startedMs = performance.now()
let shownMs = startedMs

const report = checkCharges({
  count,
  seed,
  onProgress(done) {
    const now = performance.now()
    if (now - shownMs < 1000 || done === count) return
    shownMs = now
    const perSecond = Math.round(done / ((now - startedMs) / 1000))
    process.stderr.write(
      `\r${done.toLocaleString('en')} of ${count.toLocaleString('en')}, ${perSecond} a second `,
    )
  },
})

process.stderr.write('\r')
if (report.wrong !== undefined) {
  const { charge, charged, expected } = report.wrong
  const text = JSON.stringify(charge, (_, value) => (typeof value === 'bigint' ? `${value}n` : value), 2)
  process.stderr.write(
    `Charged ${charged} nano-USD instead of ${expected}, after ${report.checked} charges:\n${text}\n`,
  )
  process.exit(1)
}
const excess = report.charged - report.exact
process.stdout.write(
  `${report.checked.toLocaleString('en')} charges are exact, seed ${seed}, ` +
    `${((performance.now() - startedMs) / 1000).toFixed(1)} s.\n` +
    `Charged ${report.charged} nano-USD; the exact sum rounds down to ${report.exact}: ${excess} above, less than one for each.\n` +
    `${report.roundedOtherwiseByLine.toLocaleString('en')} of every tenth would differ if every line were rounded.\n`,
)

function whole(text, option) {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  process.stderr.write(`${option} takes a whole number, not "${text}".\n\n${help}`)
  process.exit(2)
}
