import assert from 'node:assert/strict'
import { eventually } from '@farebox/testkit/adapter'
import type { ClientSubject } from './client.ts'

type Payer = Pick<ClientSubject, 'baseUrl' | 'apiKey'>

/**
 * Runs something and proves that the account was charged what the providers counted meanwhile: as a whole, and request by
 * request, to the nano-USD. Nobody else may use the account or the providers meanwhile.
 */
export async function chargedExactly(
  subject: Payer & Pick<ClientSubject, 'simulator'>,
  run: () => Promise<void>,
): Promise<void> {
  const { simulator } = subject
  const before = nanoUsd((await credits(subject))['charged_total'])
  const servedBefore = simulator.served.length
  await run()
  await eventually('nothing is held and no provider is at work', async () => {
    return (await credits(subject))['held'] === '0.00' && simulator.activeRequests() === 0
  })
  const costs = new Map<string, bigint>()
  for (const { requestId, costNanoUsd } of simulator.served.slice(servedBefore)) {
    // Providers are given the request's id and the number of the attempt.
    const id = requestId.replace(/\.\d+$/, '')
    costs.set(id, (costs.get(id) ?? 0n) + costNanoUsd)
  }
  for (const [id, cost] of costs) {
    assert.equal(nanoUsd((await receipt(subject, id))['charged']), cost, `the receipt of ${id}`)
  }
  const counted = [...costs.values()].reduce((sum, cost) => sum + cost, 0n)
  const charged = nanoUsd((await credits(subject))['charged_total']) - before
  assert.equal(charged, counted, 'what was charged is not what the providers counted')
}

export function credits(payer: Payer): Promise<Record<string, unknown>> {
  return read(payer, '/credits')
}

export function receipt(payer: Payer, requestId: string): Promise<Record<string, unknown>> {
  return read(payer, `/receipts/${requestId}`)
}

/** Reads exact decimal US dollars without a float. */
export function nanoUsd(text: unknown): bigint {
  const [whole = '0', fraction = ''] = String(text).split('.')
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'))
}

async function read({ baseUrl, apiKey }: Payer, path: string): Promise<Record<string, unknown>> {
  const response = await fetch(baseUrl + path, { headers: { authorization: `Bearer ${apiKey}` } })
  assert.equal(response.status, 200, `GET ${path}`)
  return (await response.json()) as Record<string, unknown>
}
