import type { Alert } from './ledger/alerts.ts'
import type { Receipt } from './ledger/receipt.ts'
import { formatUsd } from './money.ts'

/**
 * The value of `x-hf-warning`: a topic, a semicolon and a message, as Hugging Face's Python client reads it (huggingface_hub,
 * 2026-11-22). The client shows each topic once, so a topic has the threshold and the period in it.
 *
 * One warning an answer: what the account runs out of comes before what one request cost.
 */
export function warningText(running: Alert | undefined, receipt: Receipt | undefined): string | undefined {
  if (running !== undefined) return ofAlert(running)
  if (receipt === undefined) return undefined
  if (receipt.state !== undefined) return ofLateCost(receipt)
  return receipt.attempts.at(-1)?.costSource === 'estimate' ? ofEstimate(receipt) : undefined
}

function ofAlert({ of, percent, periodKey, used, total }: Alert): string {
  const share = total === 0n ? 100n : (used * 100n) / total
  const what = of === 'credit' ? 'credits' : 'spending limit'
  const topic = `${of === 'credit' ? 'credits' : of}-${percent}-${periodKey}`
  return `${topic}; You have used ${share}% of your ${what} in ${periodKey}: $${formatUsd(used)} of $${formatUsd(total)}.`
}

function ofEstimate({ cost }: Receipt): string {
  return `estimated-cost; The provider did not tell what this request used: its cost of $${formatUsd(cost)} is an estimate.`
}

function ofLateCost({ attempts }: Receipt): string {
  const expected = attempts.reduce((sum, { estimate }) => sum + (estimate ?? 0n), 0n)
  return `late-cost; The provider tells later what this request cost. Until then $${formatUsd(expected)} is set aside for it.`
}
