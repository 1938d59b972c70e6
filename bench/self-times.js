import { fileURLToPath } from 'node:url'

/**
 * Adds up a .cpuprofile by function: the time in which a function itself was running, not those it called. Only samples
 * between the two moments count, in microseconds of the monotonic clock; idle time does not.
 */
export function selfTimes({ nodes, samples, timeDeltas, startTime }, { fromUs, untilUs }) {
  const frames = new Map(nodes.map((node) => [node.id, node.callFrame]))
  const functions = new Map()
  const groups = new Map()
  let atUs = startTime
  let busyUs = 0
  for (const [index, id] of samples.entries()) {
    atUs += timeDeltas[index]
    // A sample stands for the time until the next one.
    const us = timeDeltas[index + 1] ?? 0
    const frame = frames.get(id)
    if (atUs < fromUs || atUs > untilUs || frame === undefined || frame.functionName === '(idle)') continue
    busyUs += us
    add(functions, `${frame.functionName || '(anonymous)'}  ${place(frame)}`.trimEnd(), us)
    add(groups, group(frame), us)
  }
  return { busyUs, functions: descending(functions), groups: descending(groups) }
}

function add(sums, name, us) {
  sums.set(name, (sums.get(name) ?? 0) + us)
}

function descending(sums) {
  return [...sums].toSorted((a, b) => b[1] - a[1])
}

function place({ url, lineNumber }) {
  if (url === '') return ''
  return `${shortPath(url)}:${lineNumber + 1}`
}

/** Behind the last folder that names a package, because what is before it differs between machines. */
function shortPath(url) {
  if (!url.startsWith('file:') && !url.startsWith('/')) return url
  const path = url.startsWith('file:') ? fileURLToPath(url) : url
  const installed = path.lastIndexOf('node_modules/')
  if (installed !== -1) return path.slice(installed + 'node_modules/'.length)
  return /(?:packages|bench)\/.*$/.exec(path)?.[0] ?? path
}

/** Who is to blame: a package, a module of Node, or what is not JavaScript. */
function group({ functionName, url }) {
  if (url === '') return functionName.startsWith('(') ? functionName : 'native functions'
  const path = shortPath(url)
  if (path.startsWith('node:')) return 'Node'
  const area = /^packages\/([^/]+)\/(?:dist|src)\/(?:([^/]+)\/)?/.exec(path)
  if (area !== null) return `farebox ${area[1]}${area[2] === undefined ? '' : `/${area[2]}`}`
  return /^(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? path
}
