import type { PlanTable } from '@farebox/core'
import type { Command } from '../command.ts'
import { take } from './pay.ts'
import { issue } from './wake.ts'
import {
  type Answer,
  type Book,
  comeBack,
  creditOf,
  type Granted,
  type Hold,
  heldOf,
  least,
  leftOf,
  type Share,
  spendable,
  sum,
  type World,
} from './world.ts'

export type Deeds = Extract<Command, { do: 'void' | 'adjust' | 'refund' }>

/** What somebody does by hand. Answers what it answers, and whether it took effect. */
export function act(world: World, plans: PlanTable, deed: Deeds): Outcome {
  switch (deed.do) {
    case 'void':
      return takeBack(world, deed)
    case 'adjust':
      return adjust(world, plans, deed)
    case 'refund':
      return refund(world, deed)
  }
}

interface Outcome {
  readonly answer: Answer
  readonly isDone: boolean
}

const courtesy: Granted = { request: '', kind: 'courtesy', priority: 20, until: Number.POSITIVE_INFINITY }

function takeBack(world: World, { id, amount }: Extract<Deeds, { do: 'void' }>): Outcome {
  const credit = world.credits.find((candidate) => candidate.id === id)
  if (credit === undefined && !world.grants.has(id) && !world.voids.has(id)) {
    return { answer: { outcome: 'unknown-grant' }, isDone: false }
  }
  const left = credit === undefined ? 0n : leftOf(world, credit)
  const held = credit === undefined ? 0n : heldOf(world, `grant:${id}`)
  const voided = amount === undefined ? left : least(left, amount)
  if (credit !== undefined) credit.taken += voided
  if (amount === undefined) world.voids.add(id)
  return { answer: { outcome: 'voided', voided, held }, isDone: true }
}

function adjust(world: World, plans: PlanTable, { op, amount }: Extract<Deeds, { do: 'adjust' }>): Outcome {
  const line = world.period.key
  if (amount < 0n) {
    const able = spendable(world, plans)
    if (able < -amount) {
      return { answer: { outcome: 'insufficient', missing: -amount - able, spendable: able }, isDone: false }
    }
    const parts = take(world, -amount, line)
    for (const [source, part] of parts) {
      const credit = creditOf(world, source)
      if (credit !== undefined) credit.taken += part
      else {
        world.used.set(line, (world.used.get(line) ?? 0n) + part)
        world.drawn.add(line)
      }
    }
    return { answer: { outcome: 'adjusted', parts }, isDone: true }
  }
  const used = world.used.get(line) ?? 0n
  const lowered = least(used, amount)
  const parts: Share[] = lowered > 0n ? [[`overage:${line}`, lowered]] : []
  world.used.set(line, used - lowered)
  if (amount > lowered) {
    issue(world, `op:1:${op}`, amount - lowered, courtesy, world.at)
    parts.push([`grant:op:1:${op}`, amount - lowered])
  }
  return { answer: { outcome: 'adjusted', parts }, isDone: true }
}

function refund(world: World, deed: Extract<Deeds, { do: 'refund' }>): Outcome {
  const hold = world.holds.get(deed.id)
  const about = hold?.books.filter(({ attempt }) => attempt === deed.attempt) ?? []
  const booked = about.find(({ isLate }) => isLate) ?? (hold?.hasEntry === true ? about[0] : undefined)
  if (hold === undefined || booked === undefined) {
    return { answer: { outcome: 'unknown-attempt' }, isDone: false }
  }
  if (booked.isProvisional && hold.state === 'provisional') {
    return { answer: { outcome: 'not-final' }, isDone: false }
  }
  return giveBack(world, hold, booked, deed)
}

interface Return {
  readonly op: string
  readonly amount?: bigint
  readonly courtesy: boolean
}

/** Gives back what an entry charged, or some of it. */
export function giveBack(
  world: World,
  hold: Hold,
  { at, paid }: Book,
  { op, courtesy: isCourteous, ...asked }: Return,
): Outcome {
  if (world.at - at > 400 * 24 * 3_600_000) return { answer: { outcome: 'too-old' }, isDone: false }
  const ways = waysBack(world, paid)
  const refundable = sum(ways.map(([, amount]) => amount))
  const amount = asked.amount ?? refundable
  if (amount > refundable || amount === 0n) {
    return { answer: { outcome: 'above-refundable', refundable }, isDone: false }
  }
  const parts: [source: string, to: string, amount: bigint][] = []
  const anew: Anew[] = []
  for (const [source, most] of ways) {
    const part = least(most, amount - sum(parts.map((each) => each[2])))
    if (part === 0n) continue
    parts.push([source, goBack(world, source, part, isCourteous, anew), part])
  }
  for (const [, , part] of parts) {
    const last = paid.at(-1) as Share
    last[1] -= part
    if (last[1] === 0n) paid.pop()
  }
  for (const [index, { terms, amount: issued }] of anew.entries()) {
    issue(world, `op:${index + 1}:${op}`, issued, terms, world.at)
  }
  world.refunded += amount
  hold.refunded += amount
  const grants = anew.map((_, index) => `op:${index + 1}:${op}`)
  return { answer: { outcome: 'refunded', amount, parts, grants }, isDone: true }
}

/** Credit that is issued instead of what can not come back. */
interface Anew {
  readonly terms: Granted
  amount: bigint
}

/** What could go back, last drawn first, until the bill would become negative. */
function waysBack(world: World, paid: readonly Share[]): Share[] {
  const ways: Share[] = []
  const billed = new Map(world.used)
  for (const [source, amount] of paid.toReversed()) {
    const period = source.slice('overage:'.length)
    const most = source.startsWith('grant:') ? amount : least(amount, billed.get(period) ?? 0n)
    ways.push([source, most])
    if (most < amount) break
    if (!source.startsWith('grant:')) billed.set(period, (billed.get(period) ?? 0n) - amount)
  }
  return ways
}

function goBack(world: World, source: string, amount: bigint, isCourteous: boolean, anew: Anew[]): string {
  if (source.startsWith('overage:')) {
    const period = source.slice('overage:'.length)
    world.used.set(period, (world.used.get(period) ?? 0n) - amount)
    return 'limit'
  }
  const id = source.slice('grant:'.length)
  const isVoid = world.voids.has(id)
  const credit = creditOf(world, source)
  if (credit === undefined) {
    const terms = termsOf(world, id) ?? (isCourteous ? courtesy : undefined)
    if (!isVoid && terms !== undefined) add(anew, terms, amount)
    return 'voided'
  }
  credit.paid -= amount
  comeBack(world, source, amount)
  const isOver = credit.until <= world.at
  if (isOver && !isVoid && isCourteous) add(anew, courtesy, amount)
  return isVoid ? 'voided' : isOver ? 'expired' : 'available'
}

/** On which terms credit that was forgotten could still be used. */
function termsOf(world: World, id: string): Granted | undefined {
  const { key, end } = world.period
  if (id.startsWith(`incl:${key}:`)) return { ...courtesy, priority: 10, until: end }
  const granted = world.grants.get(id)
  return granted !== undefined && granted.until > world.at ? granted : undefined
}

function add(anew: Anew[], terms: Granted, amount: bigint): void {
  const same = anew.find(
    (each) =>
      each.terms.kind === terms.kind &&
      each.terms.priority === terms.priority &&
      each.terms.until === terms.until,
  )
  if (same === undefined) anew.push({ terms, amount })
  else same.amount += amount
}
