import type { ErrorCode } from './errors.ts'
import type { Alert } from './ledger/alerts.ts'
import type { Invoice } from './ledger/invoice.ts'
import type { Receipt } from './ledger/receipt.ts'
import type { Nano } from './money.ts'

/** Everything observable, as plain data. No event holds a key, a prompt or an answer. */
export type GatewayEvent =
  /**
   * A request's money is settled: charged, or released when nothing was billable. Where `receipt.state` is `provisional`, a
   * cost is still to come, and this is told once more when it has come.
   */
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
  /** Requests are kept away from a target that failed, here or in another process, or are let through again. */
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
   * What a lease has paid could not be written. It is tried again a second later; what a process that ends before has not
   * written is lost.
   */
  | { readonly kind: 'checkpoint.failed'; readonly accountId: string; readonly cause: unknown }
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
  /** An account could not be looked after by this run of reconciliation; `null` when the run itself broke off. */
  | { readonly kind: 'reconcile.failed'; readonly accountId: string | null; readonly cause: unknown }
  /** A hold that its process left behind was resolved, or one whose cost never came was given back. */
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
  /**
   * An account has used up 50, 80 or 100 % of its credit or its spending limit. Once for each of them and period, whatever
   * the number of processes: the account remembers it. A process that dies as it settles may take one with it.
   */
  | ({ readonly kind: 'alert.threshold'; readonly accountId: string } & Alert)
  /**
   * An account was refused for lack of credit that no request under way will give back. Once a period in each process, as a
   * refusal writes nothing that others could remember.
   */
  | {
      readonly kind: 'alert.hard-stop'
      readonly accountId: string
      readonly periodKey: string
      /** What the request needed beyond what is left, at its cheapest. */
      readonly missing: Nano
      readonly spendable: Nano
      readonly planId: string
      readonly resetsAtMs: number
    }
  /**
   * A provider told what a request cost only after the request was over. The receipt is settled. What came too late to be
   * charged is absorbed.
   */
  | {
      readonly kind: 'cost.late'
      readonly accountId: string
      readonly requestId: string
      readonly cost: Nano
      readonly charged: Nano
      readonly absorbed: Nano
    }
  /** A provider charges something else than the price book says of the very same usage. Booked as the provider told it. */
  | {
      readonly kind: 'cost.drift'
      readonly accountId: string
      readonly requestId: string
      readonly attemptId: string
      readonly providerId: string
      readonly providerModel: string
      readonly priceVersion: string
      readonly reported: Nano
      readonly rated: Nano
    }
  /**
   * The store of counters is out of reach. For the next five seconds this process counts rate limits by itself, or keeps what it
   * knows of targets to itself; then it asks the store again. Told once each time, by each of the two.
   */
  | { readonly kind: 'counters.lost'; readonly cause: unknown }
  /** An event could not be delivered to a webhook, and will not be tried again. */
  | {
      readonly kind: 'webhook.dropped'
      readonly webhookId: string
      /** The kind of the event that is lost. */
      readonly event: string
      readonly attempts: number
      readonly reason: WebhookDropReason
      /** What the receiver answered last. */
      readonly status?: number
    }
  /** A period has its invoice. Told again when it is closed again: tell them apart by `invoiceId`. */
  | { readonly kind: 'invoice.closed'; readonly invoice: Invoice }

/**
 * Why an event was given up: the receiver kept refusing it, could not be reached or did not answer in time, wants no more
 * events (410), or too many events, or the end of the process, left no room for it.
 */
export type WebhookDropReason = 'refused' | 'unreachable' | 'gone' | 'queue-full' | 'closed'

/** Called synchronously. An observer that throws never fails a request. */
export interface OnEvent {
  (event: GatewayEvent): void
  /** Awaited as the gateway closes, after the last event. */
  readonly close?: () => Promise<void>
}

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
