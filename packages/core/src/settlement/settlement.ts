import type { Admission } from '../admission/admit.ts'
import { type Clock, pause } from '../clock.ts'
import { lookUpCosts } from '../dispatch/costs.ts'
import type { Transport } from '../dispatch/transport.ts'
import type { OnEvent } from '../events.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Receipt } from '../ledger/receipt.ts'
import type { SettledAttempt } from '../ledger/share.ts'
import type { Attempt } from '../metering/attempt.ts'
import type { Nano } from '../money.ts'
import type { Provider } from '../providers/provider.ts'
import type { Announce } from './announce.ts'
import { priceAttempt, priceMissing } from './price-attempt.ts'

export interface SettlementOptions {
  readonly ledger: Ledger
  readonly providers: ReadonlyMap<string, Provider>
  readonly transport: Transport
  readonly clock: Clock
  readonly onEvent: OnEvent
  readonly announce: Announce
  /** Told when the settlement of a request is over, for better or worse. */
  readonly onEnded?: () => void
}

/**
 * Ends a reservation: prices every attempt and settles. Never rejects: what the store cannot take now is tried again in the
 * background, and left to reconciliation in the end. `undefined` when the receipt is not there yet.
 */
export type Settle = (admission: Admission, attempts: readonly Attempt[]) => Promise<Receipt | undefined>

/** Pauses before the store is asked again. The hold is durable: nothing is lost if all of them fail. */
const retryDelaysMs = [200, 1_000, 5_000, 20_000]

/** Pauses before a provider is asked for the cost of an attempt that broke off. */
const costDelaysMs = [100, 500, 2_000]

export function createSettlement(options: SettlementOptions): Settle {
  const { ledger, onEvent, announce } = options

  function settle(admission: Admission, attempts: readonly SettledAttempt[]): Promise<Receipt> {
    const { accountId, requestId } = admission
    const spender = admission.reservation.subject
    return ledger.settle({ accountId, reservationId: requestId, attempts, spender }).then((result) => {
      if (result.outcome === 'unknown-reservation')
        throw new Error(`The hold of request ${requestId} has disappeared.`)
      // The checkpoint that writes it tells of it, and from which credit it was paid.
      return result.isUnwritten === true ? result.receipt : announce(result)
    })
  }

  async function settleLater(admission: Admission, attempts: readonly SettledAttempt[]): Promise<void> {
    for (const [index, delayMs] of retryDelaysMs.entries()) {
      await pause(options.clock, delayMs)
      try {
        await settle(admission, attempts)
        return
      } catch (cause) {
        const willRetry = index < retryDelaysMs.length - 1
        onEvent({
          kind: 'settle.failed',
          requestId: admission.requestId,
          accountId: admission.accountId,
          willRetry,
          cause,
        })
      }
    }
  }

  return async (admission, attempts) => {
    const { requestId, accountId, call } = admission
    let settled: readonly SettledAttempt[] | undefined
    try {
      const broken = brokenOff(attempts)
      const provider = broken && payeeOf(broken, admission, options)
      const costs =
        broken === undefined || provider?.costs === undefined || provider.costs.settles === 'afterwards'
          ? noCosts
          : await costsOf(broken, provider, options)
      settled = attempts.map((attempt) => {
        const { settled, unpriced } = priceAttempt(call, attempt, costs.get(attempt.attemptId))
        if (unpriced !== undefined) onEvent(priceMissing(admission, settled, unpriced))
        return comesLater(attempt, settled, options) ? Object.assign(settled, provisional) : settled
      })
      return await settle(admission, settled)
    } catch (cause) {
      onEvent({ kind: 'settle.failed', requestId, accountId, willRetry: settled !== undefined, cause })
      if (settled !== undefined) void settleLater(admission, settled)
      return undefined
    } finally {
      options.onEnded?.()
    }
  }
}

/** The attempt that broke off before it told its final usage. */
function brokenOff(attempts: readonly Attempt[]): Attempt | undefined {
  const last = attempts.at(-1)
  // A running count in a stream that broke off is less than what the provider charges.
  return last?.outcome === 'aborted' && !last.isReportFinal && last.mayHaveCost ? last : undefined
}

const provisional = { state: 'provisional' } as const

/**
 * Whether the provider tells the cost later: because it prices only then, or because nobody knows what a failed attempt
 * cost, and it can be asked.
 */
function comesLater(
  { target, isOwnKey }: Attempt,
  { costSource }: SettledAttempt,
  { providers }: SettlementOptions,
): boolean {
  if (isOwnKey || costSource === 'provider' || costSource === 'none') return false
  const costs = providers.get(target.providerId)?.costs
  return costs !== undefined && (costs.settles === 'afterwards' || costSource === 'unknown')
}

/** The provider as the attempt was paid: it tells costs only to who pays them. */
function payeeOf(
  { target, isOwnKey }: Attempt,
  { ownKeys }: Admission,
  { providers }: SettlementOptions,
): Provider | undefined {
  return isOwnKey ? ownKeys.get(target.providerId)?.provider : providers.get(target.providerId)
}

async function costsOf(
  { attemptId }: Attempt,
  provider: Provider,
  { transport, clock }: SettlementOptions,
): Promise<ReadonlyMap<string, Nano>> {
  for (const delayMs of costDelaysMs) {
    await pause(clock, delayMs)
    const costs = await lookUpCosts(provider, [attemptId], transport)
    if (costs.size > 0) return costs
  }
  return noCosts
}

const noCosts: ReadonlyMap<string, Nano> = new Map()
