import type { Clock } from '@farebox/core'
import type { StripeEvent } from './objects.ts'

/** Sends webhooks to one address, each again and again until it is answered with a 2xx. */
export interface Delivery {
  /** Sends one event once, and gives the status, or 0 when nobody answered. */
  deliver(event: StripeEvent): Promise<number>
  /** Sends one event until it is taken. */
  start(event: StripeEvent): void
  close(): void
}

export interface DeliveryOptions {
  readonly url: string
  readonly clock: Clock
  sign(event: StripeEvent): { readonly body: string; readonly signature: string }
}

/** Stripe itself waits longer each time, for up to three days. */
const retryMs = 500

const timeoutMs = 10_000

export function createDelivery({ url, clock, sign }: DeliveryOptions): Delivery {
  const closing = new AbortController()

  async function deliver(event: StripeEvent): Promise<number> {
    const { body, signature } = sign(event)
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': signature },
        body,
        signal: AbortSignal.any([closing.signal, AbortSignal.timeout(timeoutMs)]),
      })
      await response.body?.cancel()
      return response.status
    } catch {
      // Nobody answered, which is one of the things a delivery may end in.
      return 0
    }
  }

  async function untilTaken(event: StripeEvent): Promise<void> {
    while (!closing.signal.aborted) {
      const status = await deliver(event)
      if (status >= 200 && status < 300) return
      await new Promise<void>((resolve) => clock.after(retryMs, resolve))
    }
  }

  return { deliver, start: (event) => void untilTaken(event), close: () => closing.abort() }
}
