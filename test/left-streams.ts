import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Clock, type Storage, systemClock } from '@farebox/core'
import { chat, chatModel, eventually, type Rig, startRig, streamedChat } from '@farebox/testkit/adapter'
import { expect } from 'vitest'
import { expressHost } from './express-host.ts'

export interface CountingClock extends Clock {
  /** How many of its timers have neither run nor been cancelled. */
  readonly pending: number
}

/**
 * Opens streams and leaves them in the middle, on this storage. Afterwards sockets, holds, timers and memory have to be what
 * they were when the first had been left.
 */
export async function expectNothingLeft({
  streams,
  clock,
  storage,
}: {
  /** A whole number of fifties. */
  readonly streams: number
  readonly clock: CountingClock
  readonly storage: Storage
}): Promise<void> {
  const rig = await startRig(expressHost, { gateway: { clock, storage, lateCosts: { everyMs: 0 } } })
  try {
    rig.simulator.fault('together', { kind: 'stall', afterChunks: 1 })
    await rig.client.ask(chat())
    const socketsBefore = sockets()
    const first = Math.min(100, streams)
    await leaveStreams(rig, first)
    const heapBefore = heapUsed()
    const openBefore = rig.simulator.openSockets()

    await leaveStreams(rig, streams)

    expect(rig.receipts).toHaveLength(1 + first + streams)
    expect((await rig.balance()).held).toBe(0n)
    expect(rig.simulator.served.filter(({ outcome }) => outcome === 'aborted')).toHaveLength(first + streams)
    await eventually('all sockets are closed', () => sockets() <= socketsBefore)
    // Those of whole answers are kept open for the next request.
    const openMost = Math.max(1, openBefore)
    await eventually('no provider has a socket of it', () => rig.simulator.openSockets() <= openMost)
    expect(clock.pending).toBe(0)
    // Receipts, journal and the simulator's own records stay, about ten kilobytes a request; buffers would be 64 each.
    expect(heapUsed() - heapBefore).toBeLessThan(streams * 20_000)
    rig.simulator.fault('together', undefined)
    expect((await rig.client.ask(chat())).status).toBe(200)
  } finally {
    await rig.close()
  }
}

export function countingClock(): CountingClock {
  let pending = 0
  return {
    ...systemClock,
    get pending() {
      return pending
    },
    after(delayMs, task) {
      let isPending = true
      pending += 1
      const finish = () => {
        if (isPending) pending -= 1
        isPending = false
      }
      const cancel = systemClock.after(delayMs, () => {
        finish()
        task()
      })
      return () => {
        finish()
        cancel()
      }
    },
  }
}

async function leaveStreams(rig: Rig, count: number): Promise<void> {
  const settled = rig.receipts.length + count
  for (let left = 0; left < count; left += 50) {
    const exchanges = Array.from({ length: 50 }, () =>
      rig.client.open(streamedChat({ model: `${chatModel}:together` })),
    )
    await Promise.all(exchanges.map((exchange) => exchange.reads('"content"')))
    for (const exchange of exchanges) exchange.leave()
  }
  await eventually('every stream is settled', () => rig.receipts.length === settled)
  await rig.quiet()
}

function sockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed
}
