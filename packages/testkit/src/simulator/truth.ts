import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs'
import {
  costNanoUsd,
  type ModelPrice,
  type Operation,
  type ProviderName,
  type Quantity,
} from './price-list.ts'

export type Outcome = 'complete' | 'aborted' | 'failed'

/** One request that produced something billable, counted once. */
export interface Served {
  readonly provider: ProviderName
  /** The caller's `x-request-id`, else the provider's own id. */
  readonly requestId: string
  readonly providerRequestId: string
  readonly model: string
  readonly operation: Operation
  /** Tells which key it was for; empty without one. The key itself is not kept. */
  readonly keyHash: string
  /** Counts under the names the provider itself uses for them. */
  readonly usage: Readonly<Record<string, number>>
  readonly costNanoUsd: bigint
  readonly outcome: Outcome
}

export interface ServedRequest {
  readonly provider: ProviderName
  readonly requestId: string
  readonly providerRequestId: string
  readonly model: string
  readonly operation: Operation
  readonly keyHash: string
  readonly price: ModelPrice
}

export interface Delivery {
  readonly usage: Readonly<Record<string, number>>
  readonly quantities: readonly Quantity[]
  readonly outcome: Outcome
}

/** A request that is being answered. The first call of `settle` or `discard` ends it, later calls do nothing. */
export interface OpenEntry {
  settle(delivery: Delivery): void
  /** Ends a request that produced nothing billable. */
  discard(): void
}

/** What a provider knows about its own deliveries. With a file, the count survives the end of the process. */
export interface Truth {
  readonly served: readonly Served[]
  open(request: ServedRequest): OpenEntry
  knows(id: string): boolean
  /**
   * The cost by id, for the ids that are known and no longer running. Requests that share an id are summed. With a key only
   * those that came with it: a provider tells nobody what others pay.
   */
  lookUp(
    provider: ProviderName,
    ids: readonly string[],
    keyHash: string | undefined,
  ): ReadonlyMap<string, bigint>
}

export function openTruth(file: string | undefined): Truth {
  const served: Served[] = file === undefined ? [] : readServed(file)
  const byId = new Map<string, Served[]>()
  const running = new Map<string, number>()
  for (const entry of served) index(byId, entry)

  function open({ price, ...request }: ServedRequest): OpenEntry {
    const ids = idsOf(request)
    for (const id of ids) running.set(id, (running.get(id) ?? 0) + 1)
    let isOpen = true
    function end(): void {
      isOpen = false
      for (const id of ids) {
        const left = (running.get(id) ?? 1) - 1
        if (left === 0) running.delete(id)
        else running.set(id, left)
      }
    }
    return {
      settle({ usage, quantities, outcome }) {
        if (!isOpen) return
        const entry: Served = { ...request, usage, costNanoUsd: costNanoUsd(price, quantities), outcome }
        // The file first: what the caller may see must never be ahead of what survives a crash.
        if (file !== undefined) appendFileSync(file, `${toLine(entry)}\n`)
        served.push(entry)
        index(byId, entry)
        end()
      },
      discard() {
        if (isOpen) end()
      },
    }
  }

  return {
    served,
    open,
    knows: (id) => byId.has(id),
    lookUp(provider, ids, keyHash) {
      const costs = new Map<string, bigint>()
      for (const id of ids) {
        const isMeant = (entry: Served) =>
          entry.provider === provider && (keyHash === undefined || entry.keyHash === keyHash)
        const found = byId.get(id)?.filter(isMeant) ?? []
        if (found.length === 0 || running.has(id)) continue
        costs.set(
          id,
          found.reduce((sum, entry) => sum + entry.costNanoUsd, 0n),
        )
      }
      return costs
    },
  }
}

function idsOf(request: { requestId: string; providerRequestId: string }): ReadonlySet<string> {
  return new Set([request.requestId, request.providerRequestId])
}

function index(byId: Map<string, Served[]>, entry: Served): void {
  for (const id of idsOf(entry)) {
    const entries = byId.get(id)
    if (entries === undefined) byId.set(id, [entry])
    else entries.push(entry)
  }
}

function toLine(entry: Served): string {
  return JSON.stringify({ ...entry, costNanoUsd: entry.costNanoUsd.toString() })
}

function readServed(file: string): Served[] {
  if (!existsSync(file)) return []
  const bytes = readFileSync(file)
  const end = bytes.lastIndexOf(0x0a) + 1
  // A line without its end was torn by a crash while it was written, so nobody has seen it counted.
  if (end < bytes.length) truncateSync(file, end)
  return bytes
    .subarray(0, end)
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const entry = JSON.parse(line) as Omit<Served, 'costNanoUsd'> & { readonly costNanoUsd: string }
      return { ...entry, keyHash: entry.keyHash ?? '', costNanoUsd: BigInt(entry.costNanoUsd) }
    })
}
