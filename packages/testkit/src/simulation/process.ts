import {
  countedIds,
  createGateway,
  type Gateway,
  type GatewayEvent,
  type LateTerms,
  type PlanTable,
  type Provider,
  type Storage,
} from '@farebox/core'
import { cappedKeys } from './capped-keys.ts'
import { catalog } from './price-list.ts'
import type { Providers } from './provider.ts'
import { type RemoteStoreOptions, remoteKeys, remoteStore } from './remote-store.ts'
import type { Life } from './scheduler.ts'
import { createWire, type Wire } from './wire.ts'
import { clockOf, type World } from './world.ts'

/** A process of the host: a gateway while it lives, nothing while it does not. */
export interface Process {
  readonly name: string
  /** The gateway and the life it belongs to; `undefined` while the process is down. */
  readonly running: Running | undefined
  /** `skewMs`: how wrong its clock is. @default right, unless a fault makes it wrong */
  start(skewMs?: number): void
  /** Ends its life at once. */
  crash(): void
  /** Shuts down in good order, and then ends. */
  close(): void
}

export interface Running {
  readonly life: Life
  readonly gateway: Gateway
  /** The id of the request that came last. */
  readonly lastRequestId: string
  /** Runs when this life ends. */
  onEnd(listener: () => void): void
}

export interface ProcessOptions {
  readonly name: string
  readonly world: World
  /** The store that all processes share. */
  readonly inner: Storage
  readonly truth: Providers
  readonly plans: PlanTable
  /** How long settled requests wait for their cost, and what then. */
  readonly lateTerms: LateTerms
  readonly upstreams: readonly Provider[]
  readonly onEvent: (event: GatewayEvent) => void
  readonly onDecision?: RemoteStoreOptions['onDecision']
  /** A fault of the gateway itself: nothing may ever cause one. */
  readonly onFault: (error: unknown) => void
}

/** How often a host looks after holds that were left behind: some often, some seldom. */
const reconcileEveryMs = [5_000, 60_000, 300_000]

/** The one task of a process that is always there. */
export const reconcileLabel = 'reconciles'

const timeouts = {
  connectMs: 1_000,
  firstByteMs: 4_000,
  replyMs: 8_000,
  idleMs: 3_000,
  totalMs: 30_000,
  closeMs: 5_000,
} as const

function drawSkewMs({ faults, random }: World): number {
  return faults.happens('clock skewed') ? random.pick([-86_400_000, -60_000, 60_000, 86_400_000]) : 0
}

export function createProcess(options: ProcessOptions): Process {
  const { name, world, inner } = options
  let starts = 0
  let running: (Running & { readonly wire: Wire; readonly ended: (() => void)[] }) | undefined

  function start(wrongByMs?: number): void {
    starts += 1
    const life: Life = { name: `${name}.${starts}`, isOver: false }
    const wire = createWire(world, life, options.truth)
    const skewMs = wrongByMs ?? drawSkewMs(world)
    const nextId = countedIds(life.name)
    let lastRequestId = ''
    const gateway = createGateway({
      providers: options.upstreams,
      catalog,
      plans: options.plans,
      timeouts,
      // The process asks by itself, at moments drawn from the seed.
      lateCosts: { ...options.lateTerms, everyMs: 0 },
      storage: {
        ledger: remoteStore({ world, life, inner: inner.ledger, onDecision: options.onDecision }),
        ...(inner.keys && { keys: remoteKeys(world, life, inner.keys) }),
      },
      authenticate: ({ headers }) => ({
        accountId: String(headers['x-account']),
        ...(headers['x-member'] !== undefined && { memberId: String(headers['x-member']) }),
        ...cappedKeys.get(String(headers['x-api-key'])),
      }),
      transport: wire,
      clock: clockOf(world, life, skewMs),
      ids() {
        lastRequestId = nextId()
        return lastRequestId
      },
      onEvent: options.onEvent,
    })
    const ended: (() => void)[] = []
    running = {
      life,
      gateway,
      wire,
      ended,
      get lastRequestId() {
        return lastRequestId
      },
      onEnd: (listener) => ended.push(listener),
    }
    world.log(() => `${life.name} starts`)
    lookAfter(gateway, life)
  }

  /** What a host's timer does. */
  function lookAfter(gateway: Gateway, life: Life): void {
    const delayMs = world.faults.isHealed
      ? Math.max(...reconcileEveryMs)
      : world.random.pick(reconcileEveryMs)
    world.scheduler.after(delayMs, life, reconcileLabel, () => {
      gateway.reconcile().then(
        () => lookAfter(gateway, life),
        (error: unknown) => {
          if ((error as { code?: unknown }).code !== 'store_unavailable') options.onFault(error)
          lookAfter(gateway, life)
        },
      )
    })
  }

  function end(): void {
    if (running === undefined) return
    const { life, wire, ended } = running
    running = undefined
    life.isOver = true
    wire.cut()
    world.log(() => `${life.name} is gone`)
    for (const listener of ended) listener()
  }

  return {
    name,
    get running() {
      return running
    },
    start,
    crash: end,
    close() {
      const closing = running
      if (closing === undefined) return
      world.log(() => `${closing.life.name} closes`)
      closing.gateway.close().then(() => {
        if (running === closing) end()
      }, options.onFault)
    },
  }
}
