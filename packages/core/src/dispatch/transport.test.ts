import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createSocketServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type Clock, fakeClock, systemClock } from '../clock.ts'
import type { ByteStream } from '../http/byte-stream.ts'
import { createTransport, type SendOptions, type Transport, TransportError } from './transport.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

interface Upstream {
  readonly url: URL
  readonly sockets: Set<Socket>
  /** Connections so far, closed ones too. */
  connections: number
  requests: number
}

/** A provider on a real socket. */
async function serve(listener: RequestListener): Promise<Upstream> {
  const server: Server = createServer((request, response) => {
    upstream.requests += 1
    listener(request, response)
  })
  const sockets = new Set<Socket>()
  const upstream: Upstream = { url: new URL('http://127.0.0.1'), sockets, connections: 0, requests: 0 }
  server.on('connection', (socket) => {
    upstream.connections += 1
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  upstream.url.port = String((server.address() as AddressInfo).port)
  return upstream
}

function start(clock: Clock = systemClock, connectionsMax = 4): Transport {
  const transport = createTransport({ connectionsMax, connectTimeoutMs: 2000, clock })
  open.push(() => transport.close())
  return transport
}

const patient: SendOptions = { headersTimeoutMs: 20_000, bodyTimeoutMs: 20_000, totalTimeoutMs: 20_000 }

const post = (url: URL) => ({
  method: 'POST' as const,
  url,
  headers: { 'content-type': 'application/json' },
  body: '{}',
})

async function readText(body: ByteStream): Promise<string> {
  let text = ''
  for await (const chunk of body) text += Buffer.from(chunk).toString()
  return text
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error instanceof TransportError ? error.failure : error
  }
  return 'none'
}

/** Waits until something is so. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate)
}

describe('an exchange', () => {
  it('sends method, path, query, headers and body, and gives the head before the body', async () => {
    let seen: unknown
    const { url } = await serve((request, response) => {
      let body = ''
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        seen = [request.method, request.url, request.headers['x-request-id'], body]
        response.writeHead(201, { 'inference-id': 'i-1' })
        response.write('first ')
        setImmediate(() => response.end('second'))
      })
    })
    const response = await start().send(
      { method: 'POST', url: new URL('/v1/x?a=b', url), headers: { 'x-request-id': 'r.1' }, body: 'é' },
      patient,
    )
    expect([response.status, response.headers['inference-id']]).toEqual([201, 'i-1'])
    expect(await readText(response.body)).toBe('first second')
    expect(seen).toEqual(['POST', '/v1/x?a=b', 'r.1', 'é'])
  })

  it('uses its connection again after a stream was read to its end', async () => {
    const upstream = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (let event = 0; event < 10; event += 1) response.write(`data: ${event}\n\n`)
      response.end('data: [DONE]\n\n')
    })
    const transport = start()
    for (let request = 0; request < 5; request += 1) {
      const { body } = await transport.send(post(upstream.url), patient)
      expect(await readText(body)).toContain('[DONE]')
      // The connection is free a moment after the body has ended.
      await new Promise(setImmediate)
    }
    expect(upstream.connections).toBe(1)
  })

  it('does not follow redirects to other addresses', async () => {
    const elsewhere = await serve((_request, response) => response.end('secret'))
    const { url } = await serve((_request, response) =>
      response.writeHead(307, { location: elsewhere.url.href }).end(),
    )
    expect((await start().send(post(url), patient)).status).toBe(307)
    expect(elsewhere.requests).toBe(0)
  })

  it('passes over hints that come before the answer', async () => {
    const { url } = await serve((_request, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' })
      response.end('answer')
    })
    const response = await start().send(post(url), patient)
    expect(response.status).toBe(200)
    expect(await readText(response.body)).toBe('answer')
  })

  it('lets the provider wait while nobody reads', async () => {
    let written = 0
    const { url } = await serve((_request, response) => {
      const chunk = Buffer.alloc(64 * 1024)
      const write = () => {
        while (written < 256 * 1024 * 1024) {
          written += chunk.length
          if (!response.write(chunk)) {
            response.once('drain', write)
            return
          }
        }
        response.end()
      }
      write()
    })
    const { body } = await start().send(post(url), patient)
    let before = -1
    while (before !== written) {
      before = written
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    // Kernel buffers take a few megabytes; the rest stays where it is.
    expect(written).toBeLessThan(64 * 1024 * 1024)
    body.cancel()
  })
})

describe('an exchange that fails', () => {
  it('has no connection when nobody listens', async () => {
    const upstream = await serve(() => undefined)
    const { url } = upstream
    await open.pop()?.()
    expect(await failureOf(start().send(post(url), patient))).toBe('connect')
  })

  it('is reset when the provider closes before its head, or in the middle of it', async () => {
    for (const half of ['', 'HTTP/1.1 200 OK\r\ncontent-ty']) {
      const server = createSocketServer((socket) => {
        socket.on('error', () => undefined)
        socket.once('data', () => (half === '' ? socket.destroy() : socket.end(half)))
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      open.push(() => new Promise((resolve) => server.close(resolve)))
      const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
      expect(await failureOf(start().send(post(url), patient))).toBe('reset')
    }
  })

  it('is reset in the middle of its body, after what had come', async () => {
    const { url } = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half')
      setTimeout(() => response.destroy(), 20)
    })
    const { body } = await start().send(post(url), patient)
    const got: string[] = []
    const reading = (async () => {
      for await (const chunk of body) got.push(Buffer.from(chunk).toString())
    })()
    expect(await failureOf(reading)).toBe('reset')
    expect(got).toEqual(['half'])
  })

  it('is late when no head comes in time', async () => {
    const upstream = await serve(() => undefined)
    expect(await failureOf(start().send(post(upstream.url), { ...patient, headersTimeoutMs: 50 }))).toBe(
      'timeout',
    )
  })

  it('is late when its body falls silent', async () => {
    const { url } = await serve((_request, response) => {
      response.write('first')
    })
    const { body } = await start().send(post(url), { ...patient, bodyTimeoutMs: 50 })
    expect(await failureOf(readText(body))).toBe('timeout')
  })

  it('is late when it takes too long as a whole, before its head and after', async () => {
    for (const hasHead of [false, true]) {
      const clock = fakeClock(0)
      const upstream = await serve((_request, response) => {
        if (hasHead) response.write('first')
      })
      const sending = start(clock).send(post(upstream.url), { ...patient, totalTimeoutMs: 600_000 })
      const failing = failureOf(hasHead ? sending.then(({ body }) => readText(body)) : sending)
      if (hasHead) await sending
      await until(() => upstream.requests === 1)
      clock.advance(599_999)
      await new Promise(setImmediate)
      expect(upstream.sockets.size).toBe(1)
      clock.advance(1)
      expect(await failing).toBe('timeout')
      await until(() => upstream.sockets.size === 0)
    }
  })
})

describe('a caller who leaves', () => {
  it('before anything was sent costs no connection', async () => {
    const upstream = await serve((_request, response) => response.end())
    const error = await start()
      .send(post(upstream.url), { ...patient, signal: AbortSignal.abort() })
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ failure: 'aborted', wasSent: false })
    expect(upstream.connections).toBe(0)
  })

  it('while the provider thinks has the connection closed', async () => {
    const upstream = await serve(() => undefined)
    const controller = new AbortController()
    const sending = start().send(post(upstream.url), { ...patient, signal: controller.signal })
    await until(() => upstream.requests === 1)
    controller.abort()
    expect(await sending.catch((reason: unknown) => reason)).toMatchObject({
      failure: 'aborted',
      wasSent: true,
    })
    await until(() => upstream.sockets.size === 0)
  })

  it('in the middle of a body has the connection closed', async () => {
    const upstream = await serve((_request, response) => {
      response.write('first')
    })
    const controller = new AbortController()
    const { body } = await start().send(post(upstream.url), { ...patient, signal: controller.signal })
    const failing = failureOf(readText(body))
    controller.abort()
    expect(await failing).toBe('aborted')
    await until(() => upstream.sockets.size === 0)
  })

  it('or a reader who cancels the body has the connection closed too', async () => {
    const upstream = await serve((_request, response) => {
      response.write('first')
    })
    const { body } = await start().send(post(upstream.url), patient)
    body.cancel()
    await until(() => upstream.sockets.size === 0)
  })

  it('while others use every connection is let go at once, and nothing is sent', async () => {
    const upstream = await serve(() => undefined)
    const transport = start(systemClock, 1)
    const first = new AbortController()
    const occupying = failureOf(transport.send(post(upstream.url), { ...patient, signal: first.signal }))
    await until(() => upstream.requests === 1)
    const second = new AbortController()
    const waiting = transport.send(post(upstream.url), { ...patient, signal: second.signal })
    second.abort()
    expect(await waiting.catch((reason: unknown) => reason)).toMatchObject({
      failure: 'aborted',
      wasSent: false,
    })
    first.abort()
    await occupying
    await until(() => upstream.sockets.size === 0)
    expect(upstream.requests).toBe(1)
  })

  it('leaves no listener on his signal, and no timer', async () => {
    const { url } = await serve((_request, response) => response.end('answer'))
    const controller = new AbortController()
    const timers = new Set<object>()
    const clock: Clock = {
      ...systemClock,
      after(delayMs, task) {
        const timer = {}
        timers.add(timer)
        const cancel = systemClock.after(delayMs, task)
        return () => {
          timers.delete(timer)
          cancel()
        }
      },
    }
    let listeners = 0
    const { signal } = controller
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = ((...all: Parameters<typeof add>) => {
      listeners += 1
      add(...all)
    }) as typeof signal.addEventListener
    signal.removeEventListener = ((...all: Parameters<typeof remove>) => {
      listeners -= 1
      remove(...all)
    }) as typeof signal.removeEventListener
    const { body } = await start(clock).send(post(url), { ...patient, signal })
    await readText(body)
    expect([listeners, timers.size]).toEqual([0, 0])
  })
})

it('gives up a request that waited too long for a connection, and sends nothing', async () => {
  const clock = fakeClock(0)
  const upstream = await serve(() => undefined)
  const transport = start(clock, 1)
  const first = new AbortController()
  const occupying = failureOf(
    transport.send(post(upstream.url), { ...patient, totalTimeoutMs: 10 ** 9, signal: first.signal }),
  )
  await until(() => upstream.requests === 1)
  const waiting = transport.send(post(upstream.url), { ...patient, totalTimeoutMs: 1000 })
  clock.advance(1000)
  expect(await waiting.catch((reason: unknown) => reason)).toMatchObject({
    failure: 'timeout',
    wasSent: false,
  })
  first.abort()
  await occupying
  await until(() => upstream.sockets.size === 0)
  expect(upstream.requests).toBe(1)
})

it('closes its connections when it is closed', async () => {
  const upstream = await serve((_request, response) => response.end())
  const transport = start()
  const { body } = await transport.send(post(upstream.url), patient)
  await readText(body)
  expect(upstream.sockets.size).toBe(1)
  const [socket] = upstream.sockets
  const closed = socket === undefined ? undefined : once(socket, 'close')
  await transport.close()
  await closed
  expect(upstream.sockets.size).toBe(0)
})
