import { formatUsd, type Nano } from '../../money.ts'
import type { JournalEntry } from '../entry.ts'
import type { ReceiptAttempt } from '../receipt.ts'
import type { AuditDrift, AuditedPrices, Findings } from './report.ts'

/**
 * What the recorded usage of an attempt costs at the price version it names; `undefined` when that version, or the model in
 * it, is not known any more.
 */
export type RateAttempt = (attempt: ReceiptAttempt) => Nano | undefined

/** Proves zero markup: each cost is the provider's own word, or what the price in force says of the recorded usage. */
export interface PriceCheck {
  check(entry: JournalEntry): void
  result(): AuditedPrices
}

export function createPriceCheck(rate: RateAttempt, findings: Findings, driftsMax: number): PriceCheck {
  const counts = {
    verified: 0,
    reported: 0,
    unverifiable: 0,
    mispriced: 0,
    estimated: 0,
    compared: 0,
    drifted: 0,
  }
  const drifts: AuditDrift[] = []
  const awaited = createAwaited()

  function compareReported(entry: JournalEntry, attempt: ReceiptAttempt, reported: Nano): void {
    counts.reported += 1
    // An estimate of the usage says nothing about the price.
    const rated = attempt.usage?.certainty === 'exact' ? rateSafely(rate, attempt) : undefined
    if (rated === undefined) return
    counts.compared += 1
    if (!hasDrifted(reported, rated)) return
    counts.drifted += 1
    if (drifts.length >= driftsMax) return
    const { attemptId, providerId, providerModel } = attempt
    const { seq, requestId = '' } = entry
    drifts.push({ seq, requestId, attemptId, providerId, providerModel, reported, rated })
  }

  function compareRated({ seq, requestId }: JournalEntry, attempt: ReceiptAttempt, cost: Nano): void {
    const rated = rateSafely(rate, attempt)
    if (rated === undefined) {
      counts.unverifiable += 1
    } else if (rated === cost) {
      counts.verified += 1
      if (attempt.usage?.certainty === 'estimate') counts.estimated += 1
    } else {
      counts.mispriced += 1
      findings.add({
        kind: 'mispriced-attempt',
        seq,
        ...(requestId === undefined ? {} : { requestId }),
        message:
          `Attempt ${attempt.attemptId} cost $${formatUsd(cost)}; price version ${attempt.priceVersion} says ` +
          `$${formatUsd(rated)} for its usage.`,
      })
    }
  }

  return {
    check(entry) {
      for (const booked of entry.attempts ?? []) {
        const attempt = awaited.complete(booked)
        if (attempt.cost === null) continue
        if (attempt.costSource === 'provider') compareReported(entry, attempt, attempt.cost)
        else compareRated(entry, attempt, attempt.cost)
      }
    },
    result: () => ({ ...counts, drifts }),
  }
}

/** At most this many attempts are remembered until their cost comes: minutes of a busy account. */
const awaitedMax = 10_000

/** Remembers the usage of attempts whose cost comes later, in an entry that does not repeat it. */
function createAwaited(): { complete(attempt: ReceiptAttempt): ReceiptAttempt } {
  const attempts = new Map<string, ReceiptAttempt>()
  return {
    complete(attempt) {
      const { attemptId, cost, usage, memoCost } = attempt
      if (cost === null) {
        // A cost that only the customer hears of never comes.
        if (usage === undefined || memoCost !== undefined) return attempt
        attempts.set(attemptId, attempt)
        if (attempts.size > awaitedMax) attempts.delete(attempts.keys().next().value ?? '')
        return attempt
      }
      const earlier = attempts.get(attemptId)
      if (earlier === undefined) return attempt
      attempts.delete(attemptId)
      return { ...earlier, ...attempt }
    },
  }
}

/** Whether a provider charged something else than the price book says. One nano-USD is rounding. */
export function hasDrifted(reported: Nano, rated: Nano): boolean {
  const difference = reported - rated
  return difference > 1n || difference < -1n
}

/** A usage that cannot be rated at all, such as one that somebody wrote by hand, proves nothing. */
function rateSafely(rate: RateAttempt, attempt: ReceiptAttempt): Nano | undefined {
  if (attempt.usage === undefined || attempt.priceVersion === undefined) return undefined
  try {
    return rate(attempt)
  } catch {
    return undefined
  }
}
