import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { SimulationError, simulate } from '@farebox/testkit/simulation'

/**
 * Runs the simulation of the money path for as long as it is let. A run is a function of its seed, so a range of seeds that
 * went well never has to be run again, and one that did not is played again with its log.
 */

const help = `Simulates the money path with faults, seed after seed, until one finds something wrong.

  npm run soak -- [options]

  --from N       the first seed (1)
  --seeds N      how many seeds (1000000)
  --minutes N    stop after so long, and say where to go on
  --workers N    how many seeds at a time (the number of processors)
  --failures N   stop after so many seeds that found something (1)
  --seed N       play this one seed, and write its log
  --help

Stopped with Ctrl+C or by the time, it says which --from goes on.
`

/** Seeds that a worker is given at a time. */
const blockSize = 200
const progressMs = 5_000

function readOptions(args) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        help: { type: 'boolean', default: false },
        seed: { type: 'string' },
        from: { type: 'string', default: '1' },
        seeds: { type: 'string', default: '1000000' },
        minutes: { type: 'string', default: '1000000' },
        workers: { type: 'string', default: String(availableParallelism()) },
        failures: { type: 'string', default: '1' },
      },
    })
    return {
      help: values.help,
      seed: values.seed === undefined ? undefined : whole('--seed', values.seed, 0),
      from: whole('--from', values.from, 0),
      seeds: whole('--seeds', values.seeds, 1),
      minutes: whole('--minutes', values.minutes, 1),
      workers: whole('--workers', values.workers, 1),
      failures: whole('--failures', values.failures, 1),
    }
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${help}`)
    process.exit(1)
  }
}

function whole(option, text, min) {
  const value = Number(text)
  // Seeds are words of 32 bits: beyond that they begin to repeat.
  if (Number.isInteger(value) && value >= min && value < 2 ** 32) return value
  throw new Error(`${option} takes a whole number from ${min} on, not "${text}".`)
}

async function replay(seed) {
  try {
    const { steps } = await simulate(seed, { onLine: (line) => process.stdout.write(`${line}\n`) })
    process.stdout.write(`\nSeed ${seed} went well, in ${steps} steps of trouble.\n`)
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error
    process.stdout.write(`\nSeed ${seed} found something wrong:\n${error.cause?.stack ?? error.cause}\n`)
    process.exitCode = 1
  }
}

async function soak({ from, seeds, minutes, workers, failures }) {
  const state = { next: from, end: from + seeds, done: 0, failed: [], counts: new Map(), isStopping: false }
  /** Where blocks under way begin: the seeds before the first of them are done. */
  const underWay = new Set()
  const goOnFrom = () => Math.min(state.next, ...underWay)
  const stop = () => {
    state.isStopping = true
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  const startedMs = performance.now()
  const limit = setTimeout(stop, Math.min(minutes * 60_000, 2 ** 31 - 1))
  const progress = setInterval(() => {
    const seconds = (performance.now() - startedMs) / 1000
    const rate = Math.round(state.done / seconds)
    process.stderr.write(
      `${Math.round(seconds)} s: ${state.done} seeds, ${rate} a second, ${state.failed.length} failed, all before ${goOnFrom()} done\n`,
    )
  }, progressMs)
  await Promise.all(Array.from({ length: workers }, () => work(state, underWay, failures)))
  clearTimeout(limit)
  clearInterval(progress)
  report(state, goOnFrom(), (performance.now() - startedMs) / 1000)
}

/** Keeps one worker busy. */
async function work(state, underWay, failuresMax) {
  const worker = new Worker(new URL('./soak-worker.js', import.meta.url))
  while (!state.isStopping && state.next < state.end) {
    const from = state.next
    const to = Math.min(from + blockSize, state.end)
    state.next = to
    underWay.add(from)
    worker.postMessage({ from, to })
    const [{ counts, failed }] = await once(worker, 'message')
    underWay.delete(from)
    state.done += to - from
    for (const [what, times] of counts) state.counts.set(what, (state.counts.get(what) ?? 0) + times)
    for (const { message } of failed) process.stderr.write(`${message}\n`)
    state.failed.push(...failed)
    if (state.failed.length >= failuresMax) state.isStopping = true
  }
  await worker.terminate()
}

function report({ done, failed, counts, end }, next, seconds) {
  const lines = [...counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, times]) => `${String(times).padStart(12)}  ${what}`)
  process.stdout.write(`${lines.join('\n')}\n\n${done} seeds in ${Math.round(seconds)} s.\n`)
  if (next < end) process.stdout.write(`Go on with: npm run soak -- --from ${next}\n`)
  for (const { seed } of failed) process.stdout.write(`Play again with: npm run soak -- --seed ${seed}\n`)
  if (failed.length > 0) process.exitCode = 1
}

const options = readOptions(process.argv.slice(2))
if (options.help) process.stdout.write(help)
else if (options.seed !== undefined) await replay(options.seed)
else await soak(options)
