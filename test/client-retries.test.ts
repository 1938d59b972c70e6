import { randomUUID } from 'node:crypto'
import { bearerKey, type Clock, memoryStorage, type Storage, systemClock, Unavailable } from '@farebox/core'
import { type Rig, startRig } from '@farebox/testkit/adapter'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { clients } from './clients/clients.ts'
import { chargedExactly } from './clients/money.ts'
import { type RetrySubject, retriesOf } from './clients/retry-situations.ts'
import { expressHost } from './express-host.ts'

// The example servers set no rate limits, and nobody can take their store away: this gateway is the tests' own.

/** Clients are hurried here, by hurrying the timers of this process. The gateway's own keep their time. */
const timer = globalThis.setTimeout

/** One second before a minute ends, and with it what a rate limit counts. */
const startMs = Date.UTC(2026, 10, 26, 12, 0, 59)

describe.each(clients)('$name', (client) => {
  let nowMs = startMs
  let isDown = false
  let rig: Rig

  beforeAll(async () => {
    const clock: Clock = { ...systemClock, now: () => nowMs, after: afterRealTime }
    rig = await startRig(expressHost, {
      providers: ['cerebras', 'together'],
      tellsCosts: true,
      gateway: {
        clock,
        storage: severable(memoryStorage({ clock }), () => isDown),
        // Every key is an account, on the free plan.
        authenticate(request) {
          const accountId = bearerKey(request)
          if (accountId === undefined) return undefined
          return { accountId, ...(accountId.startsWith('limited') && { limits: { requestsPerMinute: 1 } }) }
        },
      },
    })
  })
  afterAll(() => rig.close())

  it.each(retriesOf(client))('$name', async ({ isLimited, run }) => {
    nowMs = startMs
    const subject: RetrySubject = {
      baseUrl: `${rig.url}/v1`,
      apiKey: `${isLimited ? 'limited' : 'free'}-${randomUUID()}`,
      simulator: rig.simulator,
      passSecond() {
        nowMs += 1_000
      },
      setStoreDown(down) {
        isDown = down
      },
    }
    await chargedExactly(subject, () => run(subject))
  })
})

function afterRealTime(delayMs: number, task: () => void): () => void {
  const running = timer(task, delayMs).unref()
  return () => clearTimeout(running)
}

function severable(storage: Storage, isDown: () => boolean): Storage {
  const { ledger } = storage
  const transact: typeof ledger.transact = async (...call) => {
    if (isDown()) throw new Unavailable('The store is out of reach.')
    return ledger.transact(...call)
  }
  return { ...storage, ledger: { ...ledger, transact } }
}
