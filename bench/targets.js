import { median } from './statistics.js'

/**
 * What the figures are held against. `first` is what has to be reached, `goal` what is aimed at; `isCeiling` says whether
 * less is better. Every value is the median of the samples' own values.
 */
const table = [
  {
    title: 'CPU per request, 1 KB: memory ÷ bare',
    first: 2,
    goal: 1.25,
    isCeiling: true,
    sample: 'http',
    value: (http) => ratio(http.small, 'memory', 'bare', 'cpuUsPerRequest'),
  },
  {
    title: 'CPU per request, 1 KB: SQLite ÷ memory',
    first: 1.6,
    goal: 1.3,
    isCeiling: true,
    sample: 'http',
    value: (http) => ratio(http.small, 'sqlite', 'memory', 'cpuUsPerRequest'),
  },
  {
    title: 'burst streams, chunks/s: memory ÷ bare',
    first: 0.8,
    goal: 2,
    isCeiling: false,
    sample: 'http',
    value: (http) => ratio(http.burst, 'memory', 'bare', 'chunksPerSecond'),
  },
  {
    title: 'paced streams, CPU per chunk: memory ÷ bare',
    first: 1.3,
    goal: 1.05,
    isCeiling: true,
    sample: 'http',
    value: (http) => ratio(http.paced, 'memory', 'bare', 'cpuNsPerChunk'),
  },
  {
    title: 'time to first byte, p50: memory ÷ bare',
    first: 2,
    goal: 1.2,
    isCeiling: true,
    sample: 'http',
    value: (http) => ratio(http.ttfb, 'memory', 'bare', 'firstByteMsP50'),
  },
  {
    title: 'ledger on SQLite, pairs/s, one account',
    first: 10_000,
    goal: 25_000,
    isCeiling: false,
    sample: 'ledger',
    value: (ledger) => ledger[1]?.sqlite?.pairsPerSecond,
  },
  {
    title: 'ledger on SQLite, pairs/s, 1,000 accounts',
    first: 10_000,
    goal: 25_000,
    isCeiling: false,
    sample: 'ledger',
    value: (ledger) => ledger[1000]?.sqlite?.pairsPerSecond,
  },
]

/** Every target with what was measured; `value` is `undefined` where it was not. */
export function targets(samples) {
  return table.map(({ value: read, sample, ...target }) => {
    const value = median(samples[sample].map(read))
    const reaches = (bound) => (target.isCeiling ? value <= bound : value >= bound)
    const verdict =
      value === undefined ? 'not measured' : verdictOf(reaches(target.first), reaches(target.goal))
    return { ...target, value, verdict }
  })
}

export function missedTargets(judged) {
  return judged.filter(({ verdict }) => verdict === 'MISSED')
}

function verdictOf(isFirstReached, isGoalReached) {
  if (isGoalReached) return 'goal reached'
  return isFirstReached ? 'reached' : 'MISSED'
}

/** One server's figure in terms of another's; `undefined` unless both were measured. */
export function ratio(results, mode, base, figure) {
  const value = results?.[mode]?.[figure]
  const baseValue = results?.[base]?.[figure]
  return value === undefined || baseValue === undefined ? undefined : value / baseValue
}
