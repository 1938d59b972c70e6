import { Pool } from 'undici'

/**
 * The least a proxy in Express can do: bytes in, bytes out, a write per chunk of a stream, nothing parsed and nothing
 * counted. What Farebox costs is measured against this.
 */
export function bareProxy(upstream) {
  const pool = new Pool(upstream, { connections: 512, pipelining: 1 })
  return function proxy(req, res) {
    const chunks = []
    req.on('data', (chunk) => chunks.push(chunk))
    req.on('end', () => {
      pool.dispatch(
        {
          path: '/v1/chat/completions',
          method: 'POST',
          headers: endToEnd(req.headers),
          body: chunks.length === 1 ? chunks[0] : Buffer.concat(chunks),
        },
        passThrough(res),
      )
    })
  }
}

function passThrough(res) {
  let reply
  let controller
  return {
    onRequestStart(given) {
      controller = given
      res.once('close', () => {
        if (!res.writableFinished) controller.abort(new Error('The caller has gone.'))
      })
    },
    onResponseStart(_controller, status, headers) {
      if (headers['content-type'] === 'text/event-stream') res.socket.setNoDelay(true)
      else reply = []
      res.writeHead(status, endToEnd(headers))
    },
    onResponseData(_controller, chunk) {
      if (reply !== undefined) {
        reply.push(chunk)
      } else if (!res.write(chunk)) {
        controller.pause()
        res.once('drain', () => controller.resume())
      }
    },
    onResponseEnd() {
      if (reply === undefined) res.end()
      else res.end(reply.length === 1 ? reply[0] : Buffer.concat(reply))
    },
    onResponseError(_controller, error) {
      if (!res.destroyed) process.stderr.write(`The upstream failed: ${error.stack}\n`)
      res.destroy()
    },
  }
}

/** Headers that belong to one connection and not to the message (RFC 9110 7.6.1), and the address, which is another. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'expect',
])

/** What a proxy passes through, in both directions. */
function endToEnd(headers) {
  const passed = {}
  for (const name in headers) if (!hopByHop.has(name)) passed[name] = headers[name]
  return passed
}
