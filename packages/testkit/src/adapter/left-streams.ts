import { createGateway, type Gateway, type Storage, usd } from '@farebox/core'
import { together } from '@farebox/core/providers/together'
import type { AdapterHost } from './adapter-host.ts'
import { type EndlessProvider, endlessKinds, startEndlessProvider } from './endless-provider.ts'
import { eventually } from './eventually.ts'
import { chatModel, streamedChat } from './questions.ts'
import { openRawConnection, type RawConnection, rawRequest } from './raw-connection.ts'
import { activeNow, type CountingClock, countingClock, type Resources, resourcesNow } from './resources.ts'
import { accountId } from './rig.ts'

export interface LeaveStreamsOptions {
  readonly storage: Storage
  /** How many are left between the two looks at what is held. */
  readonly streams: number
  /** How many are open at a time. @default 100 */
  readonly inFlight?: number
  /**
   * How much the heap may grow. A storage that keeps its journals elsewhere needs nothing for a stream that is over; what is
   * compiled and remembered on the way takes some megabytes. @default 16 MB
   */
  readonly heapGrowthBytesMax?: number
  /** How long sockets may take to close, and timers to run out, before they are told. @default 10 seconds */
  readonly settleWithinMs?: number
  readonly onProgress?: (left: number) => void
  /** Stops before the next ones, and looks at what those so far have left. */
  readonly signal?: AbortSignal
}

/** What was held before and after streams were left. */
export interface LeftStreams {
  /** How many were left: fewer than asked for when it was stopped. */
  readonly streams: number
  readonly before: LeftBehind
  readonly after: LeftBehind
  /** What did not come back to what it was, in words. Empty when everything did. */
  readonly wrong: readonly string[]
}

/** What streams that are over could leave behind. */
export interface LeftBehind extends Resources {
  /** Connections of the gateway at the provider. */
  readonly providerSockets: number
  /** Timers of the gateway's clock. */
  readonly timers: number
  /** Places of a rate limit on requests at once that are taken. */
  readonly slots: number
  /** What is held of the account, in nano-USD. */
  readonly held: bigint
  /** How the target of the streams is called in the list of models: closed to requests it has another status. */
  readonly status: string
}

const model = `${chatModel}:together`

/** A machine that is busy with something else may take long over hundreds of streams. */
const patienceMs = 120_000

/**
 * Opens streams on a real server, and leaves them: before the provider has answered, after a piece, while pieces come, and without
 * having read any. Then looks at what is left of them, and whether each was settled once.
 *
 * Needs the process for itself: whatever else goes on in it is counted with it.
 */
export async function leaveStreams(
  host: AdapterHost,
  {
    storage,
    streams: wanted,
    inFlight = 100,
    heapGrowthBytesMax = 16 * 1024 * 1024,
    settleWithinMs = 10_000,
    onProgress,
    signal,
  }: LeaveStreamsOptions,
): Promise<LeftStreams> {
  const bench = await startBench(host, storage, 2 * inFlight)
  try {
    // The first ones load code and open connections that stay.
    await bench.leave({ streams: 2 * inFlight, inFlight })
    const before = await bench.look()
    const settledBefore = bench.counts.settled
    const streams = await bench.leave({ streams: wanted, inFlight, onProgress, signal })
    const after = await bench.look(before, settleWithinMs)
    const settled = bench.counts.settled - settledBefore
    const wrong = [
      ...differences(before, after, heapGrowthBytesMax),
      // One more for the look itself.
      ...(settled === streams + 1 ? [] : [`${settled - 1} of ${streams} streams were settled`]),
      ...(bench.counts.circuits === 0 ? [] : [`circuits changed ${bench.counts.circuits} times`]),
      ...(await bench.books()),
    ]
    return { streams, before, after, wrong }
  } finally {
    await bench.close()
  }
}

function differences(before: LeftBehind, after: LeftBehind, heapGrowthBytesMax: number): readonly string[] {
  const wrong: string[] = []
  const grown = after.heapBytes - before.heapBytes
  if (grown > heapGrowthBytesMax) wrong.push(`the heap grew by ${grown} bytes`)
  for (const [name, count] of Object.entries(after.active)) {
    const was = before.active[name] ?? 0
    if (count > was) wrong.push(`${count} ${name} instead of ${was}`)
  }
  for (const name of ['providerSockets', 'timers', 'slots', 'held', 'status'] as const) {
    const isWorse = name === 'providerSockets' ? after[name] > before[name] : after[name] !== before[name]
    if (isWorse) wrong.push(`${name}: ${after[name]} instead of ${before[name]}`)
  }
  return wrong
}

interface Counts {
  settled: number
  charged: bigint
  circuits: number
}

/** A host over a provider that never ends an answer, with an account that has credit for any number of them. */
async function startBench(host: AdapterHost, storage: Storage, slotsMax: number) {
  const provider = await startEndlessProvider()
  const clock = countingClock()
  const counts: Counts = { settled: 0, charged: 0n, circuits: 0 }
  const gateway = createGateway({
    providers: [together({ apiKey: 'provider-key', baseUrl: provider.baseUrl })],
    authenticate: () => ({ accountId, limits: { concurrentRequests: slotsMax } }),
    storage,
    clock,
    lateCosts: { everyMs: 0 },
    onEvent(event) {
      if (event.kind === 'circuit.changed') counts.circuits += 1
      if (event.kind !== 'request.settled') return
      counts.settled += 1
      counts.charged += event.receipt.charged
    },
  })
  await gateway.credits.grant({ grantId: 'g', accountId, amount: usd('1000000.00'), kind: 'purchased' })
  const mount = { prefix: '/ai', parsesJson: false, headers: {}, trustsProxy: false, before: undefined }
  const mounted = await host.mount(gateway, mount)
  const url = `${mounted.url}${mount.prefix}`
  const parts = { gateway, provider, clock, counts, url, slotsMax }
  return {
    counts,
    leave: (options: LeaveOptions) => leaveAll(parts, options),
    look: (before?: LeftBehind, settleWithinMs = 0) => look(parts, before, settleWithinMs),
    books: () => books(parts),
    async close() {
      await mounted.close()
      await gateway.close()
      await provider.close()
    },
  }
}

interface Parts {
  readonly gateway: Gateway
  readonly provider: EndlessProvider
  readonly clock: CountingClock
  readonly counts: Counts
  readonly url: string
  readonly slotsMax: number
}

interface LeaveOptions {
  readonly streams: number
  readonly inFlight: number
  readonly onProgress?: ((left: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Gives how many were left. */
async function leaveAll(
  parts: Parts,
  { streams, inFlight, onProgress, signal }: LeaveOptions,
): Promise<number> {
  let left = 0
  while (left < streams && signal?.aborted !== true) {
    const count = Math.min(inFlight, streams - left)
    await leaveSome(parts, count)
    left += count
    onProgress?.(left)
  }
  return left
}

async function leaveSome({ provider, counts, url }: Parts, count: number): Promise<void> {
  const settled = counts.settled + count
  const opened = Array.from({ length: count }, (_, index) => {
    const kind = endlessKinds[index % endlessKinds.length] ?? 'first'
    const isReading = kind !== 'unread'
    const connection = openRawConnection(url, { isReading })
    connection.send(rawRequest(url, streamedChat({ model, max_tokens: 100, user: kind })))
    return { connection, isAnswered: isReading && kind !== 'silent' }
  })
  await eventually(
    'every stream is where its caller leaves it',
    () =>
      provider.active === count &&
      opened.every(({ connection, isAnswered }) => !isAnswered || connection.text.includes('"content"')),
    patienceMs,
  )
  for (const { connection } of opened) connection.leave()
  await eventually(
    'every stream is settled',
    () => counts.settled === settled && provider.active === 0,
    patienceMs,
  )
}

/** Looks at what is held when nothing is under way. With a look before this one, waits until nothing is more than it was then. */
async function look(
  parts: Parts,
  before: LeftBehind | undefined,
  settleWithinMs: number,
): Promise<LeftBehind> {
  const { gateway, provider, clock, counts } = parts
  const settled = counts.settled + 1
  const { connection, slots, status } = await ask(parts)
  connection.leave()
  await eventually('the last stream is settled', () => counts.settled === settled && provider.active === 0)
  await connection.over()
  if (before !== undefined) await settleDown(parts, before, settleWithinMs)
  return {
    ...resourcesNow(),
    providerSockets: provider.sockets,
    timers: clock.pending,
    slots,
    held: (await gateway.accounts.balance(accountId)).held,
    status,
  }
}

/** Sockets close, and places are given back, a moment after a request is settled. What never comes down is left to be told. */
async function settleDown({ clock, provider }: Parts, before: LeftBehind, withinMs: number): Promise<void> {
  const isDown = () => {
    const active = Object.entries(activeNow())
    return (
      active.every(([name, count]) => count <= (before.active[name] ?? 0)) &&
      provider.sockets <= before.providerSockets &&
      clock.pending <= before.timers
    )
  }
  await eventually('everything is as it was', isDown, withinMs).catch(() => undefined)
}

/** One more stream: its head says how many places are taken, its own not counted. */
async function ask(
  parts: Parts,
): Promise<Pick<LeftBehind, 'slots' | 'status'> & { connection: RawConnection }> {
  const { url, slotsMax } = parts
  const connection = openRawConnection(url)
  connection.send(rawRequest(url, streamedChat({ model, max_tokens: 100, user: 'first' })))
  await connection.reads('"content"')
  const left = /^ratelimit: .*?r=(\d+)/im.exec(connection.text)?.[1]
  const models = openRawConnection(url)
  models.send(rawRequest(url, { path: `/v1/models/${chatModel}`, headers: { connection: 'close' } }))
  await models.over()
  const status = /"provider":"together","status":"(\w+)"/.exec(models.text)?.[1] ?? 'not offered'
  return { connection, slots: slotsMax - 1 - Number(left), status }
}

/** Whether the account was charged what its receipts say, once each, and its journal proves it. */
async function books({ gateway, counts }: Parts): Promise<readonly string[]> {
  const { charged } = await gateway.accounts.balance(accountId)
  const report = await gateway.audit(accountId)
  const wrong = report.findings.map(({ kind }) => `the audit finds ${kind}`)
  if (charged !== counts.charged) wrong.push(`charged ${charged} instead of ${counts.charged}`)
  if (report.attempts !== counts.settled)
    wrong.push(`${report.attempts} attempts for ${counts.settled} streams`)
  return wrong
}
