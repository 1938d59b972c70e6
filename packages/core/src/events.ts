import type { ErrorCode } from './errors.ts'
import type { Receipt } from './ledger/receipt.ts'

/** Everything observable, as plain data. No event holds a key, a prompt or an answer. */
export type GatewayEvent =
  /** A request's money is settled: charged, or released when nothing was billable. */
  | { readonly kind: 'request.settled'; readonly receipt: Receipt }
  /** A request was answered with an error by the gateway itself. */
  | {
      readonly kind: 'request.refused'
      readonly requestId: string
      readonly code: ErrorCode
      readonly status: number
      readonly message: string
    }
  /** A target failed and the next one is tried. */
  | {
      readonly kind: 'attempt.failed'
      readonly attemptId: string
      readonly providerId: string
      readonly model: string
      /** Whether it was the account's own key that was used: then a refusal of the key is the account's affair. */
      readonly isOwnKey: boolean
      readonly reason: string
      readonly message: string
    }
  | {
      readonly kind: 'circuit.changed'
      readonly providerId: string
      readonly model: string
      readonly state: 'open' | 'closed'
    }
  /** The store could not settle a request. It is tried again, and left to reconciliation in the end. */
  | {
      readonly kind: 'settle.failed'
      readonly requestId: string
      readonly accountId: string
      readonly willRetry: boolean
      readonly cause: unknown
    }
  /**
   * An attempt used something that its price does not name: a unit, or a service tier. What has a price was charged, as an
   * estimate; the rest is the operator's until the price book names it.
   */
  | {
      readonly kind: 'price.missing'
      readonly requestId: string
      readonly accountId: string
      readonly attemptId: string
      readonly providerId: string
      readonly providerModel: string
      readonly priceVersion: string | undefined
      /** The unit or the tier. */
      readonly what: string
    }
  /** A hold that its process left behind was resolved. */
  | {
      readonly kind: 'hold.resolved'
      readonly requestId: string
      readonly accountId: string
      readonly outcome: 'settled' | 'released'
    }
  /** An answer could not be kept for repeats with the same `Idempotency-Key`. Its caller got it. */
  | { readonly kind: 'answer.not-kept'; readonly requestId: string; readonly cause: unknown }
  /**
   * An account's own key at a provider cannot be opened: the key of the ring is missing, or the text was changed or moved.
   * The account's requests do not go to this provider. Told again every ten seconds at most while they come.
   */
  | {
      readonly kind: 'provider-key.locked'
      readonly accountId: string
      readonly providerId: string
      readonly ringKeyId: string
    }

/** Called synchronously. An observer that throws never fails a request. */
export type OnEvent = (event: GatewayEvent) => void

/** An observer that throws must not fail a request. */
export function guarded(onEvent: OnEvent | undefined): OnEvent {
  return (event) => {
    try {
      onEvent?.(event)
    } catch (error) {
      process.emitWarning(`A Farebox event observer threw on "${event.kind}": ${String(error)}`)
    }
  }
}
