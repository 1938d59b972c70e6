import { createServer } from 'node:net'
import { answerParent } from './children.js'
import { replyBytes, streamChunk, streamEnd, streamHead, timeMark, workloads } from './workloads.js'

/**
 * A provider as fast as Node can be one: it reads no more of a request than where it ends, and writes bytes that were made
 * beforehand. Anything slower would be measured together with the server.
 */

const headEnd = Buffer.from('\r\n\r\n')
let answer = () => undefined

const server = createServer({ noDelay: true }, (socket) => {
  let head
  let bodyBytesLeft = 0
  socket.on('error', () => socket.destroy())
  socket.on('data', (bytes) => {
    if (bodyBytesLeft === 0) {
      head = head === undefined ? bytes : Buffer.concat([head, bytes])
      const end = head.indexOf(headEnd)
      if (end === -1) return
      bodyBytesLeft = contentLength(head.latin1Slice(0, end)) - (head.length - end - headEnd.length)
      head = undefined
    } else {
      bodyBytesLeft -= bytes.length
    }
    if (bodyBytesLeft < 0) throw new Error('A request came before the last one was answered.')
    if (bodyBytesLeft === 0) answer(socket)
  })
})

function contentLength(head) {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length === undefined) throw new Error(`A request came without its length:\n${head}`)
  return Number(length)
}

const answers = {
  reply(workload) {
    const bytes = replyBytes(workload)
    return (socket) => socket.write(bytes)
  },
  burst({ chunks }) {
    const bytes = Buffer.concat([streamHead, ...Array(chunks).fill(streamChunk()), streamEnd])
    return (socket) => socket.write(bytes)
  },
  'first-byte'({ chunks, restAfterMs }) {
    const first = Buffer.concat([streamHead, streamChunk()])
    const rest = Buffer.concat([...Array(chunks - 1).fill(streamChunk()), streamEnd])
    return (socket) => {
      socket.write(first)
      setTimeout(() => socket.write(rest), restAfterMs)
    }
  },
  paced: createPace,
}

/** Writes to streams in turn: one clock for all of them, each with its own place in the interval. */
function createPace({ chunks, intervalMs }) {
  const places = Array.from({ length: intervalMs }, () => new Map())
  let placeOfNext = 0
  let place = 0
  let timer
  let startedMs = 0
  let ticks = 0

  function tick() {
    // A late timer makes up for the places it missed, but never gives a stream two chunks at once.
    const due = Math.min(Math.floor(performance.now() - startedMs) - ticks, intervalMs)
    for (let count = 0; count < due; count += 1) writeNext()
    ticks = Math.floor(performance.now() - startedMs)
    if (places.every((streams) => streams.size === 0)) {
      clearInterval(timer)
      timer = undefined
    }
  }

  function writeNext() {
    place = (place + 1) % intervalMs
    const streams = places[place]
    for (const [socket, left] of streams) {
      if (left === 0 || socket.destroyed) {
        streams.delete(socket)
        if (left === 0) socket.write(streamEnd)
      } else {
        streams.set(socket, left - 1)
        socket.write(timedChunk())
      }
    }
  }

  return (socket) => {
    socket.write(Buffer.concat([streamHead, timedChunk()]))
    places[placeOfNext].set(socket, chunks - 1)
    placeOfNext = (placeOfNext + 1) % intervalMs
    if (timer !== undefined) return
    startedMs = performance.now()
    ticks = 0
    timer = setInterval(tick, 1)
  }
}

const [beforeTime, afterTime] = splitAround(streamChunk('@0000000000000000'), '0000000000000000')

/** A chunk that tells when it was written, on the clock that all processes of a machine share. */
function timedChunk() {
  const time = String(process.hrtime.bigint() / 1000n).padStart(16, '0')
  return Buffer.from(beforeTime + time + afterTime, 'latin1')
}

function splitAround(bytes, part) {
  const text = bytes.toString('latin1')
  if (!text.includes(timeMark)) throw new Error('A timed chunk has no mark to find its time by.')
  return text.split(part)
}

answerParent({
  start: () =>
    new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', () => resolve({ port: server.address().port }))
    }),
  serve({ workload }) {
    const { kind } = workloads[workload]
    answer = answers[kind](workloads[workload])
  },
})
