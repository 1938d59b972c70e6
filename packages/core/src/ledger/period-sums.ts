import { type Nano, zero } from '../money.ts'
import type { Key } from './storage.ts'
import { type Amounts, addAmounts, type Funding } from './usage-sums.ts'

/** What an invoice will say about one period, added up while the period lasts. */
export type PeriodSums = {
  /** What was charged, by provider and model. */
  readonly usage: readonly ChargedUsage[]
  /** What was given back of it. */
  readonly refunded: Nano
  /** What paid, less what went back there. */
  readonly paidFrom: Amounts<Funding>
  /** Corrections by hand of what is owed; negative when they lower it. */
  readonly adjusted: Nano
}

export type ChargedUsage = {
  readonly providerId: string
  readonly model: string
  readonly requests: number
  readonly charged: Nano
}

export const noSums: PeriodSums = { usage: [], refunded: zero, paidFrom: {}, adjusted: zero }

/** The sums of a period that no invoice covers yet. */
export function periodSumsKey(periodKey: string): Key {
  return `statement:${periodKey}`
}

/** Sums of periods that had their invoice before: they go on the next one, period by period. */
export const lateSumsKey: Key = 'statement:late'

export type LateSums = { readonly periods: Readonly<Record<string, PeriodSums>> }

/** Lines of usage in an invoice. Models beyond them are counted together, for each provider. */
const usageLinesMax = 512
const otherModels = '(other models)'

export function sumPeriods(all: readonly PeriodSums[]): PeriodSums {
  const paidFrom: Partial<Record<Funding, Nano>> = {}
  let refunded: bigint = zero
  let adjusted: bigint = zero
  for (const sums of all) {
    addAmounts(paidFrom, sums.paidFrom)
    refunded += sums.refunded
    adjusted += sums.adjusted
  }
  return { usage: joinUsage(all), refunded: refunded as Nano, paidFrom, adjusted: adjusted as Nano }
}

/** What the period owes as pay-as-you-go, before it is corrected by hand. */
export function owed({ paidFrom }: PeriodSums): Nano {
  return paidFrom.overage ?? zero
}

function joinUsage(all: readonly PeriodSums[]): readonly ChargedUsage[] {
  const lines = new Map<string, ChargedUsage>()
  for (const { usage } of all) {
    for (const added of usage) {
      const isBeyond = lines.size >= usageLinesMax && !lines.has(nameOf(added))
      const line = isBeyond ? { ...added, model: otherModels } : added
      const present = lines.get(nameOf(line))
      if (present === undefined) lines.set(nameOf(line), line)
      else lines.set(nameOf(line), addLines(present, line))
    }
  }
  return [...lines.values()]
}

function addLines(a: ChargedUsage, b: ChargedUsage): ChargedUsage {
  return { ...a, requests: a.requests + b.requests, charged: (a.charged + b.charged) as Nano }
}

function nameOf({ providerId, model }: ChargedUsage): string {
  return JSON.stringify([providerId, model])
}
