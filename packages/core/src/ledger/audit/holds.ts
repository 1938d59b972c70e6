import { formatUsd, zero } from '../../money.ts'
import type { Account, Source } from '../account.ts'
import { type Reservation, reservationKey } from '../reservation.ts'
import type { Cut } from '../storage.ts'
import type { AuditReport, Findings } from './report.ts'
import { hasMembers, isListOf } from './shape.ts'

/** Proves that every open hold is the sum of its parts, and that the parts are what the sources have as held. */
export function compareHolds(
  account: Account,
  { due, moreDue }: Cut,
  findings: Findings,
): AuditReport['holds'] {
  const held = new Map<Source, bigint>()
  let provisional = 0n
  const holds = due.filter(({ key }) => key.startsWith(reservationKey('')))
  for (const { key, value } of holds) {
    if (!isHold(value)) {
      findings.add({
        kind: 'wrong-hold',
        seq: null,
        message: `The record "${key}" can not be read as a hold.`,
      })
      continue
    }
    const hold = value as unknown as Reservation
    addHold(hold, held, findings)
    if (hold.state === 'provisional') provisional += hold.amount
  }
  const sources: readonly { readonly source: Source; readonly held: bigint }[] = [
    ...account.grants.map((grant) => ({ source: `grant:${grant.grantId}` as const, held: grant.held })),
    ...account.overage.map((line) => ({ source: `overage:${line.periodKey}` as const, held: line.held })),
  ]
  for (const { source, held: inHead } of sources) {
    const byHolds = held.get(source) ?? 0n
    held.delete(source)
    // Holds that were not read may hold the rest.
    if (byHolds === inHead || (moreDue && byHolds < inHead)) continue
    findings.add({
      kind: 'wrong-hold',
      seq: null,
      source,
      message: `The head says $${formatUsd(inHead)} of ${source} is held; the open holds hold $${formatUsd(byHolds)}.`,
    })
  }
  for (const [source, amount] of held) {
    findings.add({
      kind: 'wrong-hold',
      seq: null,
      source,
      message: `Open holds hold $${formatUsd(amount)} of ${source}, which the head does not have.`,
    })
  }
  // Heads that were written before costs could come late have none.
  const { provisional: inHead = zero } = account
  if (provisional !== inHead && !(moreDue && provisional < inHead)) {
    findings.add({
      kind: 'wrong-hold',
      seq: null,
      message: `The head says $${formatUsd(inHead)} waits for late costs; the open holds say $${formatUsd(provisional)}.`,
    })
  }
  compareLeases(account, holds, moreDue, findings)
  return { compared: holds.length, isComplete: !moreDue }
}

/** Every lease that the head lists has a hold, and the other way round: what is not listed can not be asked back. */
function compareLeases(
  { leases = [] }: Account,
  holds: Cut['due'],
  moreDue: boolean,
  findings: Findings,
): void {
  const isList = isListOf(leases, { leaseId: 'string' })
  if (!isList) findings.add({ kind: 'wrong-head', seq: null, message: 'The list of leases can not be read.' })
  const listed = new Set(isList ? leases.map(({ leaseId }) => leaseId) : [])
  for (const { value } of holds) {
    if (!isHold(value)) continue
    const { reservationId, state, lease } = value as unknown as Reservation
    if (lease === undefined || state !== 'held' || listed.delete(reservationId)) continue
    const message = `The hold ${reservationId} is a lease that the head does not list.`
    findings.add({ kind: 'wrong-hold', seq: null, requestId: reservationId, message })
  }
  if (moreDue) return
  for (const leaseId of listed) {
    const message = `The head lists ${leaseId}, which no open hold has.`
    findings.add({ kind: 'wrong-hold', seq: null, requestId: leaseId, message })
  }
}

function addHold(hold: Reservation, held: Map<Source, bigint>, findings: Findings): void {
  const { reservationId, state, amount, parts } = hold
  const tell = (message: string) =>
    findings.add({ kind: 'wrong-hold', seq: null, requestId: reservationId, message })
  // One that is over may still wait for a cost that comes late; it holds nothing then.
  const isOver = state === 'settled' || state === 'released'
  if (isOver && parts.length > 0) tell(`The hold of ${reservationId} is ${state} and still holds money.`)
  let sum = 0n
  for (const part of parts) {
    if (part.amount <= 0n) tell(`The hold of ${reservationId} has a part of $${formatUsd(part.amount)}.`)
    held.set(part.source, (held.get(part.source) ?? 0n) + part.amount)
    sum += part.amount
  }
  if (!isOver && sum !== amount) {
    tell(`The hold of ${reservationId} is of $${formatUsd(amount)}; its parts are $${formatUsd(sum)}.`)
  }
}

function isHold(value: unknown): boolean {
  return (
    hasMembers(value, { reservationId: 'string', state: 'string', amount: 'bigint' }) &&
    isListOf((value as { parts?: unknown }).parts, { source: 'string', amount: 'bigint' })
  )
}
