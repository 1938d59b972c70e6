import { z } from 'zod'
import type { Authenticate } from './auth/principal.ts'
import type { RingKey } from './auth/sealer.ts'
import type { PriceBook } from './catalog/price-book.ts'
import type { CatalogRow } from './catalog/target.ts'
import { checkShapes } from './check-shapes.ts'
import type { Clock } from './clock.ts'
import type { Transport } from './dispatch/transport.ts'
import type { OnEvent } from './events.ts'
import type { Ids } from './ids.ts'
import type { LatePolicy } from './ledger/late.ts'
import type { PlanTable } from './ledger/plan.ts'
import type { Storage } from './ledger/storage.ts'
import type { Provider } from './providers/provider.ts'
import type { RoutePolicy } from './routing/policy.ts'

/** What a host configures. Only `providers` are required. */
export interface GatewayOptions {
  /** Where requests can go, in order of preference where nothing else decides. */
  readonly providers: readonly Provider[]
  /** Who asks. @default API keys, see `gateway.keys`: nobody else is let in */
  readonly authenticate?: Authenticate
  /** Where money is kept, and what accounts have set. @default memoryStorage(), which forgets everything when the process ends */
  readonly storage?: Storage
  /** What encrypts the provider keys that accounts bring: the first one encrypts, all open. @default none, so that none can be kept */
  readonly keyRing?: readonly RingKey[]
  /** The tiers. @default planPreset('hf-2026-02-04') */
  readonly plans?: PlanTable
  /** Rows to add to the price book, or to replace in it; or a book of versions, each with its date. @default none */
  readonly catalog?: readonly CatalogRow[] | PriceBook
  /** What orders targets when the caller names no suffix. @default fastest() */
  readonly policy?: RoutePolicy
  readonly limits?: Partial<GatewayLimits>
  readonly timeouts?: Partial<GatewayTimeouts>
  readonly lateCosts?: Partial<LateCostOptions>
  readonly health?: Partial<TargetHealthOptions>
  /** Told of everything that happens. @default nothing */
  readonly onEvent?: OnEvent
  /** @default systemClock */
  readonly clock?: Clock
  /** @default randomIds */
  readonly ids?: Ids
  /** How requests reach the providers: for tests, or to go another way. @default undici */
  readonly transport?: Transport
}

export interface GatewayLimits {
  /** Bytes of a request body. @default 20971520 (20 MiB) */
  readonly requestBytesMax: number
  /** Bytes of a whole reply from a provider. @default 67108864 (64 MiB) */
  readonly replyBytesMax: number
  /** Attempts within one request. @default 4 */
  readonly attemptsMax: number
  /** Output tokens of an answer where neither caller nor catalog has a bound. @default 4096 */
  readonly outputTokensDefault: number
  /** The shortest answer worth admitting when credit runs out, in tokens. @default 16 */
  readonly outputTokensMin: number
  /** Connections to one provider. @default 512 */
  readonly connectionsMax: number
  /** Requests under way at once; more are refused with 503. @default 10000 */
  readonly requestsMax: number
  /** Bytes of an answer kept for repeats, with the same `Idempotency-Key` or by an SDK; 0 keeps none. @default 4194304 (4 MiB) */
  readonly replayBytesMax: number
}

/** All in milliseconds. Waiting for a provider's head or body ends up to half a second late. */
export interface GatewayTimeouts {
  /** Until a connection stands. @default 5000 */
  readonly connectMs: number
  /** Until a stream has begun. @default 30000 */
  readonly firstByteMs: number
  /** Until a whole reply begins to arrive. @default 120000 */
  readonly replyMs: number
  /** Between two pieces of an answer. @default 60000 */
  readonly idleMs: number
  /** Over all attempts of a request, streams included. @default 600000 */
  readonly totalMs: number
  /** How long `close()` waits for requests under way. @default 30000 */
  readonly closeMs: number
  /** How long an answer is given again to the same `Idempotency-Key`. @default 86400000 (24 hours) */
  readonly replayMs: number
  /** How much longer than its SDK's own pause a retry is waited for, when a caller leaves before the answer; 0 for never. @default 2000 */
  readonly retryMs: number
}

/** Costs that providers tell only after a request is settled. */
export interface LateCostOptions {
  /** How long a settled request waits for its cost, in milliseconds, at most a day. @default 1800000 (30 minutes) */
  readonly withinMs: number
  /** What becomes of a cost that does not come: `waive` charges nothing, `charge-estimate` what was expected. @default waive */
  readonly policy: LatePolicy
  /** How often costs are asked for by themselves, in milliseconds; 0 for never: call `reconcile()`. @default 60000 */
  readonly everyMs: number
}

/** What is known of targets that fail. To be shared only by processes that reach each provider the same way. */
export interface TargetHealthOptions {
  /** Whether processes on one storage tell each other, by its `counters`; each asks once a second. @default false */
  readonly shared: boolean
}

const whole = z.int().min(1)

/** A timer of Node cannot wait longer, and one that is asked to does not wait at all. */
const timerMsMax = 2 ** 31 - 1
const delay = whole.max(timerMsMax)

const limits = z.strictObject({
  requestBytesMax: whole.default(20 * 1024 * 1024),
  replyBytesMax: whole.default(64 * 1024 * 1024),
  attemptsMax: whole.max(16).default(4),
  outputTokensDefault: whole.default(4096),
  outputTokensMin: whole.default(16),
  connectionsMax: whole.default(512),
  requestsMax: whole.default(10_000),
  replayBytesMax: z
    .int()
    .min(0)
    .default(4 * 1024 * 1024),
})

const timeouts = z.strictObject({
  connectMs: delay.default(5_000),
  firstByteMs: delay.default(30_000),
  replyMs: delay.default(120_000),
  idleMs: delay.default(60_000),
  totalMs: delay.default(600_000),
  closeMs: delay.default(30_000),
  replayMs: whole.default(24 * 3_600_000),
  retryMs: z.int().min(0).max(60_000).default(2_000),
})

const lateCosts = z.strictObject({
  withinMs: whole.max(24 * 3_600_000).default(30 * 60_000),
  policy: z.enum(['waive', 'charge-estimate']).default('waive'),
  everyMs: z.int().min(0).max(timerMsMax).default(60_000),
})

const health = z.strictObject({ shared: z.boolean().default(false) })

/** The options with their defaults, checked. */
export interface CheckedOptions {
  readonly limits: GatewayLimits
  readonly timeouts: GatewayTimeouts
  readonly lateCosts: LateCostOptions
  readonly health: TargetHealthOptions
}

/** @throws RangeError that names the option at fault. */
export function checkOptions(options: GatewayOptions): CheckedOptions {
  checkShapes(options)
  if (options.providers === undefined || options.providers.length === 0) {
    throw new RangeError(
      'createGateway needs at least one provider: { providers: [cerebras({ apiKey })], … }.',
    )
  }
  const ids = options.providers.map((provider) => provider.id)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) throw new RangeError(`The provider "${twice}" is configured twice.`)
  if (options.authenticate === undefined) {
    if (options.storage !== undefined && options.storage.keys === undefined) {
      throw new RangeError(
        'createGateway needs authenticate(request), which says who asks, or a storage with `keys`, which has API keys.',
      )
    }
  }
  const checkedHealth = check(health, options.health, 'health')
  if (checkedHealth.shared && options.storage !== undefined && options.storage.counters === undefined) {
    throw new RangeError('health.shared needs a storage with `counters`: processes tell each other by them.')
  }
  return {
    limits: check(limits, options.limits, 'limits'),
    timeouts: check(timeouts, options.timeouts, 'timeouts'),
    lateCosts: check(lateCosts, options.lateCosts, 'lateCosts'),
    health: checkedHealth,
  }
}

function check<T>(schema: z.ZodType<T>, value: unknown, name: string): T {
  const result = schema.safeParse(value ?? {})
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new RangeError(`${[name, ...(issue?.path ?? [])].join('.')}: ${issue?.message ?? 'not valid'}.`)
}
