import {
  ByteStream,
  type SendOptions,
  type Transport,
  TransportError,
  type TransportResponse,
  type UpstreamRequest,
} from '@farebox/core'
import type { ProviderId } from './price-list.ts'
import type { Line, Providers } from './provider.ts'
import type { Life } from './scheduler.ts'
import { travelMs, type World } from './world.ts'

/** The way from one process to the providers. Ends with the process: the providers hear its connections hang up. */
export interface Wire extends Transport {
  /** The process has died. */
  cut(): void
}

/**
 * A network in which everything that is sent arrives in order on its connection, at its own pace on each of them. It keeps
 * the promises of the real transport: time limits, aborts at any moment, back-pressure.
 */
export function createWire(world: World, life: Life, providers: Providers): Wire {
  const open = new Set<Connection>()
  return {
    send: (request, options) =>
      new Promise((resolve, reject) => {
        if (options.signal?.aborted) {
          reject(new TransportError('aborted', undefined, false))
          return
        }
        const label = labelOf(request)
        if (world.faults.happens('connect fails')) {
          world.scheduler.after(travelMs(world, 'connection slow'), life, `${label} refused`, () =>
            reject(new TransportError('connect', undefined, false)),
          )
          return
        }
        const connection = connect(world, life, label, options, resolve, reject, () =>
          open.delete(connection),
        )
        open.add(connection)
        connection.carry(() => deliver(request, connection.line, providers))
      }),
    async close() {
      for (const connection of open) connection.fail('reset')
    },
    cut() {
      for (const connection of open) connection.hangUp()
    },
  }
}

interface Connection {
  readonly line: Line
  /** Takes the request to the provider. */
  carry(arrive: () => void): void
  fail(failure: 'aborted' | 'timeout' | 'reset'): void
  hangUp(): void
}

type Message = { readonly run: () => void; readonly delayMs: number }

function connect(
  world: World,
  life: Life,
  label: string,
  options: SendOptions,
  resolve: (response: TransportResponse) => void,
  reject: (error: TransportError) => void,
  onOver: () => void,
): Connection {
  const { scheduler, nature } = world
  const { signal, headersTimeoutMs, bodyTimeoutMs, totalTimeoutMs } = options
  const inbox: Message[] = []
  let body: ByteStream | undefined
  let isUp = true
  let isOver = false
  let isPaused = false
  let isMoving = false
  let arrivesAtMs = scheduler.elapsedMs
  const cancelTotal = scheduler.after(totalTimeoutMs, life, `${label} total time`, () => fail('timeout'))
  let cancelPatience = scheduler.after(headersTimeoutMs, life, `${label} no head`, () => fail('timeout'))
  const onAbort = () => fail('aborted')
  signal?.addEventListener('abort', onAbort)

  function close(): void {
    isOver = true
    cancelTotal()
    cancelPatience()
    signal?.removeEventListener('abort', onAbort)
    onOver()
  }

  function fail(failure: 'aborted' | 'timeout' | 'reset'): void {
    if (isOver) return
    close()
    hangUp()
    const error = new TransportError(failure, undefined, true)
    if (body === undefined) reject(error)
    else body.fail(error)
  }

  /** The provider hears of it after everything that was sent before. */
  function hangUp(): void {
    isOver = true
    arrivesAtMs = Math.max(arrivesAtMs, scheduler.elapsedMs + travelMs(world, 'connection slow'))
    scheduler.after(arrivesAtMs - scheduler.elapsedMs, nature, `${label} hangs up`, () => {
      isUp = false
    })
  }

  /** One message after the other, however fast they were sent. */
  function move(): void {
    const message = inbox[0]
    if (isMoving || isPaused || message === undefined) return
    isMoving = true
    scheduler.after(message.delayMs, life, `${label} arrives`, () => {
      isMoving = false
      if (isOver) return
      inbox.shift()
      cancelPatience()
      message.run()
      if (isOver) return
      cancelPatience = scheduler.after(bodyTimeoutMs, life, `${label} no more`, () => {
        if (!isPaused) fail('timeout')
      })
      move()
    })
  }

  function send(run: () => void): void {
    if (!isUp) return
    inbox.push({ run, delayMs: travelMs(world, 'connection slow') })
    move()
  }

  const line: Line = {
    get isUp() {
      return isUp
    },
    head: (status, contentType) =>
      send(() => {
        body = new ByteStream({
          onResume() {
            isPaused = false
            move()
          },
          onCancel() {
            if (isOver) return
            close()
            hangUp()
          },
        })
        resolve({ status, headers: { 'content-type': contentType }, body })
      }),
    say: (text, onArrival) =>
      send(() => {
        onArrival?.()
        if (body?.write(Buffer.from(text)) === false) isPaused = true
      }),
    end: () =>
      send(() => {
        close()
        body?.end()
      }),
    reset: () => send(() => fail('reset')),
  }
  return {
    line,
    carry(arrive) {
      const delayMs = travelMs(world, 'connection slow')
      arrivesAtMs = scheduler.elapsedMs + delayMs
      scheduler.after(delayMs, nature, `${label} is asked`, arrive)
    },
    fail,
    hangUp,
  }
}

function deliver(request: UpstreamRequest, line: Line, providers: Providers): void {
  const providerId = request.url.hostname.split('.')[0] as ProviderId
  const body = JSON.parse(Buffer.from(request.body ?? '').toString('utf8'))
  if (request.url.pathname.endsWith('/costs')) {
    providers.tellCosts(providerId, body.requestIds, line)
    return
  }
  providers.receive(
    {
      attemptId: request.headers['x-request-id'] ?? '',
      providerId,
      isStream: body.stream === true,
      outputMax: body.max_tokens ?? 200,
    },
    line,
  )
}

function labelOf({ url, headers }: UpstreamRequest): string {
  return `${headers['x-request-id'] ?? 'costs'} ${url.hostname.split('.')[0]}`
}
