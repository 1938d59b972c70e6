import { z } from 'zod'
import { type Nano, nano } from '../money.ts'
import type { CostLookup } from './provider.ts'
import { addressOf } from './settings.ts'

export interface CostLookupOptions {
  /** Where costs are asked for. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly settles?: 'afterwards' | undefined
}

/**
 * The cost lookup that a provider was configured with, if any.
 *
 * @throws RangeError when costs are to come afterwards from nowhere, or from what is no address.
 */
export function costLookupOf(
  providerId: string,
  {
    costUrl,
    settles,
  }: { readonly costUrl?: string | undefined; readonly settles?: 'afterwards' | undefined },
  headers: CostLookupOptions['headers'],
): CostLookup | undefined {
  if (costUrl !== undefined)
    return huggingFaceCosts({ url: addressOf(costUrl, `${providerId}: costUrl`), headers, settles })
  if (settles === undefined) return undefined
  throw new RangeError('A provider that settles afterwards needs a costUrl that tells its costs.')
}

const answer = z.looseObject({ requests: z.array(z.unknown()) })

const requestCost = z.looseObject({ requestId: z.string(), costNanoUsd: z.number().min(0) })

/**
 * Hugging Face's billing protocol (hub-docs, 2026-06-23): up to 10,000 request ids in, their costs in nano-USD out. A cost
 * is a non-negative whole number; a fraction is rounded up; a negative one is skipped and asked for again.
 */
export function huggingFaceCosts({ url, headers, settles }: CostLookupOptions): CostLookup {
  const target = new URL(url)
  return {
    ...(settles === undefined ? {} : { settles }),
    encode: (attemptIds) => ({
      method: 'POST',
      url: target,
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ requestIds: attemptIds }),
    }),
    decode(body) {
      const costs = new Map<string, Nano>()
      for (const request of answer.safeParse(body).data?.requests ?? []) {
        // Each by itself: one odd cost must not hide the others.
        const { data } = requestCost.safeParse(request)
        const whole = Math.ceil(data?.costNanoUsd ?? Number.NaN)
        if (data !== undefined && Number.isSafeInteger(whole)) costs.set(data.requestId, nano(BigInt(whole)))
      }
      return costs
    },
  }
}
