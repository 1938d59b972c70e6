import type { OwnKey } from '../auth/own-keys.ts'
import type { Payer } from '../auth/payer.ts'
import type { Target } from '../catalog/target.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { GatewayError } from '../errors.ts'
import type { Alert } from '../ledger/alerts.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Reservation, ReservationSubject } from '../ledger/reservation.ts'
import type { Insufficient } from '../ledger/reserve.ts'
import { formatUsd, type Nano, zero } from '../money.ts'
import {
  affordableOutput,
  type CeilingDefaults,
  ceiling,
  dearest,
  keepsLimitItself,
  outputLimit,
} from './ceiling.ts'
import type { Counted } from './limiter.ts'

/** A request that may go ahead: its money is set aside. */
export interface Admission {
  readonly requestId: string
  readonly accountId: string
  readonly call: InferenceCall
  readonly reservation: Reservation
  /** The candidates the hold covers. */
  readonly targets: readonly Target[]
  /** The output bound to send to a target; `undefined` where the model's own maximum is covered. */
  readonly outputTokens: (target: Target) => number | undefined
  /** The bound the caller is told of, because it is lower than asked for. */
  readonly loweredTo: number | undefined
  /** Providers that the account pays itself: their attempts are covered by no hold and charged to nobody. */
  readonly ownKeys: ReadonlyMap<string, OwnKey>
  /** What the caller is warned of: most of the credit, or of the spending limit, is used up. */
  readonly warning: Alert | undefined
  /** How the request was counted against rate limits, where there are any. */
  readonly counted?: Counted
}

export interface AdmitOptions {
  readonly ledger: Ledger
  readonly defaults: CeilingDefaults
  /** An answer shorter than this is not worth paying for, in output tokens. */
  readonly outputTokensMin: number
  readonly timeToLiveMs: number
  readonly attemptsMax: number
  /** Whether a provider can tell costs afterwards. */
  readonly tellsCosts: (providerId: string) => boolean
  /** Told of every hold. */
  readonly onHeld?: () => void
  /** Told of every refusal for lack of credit, with what the request would have needed at its cheapest. */
  readonly onRefused?: (accountId: string, refusal: Insufficient, least: Nano) => void
}

export interface AdmitRequest {
  readonly requestId: string
  readonly payer: Payer
  readonly call: InferenceCall
  readonly candidates: readonly Target[]
}

export type Admit = (request: AdmitRequest) => Promise<Admission>

/**
 * Holds the most a request could cost at its dearest candidate. When the credit cannot pay the longest answer, the answer's
 * bound is lowered to what it can pay; when it cannot even pay a minimal one, dearer candidates are left out; when none
 * is left the request is refused, and nothing was written.
 *
 * Candidates that the account pays with a key of its own cost nobody here anything: they do not count into the hold, and
 * when there are only such the hold is zero, so that an account without credit is served.
 */
export function createAdmit(options: AdmitOptions): Admit {
  return async ({ requestId, payer, call, candidates }) => {
    const { accountId, memberId, keyId, keyCap } = payer
    const ownKeys = payer.ownKeys.ready
    const isPaid = ({ providerId }: Target) => !ownKeys.has(providerId)
    for (let targets = candidates; ; ) {
      const floors = targets.map((target) => (isPaid(target) ? floor(call, target, options) : zero))
      const amount = dearest(targets.map((target) => (isPaid(target) ? most(call, target, options) : zero)))
      const subject: { -readonly [Name in keyof ReservationSubject]: ReservationSubject[Name] } = {
        model: call.model,
        costProviderIds: costProviderIds(targets, ownKeys, options),
        attemptsMax: options.attemptsMax,
      }
      if (memberId !== undefined) subject.memberId = memberId
      if (keyId !== undefined) subject.keyId = keyId
      // A host's own object may have more in it.
      if (keyCap !== undefined) subject.keyCap = { amount: keyCap.amount, per: keyCap.per }
      const result = await options.ledger.reserve({
        accountId,
        reservationId: requestId,
        amount,
        minimum: dearest(floors),
        timeToLiveMs: options.timeToLiveMs,
        subject,
      })
      if (result.outcome === 'conflict') throw new Error(`The request id ${requestId} was used before.`)
      if (result.outcome === 'reserved') {
        options.onHeld?.()
        const { reservation, warning } = result
        return admitted(
          { requestId, accountId, call, targets, ownKeys, reservation, warning },
          amount,
          options,
        )
      }
      const affordable = targets.filter((_, index) => (floors[index] ?? amount) <= result.spendable)
      if (affordable.length === 0) {
        const least = cheapest(floors)
        options.onRefused?.(accountId, result, least)
        throw insufficientCredits(payer, result, least)
      }
      targets = affordable
    }
  }
}

/** The most a call costs at a target. */
function most(call: InferenceCall, target: Target, { defaults }: AdmitOptions): Nano {
  return ceiling(call, target, outputLimit(call, target, defaults))
}

/** What the input and a minimal answer cost at most. */
function floor(call: InferenceCall, target: Target, { defaults, outputTokensMin }: AdmitOptions): Nano {
  return ceiling(call, target, Math.min(outputTokensMin, outputLimit(call, target, defaults)))
}

/** Who can be asked for costs when this process is gone: what the account pays itself is nothing to ask for. */
function costProviderIds(
  targets: readonly Target[],
  ownKeys: ReadonlyMap<string, OwnKey>,
  { tellsCosts }: AdmitOptions,
): readonly string[] {
  return targets
    .map(({ providerId }) => providerId)
    .filter((providerId) => tellsCosts(providerId) && !ownKeys.has(providerId))
}

type Reserved = Pick<
  Admission,
  'requestId' | 'accountId' | 'call' | 'targets' | 'ownKeys' | 'reservation' | 'warning'
>

/** Works out the bounds that the hold pays for. `amount` is what would have covered everything. */
function admitted(reserved: Reserved, amount: Nano, { defaults }: AdmitOptions): Admission {
  const { requestId, accountId, call, targets, ownKeys, reservation, warning } = reserved
  const isShort = reservation.amount < amount
  let affordable = Number.MAX_SAFE_INTEGER
  let lowest = Number.MAX_SAFE_INTEGER
  for (const target of targets) {
    if (ownKeys.has(target.providerId)) continue
    if (isShort) affordable = Math.min(affordable, affordableOutput(call, target, reservation.amount))
    lowest = Math.min(lowest, outputLimit(call, target, defaults))
  }
  lowest = Math.min(lowest, affordable)
  const isLowered = call.operation === 'chat' && (isShort || lowest < (call.outputTokensMax ?? 0))
  return {
    requestId,
    accountId,
    call,
    reservation,
    targets,
    ownKeys,
    outputTokens: (target) => {
      if (ownKeys.has(target.providerId)) return ownBound(call, target)
      if (!isShort && keepsLimitItself(call, target)) return undefined
      return Math.min(affordable, outputLimit(call, target, defaults))
    },
    loweredTo: isLowered ? lowest : undefined,
    warning,
  }
}

/** Without a hold nothing bounds an answer but the caller and the model. */
function ownBound(call: InferenceCall, target: Target): number | undefined {
  if (call.outputTokensMax === undefined) return undefined
  return outputLimit(call, target, { outputTokens: Number.MAX_SAFE_INTEGER })
}

function cheapest(amounts: readonly Nano[]): Nano {
  return amounts.reduce((least, amount) => (amount < least ? amount : least))
}

/** Says what is missing for the least that would do, when credit comes back, and what the account can do. */
function insufficientCredits({ name }: Payer, result: Insufficient, least: Nano): GatewayError {
  const missing = formatUsd(least - result.spendable)
  // What is used up for good comes back with no period.
  const isForGood = result.limit === 'key-cap' && result.keyCap?.per === 'lifetime'
  const resetsAt = isForGood ? null : new Date(result.resetsAtMs).toISOString()
  const waiting = result.held > 0n ? ` $${formatUsd(result.held)} is held for requests under way.` : ''
  const { reached, left, remedy } = stopped(name, result)
  const until = resetsAt === null ? '' : `, or wait until ${resetsAt}`
  return new GatewayError(
    'insufficient_credits',
    `You have exceeded your ${reached}: this request needs $${missing} more than the ` +
      `$${formatUsd(result.spendable)} that ${left}.${waiting} ${remedy}${until}.`,
    {
      facts: {
        payer: name,
        limit: result.limit,
        ...(result.memberCap === null ? {} : { member_cap_usd: formatUsd(result.memberCap) }),
        ...(result.keyCap === null
          ? {}
          : { key_cap_usd: formatUsd(result.keyCap.amount), key_cap_per: result.keyCap.per }),
        missing_usd: missing,
        spendable_usd: formatUsd(result.spendable),
        held_usd: formatUsd(result.held),
        spending_limit_usd: formatUsd(result.overageLimit),
        plan: result.planId,
        resets_at: resetsAt,
      },
    },
  )
}

/** What was reached, what is left of it, and what helps, by the limit that stopped a request. */
function stopped(
  name: string,
  { limit, memberCap, keyCap, overageLimit }: Insufficient,
): Readonly<Record<'reached' | 'left' | 'remedy', string>> {
  const left = `'${name}' has left`
  switch (limit) {
    case 'key-cap':
      return {
        reached: `monthly included credits, as far as the cap of $${formatUsd(keyCap?.amount ?? zero)} of this API key goes`,
        left: 'is left of it',
        remedy: `Ask '${name}' to raise it, or use another key`,
      }
    case 'member-cap':
      return {
        reached: `monthly included credits, as far as your cap of $${formatUsd(memberCap ?? zero)} at '${name}' goes`,
        left: 'is left of it',
        remedy: `Ask '${name}' to raise it`,
      }
    case 'spending-limit':
      return {
        reached: `monthly included credits and the spending limit of $${formatUsd(overageLimit)}`,
        left,
        remedy: 'Raise the spending limit or add credits',
      }
    case 'credit':
      return {
        reached: 'monthly included credits',
        left,
        remedy: 'Add credits or choose a plan with pay-as-you-go',
      }
  }
}
