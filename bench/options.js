import { parseArgs } from 'node:util'
import { workloads } from './workloads.js'

const modes = ['bare', 'memory', 'sqlite']
const names = [...Object.keys(workloads), 'ledger']

export const help = `Measures what Farebox adds to a proxy in Express that parses and bills nothing.

  npm run bench -- [options]

  --quick            one short round, to see that everything works
  --only LIST        some of ${modes.join(',')}
  --workloads LIST   some of ${names.join(',')}
  --rounds N         rounds to take the medians of (3)
  --seconds N        seconds measured per server, workload and round (3)
  --warm-up N        seconds before that (1), and up to 8 times as long as a server starts
  --dir DIRECTORY    where the databases go (the directory for temporary files)
  --json FILE        also write every figure of every round as JSON
  --assert           exit with 1 when a target of the first column is missed
  --no-pin           leave it to the system where processes run; where taskset(1) is there, the server has a
                     processor to itself and everything else shares another one
  --help

Workloads:
${Object.entries(workloads)
  .map(([name, { title }]) => `  ${name.padEnd(18)} ${title}\n`)
  .join('')}  ${'ledger'.padEnd(18)} holds and settlements through the ledger alone, 256 in flight
`

/** What the command line asks for. Ends the process with an explanation when that makes no sense. */
export function readOptions(values) {
  try {
    return parse(values)
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${help}`)
    process.exit(1)
  }
}

function parse(args) {
  const { values } = parseArgs({
    args,
    allowNegative: true,
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      assert: { type: 'boolean', default: false },
      pin: { type: 'boolean', default: true },
      only: { type: 'string', default: modes.join(',') },
      workloads: { type: 'string', default: names.join(',') },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      'warm-up': { type: 'string' },
      dir: { type: 'string' },
      json: { type: 'string' },
    },
  })
  const { quick } = values
  const chosen = chooseFrom(names, values.workloads, '--workloads')
  return {
    help: values.help,
    isAsserting: values.assert,
    isPinned: values.pin,
    modes: chooseFrom(modes, values.only, '--only'),
    workloads: chosen.filter((name) => name !== 'ledger'),
    withLedger: chosen.includes('ledger'),
    rounds: number(values.rounds ?? (quick ? '1' : '3'), '--rounds', 1, 100),
    measureMs: 1000 * number(values.seconds ?? (quick ? '1' : '3'), '--seconds', 0.1, 600),
    warmUpMs: 1000 * number(values['warm-up'] ?? (quick ? '0.5' : '1'), '--warm-up', 0.1, 600),
    directory: values.dir,
    json: values.json,
  }
}

/** In the order of `known`, because the order is part of the method. */
function chooseFrom(known, text, option) {
  const asked = text.split(',').map((name) => name.trim())
  const stranger = asked.find((name) => !known.includes(name))
  if (stranger !== undefined) throw new Error(`${option} takes ${known.join(', ')}, not "${stranger}".`)
  return known.filter((name) => asked.includes(name))
}

function number(text, option, min, max) {
  const value = Number(text)
  const isRight = value >= min && value <= max && (option !== '--rounds' || Number.isInteger(value))
  if (!isRight) throw new Error(`${option} takes a number from ${min} to ${max}, not "${text}".`)
  return value
}
