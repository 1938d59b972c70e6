import type { Nano } from '../money.ts'
import type { Provider } from '../providers/provider.ts'
import { readBody } from './read-body.ts'
import type { Transport } from './transport.ts'

/** The most ids one question may hold (Hugging Face's billing protocol, 2026-06-23). */
const batchMax = 10_000

/**
 * Asks a provider what attempts cost. Gives what it knows; ids it does not know, and batches it does not answer, are left
 * out, because not knowing is not a fault.
 */
export async function lookUpCosts(
  provider: Provider,
  attemptIds: readonly string[],
  transport: Transport,
): Promise<ReadonlyMap<string, Nano>> {
  const known = new Map<string, Nano>()
  const { costs } = provider
  if (costs === undefined) return known
  for (let start = 0; start < attemptIds.length; start += batchMax) {
    const batch = attemptIds.slice(start, start + batchMax)
    const asked = new Set(batch)
    for (const [id, cost] of await ask(costs, batch, transport)) if (asked.has(id)) known.set(id, cost)
  }
  return known
}

async function ask(
  costs: NonNullable<Provider['costs']>,
  batch: readonly string[],
  transport: Transport,
): Promise<ReadonlyMap<string, Nano>> {
  try {
    const response = await transport.send(costs.encode(batch), {
      headersTimeoutMs: 30_000,
      bodyTimeoutMs: 30_000,
      totalTimeoutMs: 60_000,
    })
    const body = await readBody(response.body, 16 * 1024 * 1024)
    return response.status < 300 ? costs.decode(JSON.parse(body.toString('utf8'))) : new Map()
  } catch {
    return new Map()
  }
}
