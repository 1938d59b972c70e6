import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { coresToPin, startChild } from './children.js'
import { conditions, stolenTime } from './conditions.js'
import { help, readOptions } from './options.js'
import { formatReport } from './report.js'
import { missedTargets, targets } from './targets.js'
import { workloads } from './workloads.js'

/**
 * Measures Farebox against a proxy that does nothing, in rounds of a few turns: every turn asks the same of every server,
 * one right after the other, so that whatever else the machine does meets them alike.
 */

const options = readOptions(process.argv.slice(2))
const children = new Set()

/** Servers are only started once a round, but what they are compared by should be close together in time. */
const turnsPerRound = 3

async function main() {
  if (options.help) {
    process.stdout.write(help)
    return
  }
  const directory = mkdtempSync(join(options.directory ?? tmpdir(), 'farebox-bench-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
  // Nothing here waits without a limit, and yet: a benchmark that never ends helps nobody.
  setTimeout(() => fail(new Error('The benchmark took too long.')), wholeLimitMs()).unref()

  const cores = options.isPinned ? coresToPin() : {}
  const stolenBefore = stolenTime()
  const samples = { http: [], ledger: [] }
  for (let round = 1; round <= options.rounds; round += 1) {
    progress(`round ${round} of ${options.rounds}`)
    if (options.workloads.length > 0) samples.http.push(...(await measureServers(directory, cores)))
    if (options.withLedger) samples.ledger.push(await measureLedgers(directory, cores))
  }
  const measured = {
    conditions: conditions({ directory, cores, options, turnsPerRound, stolenBefore }),
    samples,
  }
  const judged = targets(samples)
  process.stdout.write(formatReport(measured, judged))
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ ...measured, targets: judged }, undefined, 2)}\n`)
  }
  const missed = missedTargets(judged)
  if (options.isAsserting && missed.length > 0) {
    progress(`missed: ${missed.map(({ title }) => title).join('; ')}`)
    process.exitCode = 1
  }
}

/** One round over HTTP. Gives a sample for each turn: for every workload, every server once. */
async function measureServers(directory, cores) {
  const upstream = start(new URL('./upstream.js', import.meta.url), { core: cores.others })
  const load = start(new URL('./load.js', import.meta.url), { core: cores.others })
  const address = `http://127.0.0.1:${(await upstream.ask('start')).port}`
  const servers = []
  for (const mode of options.modes) {
    const values = ['--mode', mode, '--upstream', address, '--database', join(directory, 'server.db')]
    const server = start(new URL('./server.js', import.meta.url), { arguments: values, core: cores.server })
    servers.push({ mode, server, port: (await server.ask('start')).port })
  }
  await wakeUp({ upstream, load, servers })
  const turns = Array.from({ length: turnsPerRound }, () => ({}))
  for (const workload of options.workloads) {
    await upstream.ask('serve', { workload })
    for (const { mode, port } of servers) {
      progress(`  ${workload} ${mode}`)
      await load.ask('run', { port, workload, durationMs: options.warmUpMs, isFirst: true })
    }
    for (const turn of turns) {
      turn[workload] = {}
      for (const { mode, server, port } of servers) {
        turn[workload][mode] = await measureServer({ load, server, mode, port, workload })
      }
    }
  }
  await stopAll()
  return turns
}

async function measureServer({ load, server, mode, port, workload }) {
  const durationMs = options.measureMs / turnsPerRound
  const before = await server.ask('usage')
  const result = await load.ask('run', { port, workload, durationMs, isFirst: false }).catch((cause) => {
    throw new Error(`Measuring ${workload} on ${mode} failed: ${cause.message}`, { cause })
  })
  const after = await server.ask('usage')
  const cpuUs = after.cpuUs - before.cpuUs
  const cpuUsPerRequest = cpuUs / result.requests
  const { chunks } = workloads[workload]
  return {
    ...result,
    cpuUsPerRequest,
    ...(chunks === undefined ? {} : { cpuNsPerChunk: (1000 * cpuUsPerRequest) / chunks }),
    coreShare: cpuUs / 1e6 / result.elapsedSeconds,
    rssBytes: after.rssBytes,
  }
}

/**
 * Has every server's code compiled before anything is measured. Counted in requests, because that takes a server that does
 * more per request longer, and what comes first would be measured half compiled.
 */
async function wakeUp({ upstream, load, servers }) {
  const workload = 'small'
  await upstream.ask('serve', { workload })
  for (const { mode, port } of servers) {
    progress(`  wake up ${mode}`)
    const durationMs = 8 * options.warmUpMs
    await load.ask('run', { port, workload, durationMs, requestsMax: 10_000, isFirst: true })
  }
}

/** One round of the ledger alone, a fresh process for every figure. */
async function measureLedgers(directory, cores) {
  const results = {}
  for (const accounts of [1, 1000]) {
    for (const mode of options.modes.filter((candidate) => candidate !== 'bare')) {
      progress(`  ledger ${mode}, accounts: ${accounts}`)
      const values = ['--storage', mode, '--database', join(directory, 'ledger.db')]
      const ledger = start(new URL('./ledger.js', import.meta.url), { arguments: values, core: cores.server })
      const run = { accounts, inFlight: 256 }
      await ledger.ask('run', { ...run, durationMs: options.warmUpMs })
      results[accounts] ??= {}
      results[accounts][mode] = await ledger.ask('run', { ...run, durationMs: options.measureMs })
      await stopAll()
    }
  }
  return results
}

function start(url, settings) {
  const child = startChild(url, settings)
  children.add(child)
  return child
}

async function stopAll() {
  const stopping = [...children].map((child) => child.stop())
  children.clear()
  await Promise.all(stopping)
}

function wholeLimitMs() {
  const runs = options.modes.length * (options.workloads.length + 6)
  return 60_000 + options.rounds * runs * 3 * (options.warmUpMs + options.measureMs + 2000)
}

function progress(text) {
  process.stderr.write(`${text}\n`)
}

async function fail(error) {
  progress(`The benchmark failed: ${error.stack ?? error}`)
  // The end of one child looks like a broken connection to another, which may be the first to tell.
  await delay(500)
  for (const { failure } of children) if (failure !== undefined) progress(failure.message)
  // Children end when the channel to this process closes.
  process.exit(1)
}

main().catch(fail)
