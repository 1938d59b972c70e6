import { connect } from 'node:net'

/**
 * One kept connection that sends the same bytes again and again and looks at as little of the answer as it can: a client
 * that parses would take more processor time than the server it measures.
 */

const headEnd = Buffer.from('\r\n\r\n')
const lastChunk = Buffer.from('\r\n0\r\n\r\n')

export async function openConnection(port) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let exchange

  socket.on('data', (bytes) => {
    const nowMs = performance.now()
    const { reader, resolve, reject } = exchange
    try {
      if (reader.read(bytes, nowMs)) resolve(nowMs)
    } catch (error) {
      reject(error)
    }
  })
  socket.on('error', (error) => exchange?.reject(error))
  socket.on('close', () => exchange?.reject(new Error('The server closed a connection.')))
  await new Promise((resolve, reject) => {
    exchange = { reject }
    socket.once('connect', resolve)
  })

  return {
    /** Sends a request and gives the time at which its answer was complete. */
    exchange(request, reader) {
      return new Promise((resolve, reject) => {
        exchange = { reader, resolve, reject }
        socket.write(request)
      })
    },
    close() {
      exchange = undefined
      socket.destroy()
    },
  }
}

/**
 * Finds the end of one answer. `onBody` is told of everything behind the head as it comes, HTTP chunk by HTTP chunk or
 * not, as the server wrote it.
 */
export function answerReader(onBody) {
  let head
  let bytesLeft
  let tail = Buffer.alloc(0)

  function readBody(bytes, nowMs) {
    if (bytes.length > 0) onBody?.(bytes, nowMs)
    if (bytesLeft !== undefined) {
      bytesLeft -= bytes.length
      if (bytesLeft < 0) throw new Error('An answer is longer than it says.')
      return bytesLeft === 0
    }
    const end = bytes.length >= lastChunk.length ? bytes : Buffer.concat([tail, bytes])
    tail = end.subarray(-lastChunk.length)
    return tail.equals(lastChunk)
  }

  return {
    /** Gives whether the answer is complete with these bytes. */
    read(bytes, nowMs) {
      if (head === true) return readBody(bytes, nowMs)
      const received = head === undefined ? bytes : Buffer.concat([head, bytes])
      const end = received.indexOf(headEnd)
      if (end === -1) {
        head = received
        return false
      }
      head = true
      bytesLeft = bodyLength(received, end)
      return readBody(received.subarray(end + headEnd.length), nowMs)
    },
  }
}

/** The announced length of the body; `undefined` when it comes in chunks. */
function bodyLength(received, headBytes) {
  const head = received.latin1Slice(0, headBytes)
  if (!head.startsWith('HTTP/1.1 200 ')) {
    throw new Error(`The server did not answer with 200:\n${received.latin1Slice(0, 600)}`)
  }
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length !== undefined) return Number(length)
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) return undefined
  throw new Error(`An answer does not say where it ends:\n${head}`)
}

/** What is inside a chunked body. */
export function withoutChunks(body) {
  const parts = []
  for (let at = 0; at < body.length; ) {
    const lineEnd = body.indexOf('\r\n', at)
    const length = Number.parseInt(body.latin1Slice(at, lineEnd), 16)
    if (length === 0) break
    parts.push(body.subarray(lineEnd + 2, lineEnd + 2 + length))
    at = lineEnd + 2 + length + 2
  }
  return Buffer.concat(parts)
}
