import { median } from './statistics.js'
import { ratio } from './targets.js'
import { workloads } from './workloads.js'

const figures = {
  requestsPerSecond: 'requests/s',
  cpuUsPerRequest: 'CPU µs/request',
  chunksPerSecond: 'chunks/s',
  cpuNsPerChunk: 'CPU ns/chunk',
  latencyMsP50: 'latency p50 ms',
  latencyMsP99: 'latency p99 ms',
  firstByteMsP50: 'first byte p50 ms',
  firstByteMsP99: 'first byte p99 ms',
  chunkDelayMsP50: 'chunk delay p50 ms',
  chunkDelayMsP99: 'chunk delay p99 ms',
  chunksPerRead: 'chunks per read',
  coreShare: 'share of its processor',
  pairsPerSecond: 'hold+settle pairs/s',
  cpuUsPerPair: 'CPU µs/pair',
  reserveMsP50: 'hold p50 ms',
  reserveMsP99: 'hold p99 ms',
}

/** What says something about each kind of workload. */
const shown = {
  reply: ['requestsPerSecond', 'cpuUsPerRequest', 'latencyMsP50', 'latencyMsP99', 'coreShare'],
  burst: ['chunksPerSecond', 'cpuNsPerChunk', 'latencyMsP50', 'latencyMsP99', 'coreShare'],
  paced: ['chunksPerSecond', 'cpuNsPerChunk', 'chunkDelayMsP50', 'chunkDelayMsP99', 'chunksPerRead'],
  'first-byte': ['firstByteMsP50', 'firstByteMsP99'],
  ledger: ['pairsPerSecond', 'cpuUsPerPair', 'reserveMsP50', 'reserveMsP99', 'coreShare'],
}

const modes = ['bare', 'memory', 'sqlite']
const pairs = [
  ['memory', 'bare'],
  ['sqlite', 'bare'],
  ['sqlite', 'memory'],
]

/** Everything that was measured, as text. */
export function formatReport({ conditions, samples }, judged) {
  const sections = [
    ...Object.entries(workloads).map(([name, { title, kind }]) =>
      formatTable(
        `${name}: ${title}`,
        shown[kind],
        samples.http.map((turn) => turn[name]),
      ),
    ),
    ...[1, 1000].map((accounts) => {
      const title = `ledger alone: 256 in flight, ${accounts === 1 ? 'one account' : '1,000 accounts'}`
      return formatTable(
        title,
        shown.ledger,
        samples.ledger.map((round) => round[accounts]),
      )
    }),
  ]
  return [
    formatConditions(conditions),
    ...sections.filter((section) => section !== undefined),
    formatTargets(judged),
    ...doubts(samples),
  ].join('\n')
}

function formatConditions(conditions) {
  const { node, undici, express, libsql, platform, processor, cores, pinned } = conditions
  return `Farebox in Express against bare: the same Express with undici's dispatch, which parses and bills nothing.
RATIOS ARE WHAT COUNTS. Absolute figures depend on the machine and on what else runs on it.

Node ${node}, undici ${undici}, Express ${express}, libsql ${libsql}, ${platform}, ${cores} × ${processor}
Pinned: ${pinned}
Load average at the end: ${conditions.loadAverage.toFixed(1)}. Taken by other virtual machines: ${formatShare(conditions.stolenShare)}
Rounds: ${conditions.rounds} of ${conditions.turnsPerRound} turns, ${conditions.measureMs / 1000} s per figure and round after ${conditions.warmUpMs / 1000} s of warm-up; medians, of the ratios of each turn too
CPU is user and system time of the server's process alone. A share of its processor well below 1 under load means that
others had the rest. Databases on ${conditions.fileSystem}, an fsync there takes ${conditions.fsyncMsP50.toFixed(2)} ms
`
}

function formatTable(title, names, samples) {
  if (samples.every((results) => results === undefined)) return undefined
  const header = [title, ...modes, ...pairs.map(([mode, base]) => `${mode}÷${base}`)]
  const rows = names.map((name) => [
    figures[name],
    ...modes.map((mode) => formatNumber(median(samples.map((results) => results?.[mode]?.[name])))),
    ...pairs.map(([mode, base]) =>
      formatRatio(median(samples.map((results) => ratio(results, mode, base, name)))),
    ),
  ])
  return `${alignedTable([header, ...rows])}\n`
}

function formatTargets(judged) {
  const rows = judged.map(({ title, value, first, goal, isCeiling, verdict }) => {
    const sign = isCeiling ? '≤' : '≥'
    return [
      title,
      formatNumber(value),
      `${sign} ${formatNumber(first)}`,
      `${sign} ${formatNumber(goal)}`,
      verdict,
    ]
  })
  return `${alignedTable([['targets', 'measured', 'first', 'goal', ''], ...rows])}\n`
}

/** Why some of this run should not be believed: a busy machine is easily mistaken for a slow server. */
function doubts({ http, ledger }) {
  const loaded = [...http.flatMap(({ small, large }) => [small, large]), ...ledger.flatMap(Object.values)]
  const shares = loaded.flatMap((results) => Object.values(results ?? {}).map(({ coreShare }) => coreShare))
  const paced = http.flatMap((turn) => Object.values(turn.paced ?? {}).map((result) => result.chunksPerRead))
  const share = median(shares)
  const chunksPerRead = median(paced)
  return [
    ...(share < 0.9
      ? [
          `DOUBTFUL: servers under load had ${share.toFixed(2)} of a processor. Whatever is per second is too low.\n`,
        ]
      : []),
    ...(chunksPerRead > 1.1
      ? [`DOUBTFUL: paced chunks came ${chunksPerRead.toFixed(2)} to a read. CPU per chunk is too low.\n`]
      : []),
  ]
}

/** The first column to the left and wide enough for all tables to line up, the others to the right. */
function alignedTable(rows) {
  const lines = rows.map(([first, ...others]) =>
    `${first.padEnd(62)}${others.map((cell) => cell.padStart(14)).join('')}`.trimEnd(),
  )
  const [header, ...rest] = lines
  return [header, '─'.repeat(header.length), ...rest].join('\n')
}

function formatShare(value) {
  return value === undefined ? 'unknown' : `${(100 * value).toFixed(1)} %`
}

function formatRatio(value) {
  return value === undefined ? '–' : value.toFixed(2)
}

function formatNumber(value) {
  if (value === undefined) return '–'
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
