import { setTimeout as delay } from 'node:timers/promises'
import { answerParent } from './children.js'
import { answerReader, openConnection, withoutChunks } from './http-client.js'
import { percentile } from './statistics.js'
import { requestBytes, timeMark, workloads } from './workloads.js'

/** Every connection sends its next request when it has its answer. */

const dataField = Buffer.from('data: ')
const timeMarkBytes = Buffer.from(timeMark)

/**
 * Loads a server for `durationMs`, and then until the last answer is complete: what a server used up between two quiet
 * moments belongs to exactly these requests. The first run of a server also reads an answer in full.
 */
async function run({ port, workload: name, durationMs, requestsMax = Number.POSITIVE_INFINITY, isFirst }) {
  const workload = workloads[name]
  const request = requestBytes(workload)
  const connections = await Promise.all(
    Array.from({ length: workload.connections }, () => openConnection(port)),
  )
  const latenciesMs = []
  const watch = watches[workload.kind]()
  if (isFirst) await checkAnswer(connections[0], request, workload)
  const startedMs = performance.now()

  async function sendUntilTheEnd(connection) {
    const beganMs = performance.now()
    while (performance.now() - beganMs < durationMs && latenciesMs.length < requestsMax) {
      const sentMs = performance.now()
      const endedMs = await connection.exchange(request, answerReader(watch.onBody?.(sentMs)))
      latenciesMs.push(endedMs - sentMs)
      // Nothing else is to be under way when the time to the first byte is measured.
      if (workload.kind === 'first-byte') await delay(1)
    }
  }

  await Promise.all(
    connections.map(async (connection, index) => {
      await delay((startWithinMs(workload) * index) / connections.length)
      await sendUntilTheEnd(connection)
    }),
  )
  const elapsedSeconds = (performance.now() - startedMs) / 1000
  for (const connection of connections) connection.close()
  const chunks = (workload.chunks ?? 0) * latenciesMs.length
  return {
    requests: latenciesMs.length,
    elapsedSeconds,
    requestsPerSecond: latenciesMs.length / elapsedSeconds,
    latencyMsP50: percentile(latenciesMs, 0.5),
    latencyMsP99: percentile(latenciesMs, 0.99),
    ...(chunks === 0 ? {} : { chunksPerSecond: chunks / elapsedSeconds }),
    ...watch.result?.(chunks),
  }
}

/** Paced streams take as long as each other: without this they would all begin at once, again and again. */
function startWithinMs({ kind, chunks, intervalMs }) {
  return kind === 'paced' ? (chunks * intervalMs) / 4 : 0
}

/** What else is looked at while answers come in. */
const watches = {
  reply: () => ({}),
  burst: () => ({}),
  'first-byte'() {
    const firstByteMs = []
    return {
      onBody(sentMs) {
        let hasBegun = false
        return (_bytes, nowMs) => {
          if (hasBegun) return
          hasBegun = true
          firstByteMs.push(nowMs - sentMs)
        }
      },
      result: () => ({
        firstByteMsP50: percentile(firstByteMs, 0.5),
        firstByteMsP99: percentile(firstByteMs, 0.99),
      }),
    }
  },
  paced() {
    const delaysMs = []
    let reads = 0
    function onBytes(bytes) {
      reads += 1
      const nowUs = Number(process.hrtime.bigint() / 1000n)
      for (let at = bytes.indexOf(timeMarkBytes); at !== -1; at = bytes.indexOf(timeMarkBytes, at + 1)) {
        const start = at + timeMarkBytes.length
        delaysMs.push((nowUs - Number(bytes.latin1Slice(start, start + 16))) / 1000)
      }
    }
    return {
      onBody: () => onBytes,
      result: (chunks) => ({
        chunkDelayMsP50: percentile(delaysMs, 0.5),
        chunkDelayMsP99: percentile(delaysMs, 0.99),
        chunksPerRead: chunks / reads,
      }),
    }
  },
}

/** Reads one answer in full: a server that is fast because it leaves something out must not win. */
async function checkAnswer(connection, request, workload) {
  const parts = []
  await connection.exchange(
    request,
    answerReader((bytes) => parts.push(bytes)),
  )
  const body = Buffer.concat(parts)
  const text = (workload.kind === 'reply' ? body : withoutChunks(body)).toString()
  if (!text.includes('"usage":{')) throw new Error(`An answer has no usage:\n${text.slice(-600)}`)
  if (workload.kind === 'reply') {
    JSON.parse(text)
    return
  }
  // The finish and the end of the stream are events as well.
  const events = countOf(Buffer.from(text), dataField)
  if (events !== workload.chunks + 2) throw new Error(`A stream has ${events} events:\n${text.slice(-600)}`)
  if (!text.endsWith('data: [DONE]\n\n')) throw new Error(`A stream is cut short:\n${text.slice(-600)}`)
}

function countOf(bytes, part) {
  let count = 0
  for (let at = bytes.indexOf(part); at !== -1; at = bytes.indexOf(part, at + part.length)) count += 1
  return count
}

answerParent({ run })
