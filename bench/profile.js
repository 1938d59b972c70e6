import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { coresToPin, startChild } from './children.js'
import { selfTimes } from './self-times.js'
import { workloads } from './workloads.js'

/** Where the time of one server, or of the ledger alone, goes while it is loaded: function by function. */

const names = [...Object.keys(workloads), 'ledger']

const help = `Profiles the server under load and prints where its time goes, by the functions' own time.

  node bench/profile.js [options]

  --mode MODE        bare, memory or sqlite (memory)
  --workload NAME    ${names.join(', ')} (small)
  --accounts N       of the ledger (1)
  --seconds N        how long (5)
  --top N            how many functions (40)
  --keep FILE        keep the profile, for the developer tools of a browser
`

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    mode: { type: 'string', default: 'memory' },
    workload: { type: 'string', default: 'small' },
    accounts: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '5' },
    top: { type: 'string', default: '40' },
    keep: { type: 'string' },
  },
})

const warmUpMs = 4000
const durationMs = 1000 * Number(values.seconds)
const unit = values.workload === 'ledger' ? 'pair' : 'request'

async function main() {
  const { mode, workload } = values
  const modes = workload === 'ledger' ? ['memory', 'sqlite'] : ['bare', 'memory', 'sqlite']
  if (values.help || !names.includes(workload) || !modes.includes(mode)) {
    process.stdout.write(help)
    return
  }
  const directory = mkdtempSync(join(tmpdir(), 'farebox-profile-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

  const settings = {
    arguments: ['--database', join(directory, 'profile.db')],
    nodeOptions: ['--cpu-prof', '--cpu-prof-interval', '200', '--cpu-prof-dir', directory],
  }
  const { before, after, count } = await (workload === 'ledger' ? loadLedger : loadServer)(settings)

  const file = readdirSync(directory).find((name) => name.endsWith('.cpuprofile'))
  if (file === undefined) throw new Error('The server left no profile.')
  if (values.keep !== undefined) copyFileSync(join(directory, file), values.keep)
  const profile = JSON.parse(readFileSync(join(directory, file), 'utf8'))
  const times = selfTimes(profile, { fromUs: before.monotonicUs, untilUs: after.monotonicUs })
  process.stdout.write(formatTimes(times, { count, cpuUs: (after.cpuUs - before.cpuUs) / count }))
}

async function loadServer({ arguments: common, nodeOptions }) {
  const { mode, workload } = values
  const cores = coresToPin()
  const upstream = startChild(new URL('./upstream.js', import.meta.url), { core: cores.others })
  const load = startChild(new URL('./load.js', import.meta.url), { core: cores.others })
  const address = `http://127.0.0.1:${(await upstream.ask('start')).port}`
  const server = startChild(new URL('./server.js', import.meta.url), {
    arguments: ['--mode', mode, '--upstream', address, ...common],
    nodeOptions,
    core: cores.server,
  })
  const { port } = await server.ask('start')
  await upstream.ask('serve', { workload })
  await load.ask('run', { port, workload, durationMs: warmUpMs, isFirst: true })
  const before = await server.ask('usage')
  const { requests } = await load.ask('run', { port, workload, durationMs, isFirst: false })
  const after = await server.ask('usage')
  // The profile is written as the server ends.
  await Promise.all([upstream, load, server].map((child) => child.stop()))
  return { before, after, count: requests }
}

async function loadLedger({ arguments: common, nodeOptions }) {
  const ledger = startChild(new URL('./ledger.js', import.meta.url), {
    arguments: ['--storage', values.mode, ...common],
    nodeOptions,
    core: coresToPin().server,
  })
  const run = { accounts: Number(values.accounts), inFlight: 256 }
  await ledger.ask('run', { ...run, durationMs: warmUpMs })
  const before = await ledger.ask('usage')
  const { pairs } = await ledger.ask('run', { ...run, durationMs })
  const after = await ledger.ask('usage')
  await ledger.stop()
  return { before, after, count: pairs }
}

function formatTimes({ busyUs, functions, groups }, { count, cpuUs }) {
  const line = ([name, us]) => {
    const share = ((100 * us) / busyUs).toFixed(1).padStart(6)
    return `${share} %${(us / count).toFixed(2).padStart(10)}  ${name}`
  }
  return [
    `${values.mode}, ${values.workload}: ${count} ${unit}s, ${cpuUs.toFixed(0)} µs of CPU each, the profiler's own included`,
    '',
    ` share  µs/${unit}  by origin`,
    ...groups.map(line),
    '',
    ` share  µs/${unit}  by function, its own time only`,
    ...functions.slice(0, Number(values.top)).map(line),
    '',
  ].join('\n')
}

main().catch((error) => {
  process.stderr.write(`The profile failed: ${error.stack ?? error}\n`)
  process.exit(1)
})
