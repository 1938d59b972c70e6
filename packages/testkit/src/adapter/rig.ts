import assert from 'node:assert/strict'
import {
  type Authenticate,
  type Balance,
  bearerKey,
  createGateway,
  type Gateway,
  type GatewayEvent,
  type GatewayOptions,
  type Provider,
  type Receipt,
  usd,
} from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { replicate } from '@farebox/core/providers/replicate'
import { together } from '@farebox/core/providers/together'
import {
  type ProviderName,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from '../simulator/index.ts'
import type { AdapterCase, AdapterHost, MountOptions } from './adapter-host.ts'
import { eventually } from './eventually.ts'
import { type Client, createClient } from './http-client.ts'

export interface RigOptions {
  readonly mount?: Partial<MountOptions>
  readonly gateway?: Partial<Omit<GatewayOptions, 'providers'>>
  readonly simulator?: SimulatorOptions
  /** @default all three, in this order: Cerebras, Together, Replicate */
  readonly providers?: readonly ProviderName[]
  /** Whether the providers tell costs afterwards, and whether they price nothing before. @default false */
  readonly tellsCosts?: boolean | 'afterwards'
  /** Puts something between the adapter and the gateway. */
  readonly wrap?: (gateway: Gateway) => Gateway
}

/** A host with a gateway over simulated providers, and one account with credit. */
export interface Rig {
  readonly simulator: Simulator
  readonly gateway: Gateway
  /** Asks below the mount. */
  readonly client: Client
  /** The address of the mount, prefix included. */
  readonly url: string
  /** Everything the gateway reported, in order. */
  readonly events: readonly GatewayEvent[]
  /** Receipts of everything settled so far. */
  readonly receipts: readonly Receipt[]
  /** How often the gateway has asked who pays. */
  readonly seen: number
  /** The account's money as it is now. */
  balance(): Promise<Balance>
  /** The one receipt of the one request made: waits for it, and for everything to be quiet. */
  onlyReceipt(): Promise<Receipt>
  /** Waits until nothing is held and no provider is at work. */
  quiet(): Promise<void>
  /** Stops the host in good order, and the gateway with it. */
  stop(): Promise<void>
  close(): Promise<void>
}

interface ProviderOptions {
  readonly apiKey: string
  readonly baseUrl: string
  readonly costUrl?: string
  readonly settles?: 'afterwards'
}

/** The account of a rig, and the key that pays from it. */
export const accountId = 'alice'
export const apiKey = 'key-alice'
export const authorization: { readonly authorization: string } = { authorization: `Bearer ${apiKey}` }

const byKey: Authenticate = (request) => (bearerKey(request) === apiKey ? { accountId } : undefined)

const providersByName: Readonly<Record<ProviderName, (options: ProviderOptions) => Provider>> = {
  cerebras,
  together,
  replicate,
}

/** Starts a simulator, a gateway over it and a host around that, with 5.00 USD of credit for `alice`. */
export async function startRig(host: AdapterHost, options: RigOptions = {}): Promise<Rig> {
  const simulator = await startSimulator(options.simulator)
  const events: GatewayEvent[] = []
  const receipts: Receipt[] = []
  const names = options.providers ?? (['cerebras', 'together', 'replicate'] as const)
  const authenticate = options.gateway?.authenticate ?? byKey
  let seen = 0
  const gateway = createGateway({
    ...options.gateway,
    authenticate(request, byApiKey) {
      seen += 1
      return authenticate(request, byApiKey)
    },
    providers: names.map((name) =>
      providersByName[name]({
        apiKey: 'provider-key',
        baseUrl: simulator.baseUrl(name),
        ...(options.tellsCosts ? { costUrl: simulator.costUrl(name) } : {}),
        ...(options.tellsCosts === 'afterwards' ? { settles: 'afterwards' as const } : {}),
      }),
    ),
    onEvent(event) {
      events.push(event)
      if (event.kind === 'request.settled') receipts.push(event.receipt)
      options.gateway?.onEvent?.(event)
    },
  })
  await gateway.credits.grant({ grantId: 'credit', accountId, amount: usd('5.00'), kind: 'purchased' })
  const mount = {
    prefix: '/ai',
    parsesJson: false,
    headers: {},
    trustsProxy: false,
    before: undefined,
    ...options.mount,
  }
  const mounted = await host.mount(options.wrap?.(gateway) ?? gateway, mount)
  const url = mounted.url + mount.prefix
  const client = createClient(url)
  const quiet = () =>
    eventually('nothing is held and no provider is at work', async () => {
      const { held } = await gateway.accounts.balance(accountId)
      return held === 0n && simulator.activeRequests() === 0
    })
  return {
    simulator,
    gateway,
    client,
    url,
    events,
    receipts,
    get seen() {
      return seen
    },
    balance: () => gateway.accounts.balance(accountId),
    async onlyReceipt() {
      await eventually('the request is settled', () => receipts.length > 0)
      await quiet()
      assert.equal(receipts.length, 1, 'a request was settled more than once')
      return receipts[0] as Receipt
    },
    quiet,
    stop: mounted.stop,
    async close() {
      client.close()
      await mounted.close()
      // Whatever a provider still does ends here, so that the gateway has nothing to wait for.
      await simulator.close()
      await gateway.close()
    },
  }
}

/** A case with a rig of its own, which is closed on every way out. */
export function adapterCase(
  name: string,
  options: RigOptions,
  check: (rig: Rig) => Promise<void>,
): AdapterCase {
  return {
    name,
    async run(host) {
      const rig = await startRig(host, options)
      try {
        await check(rig)
      } finally {
        await rig.close()
      }
    },
  }
}

/** A request that got lost would keep the gateway from closing until its time is up. */
export async function expectNothingUnderWay({ gateway }: Rig): Promise<void> {
  const startMs = performance.now()
  await gateway.close()
  assert.ok(performance.now() - startMs < 5_000, 'the gateway still waits for a request')
}
