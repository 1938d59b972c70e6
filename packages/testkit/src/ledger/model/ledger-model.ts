import type { PlanTable } from '@farebox/core'
import type { Command } from '../command.ts'
import { balanceOf, creditsOf } from './balance.ts'
import { act, giveBack } from './by-hand.ts'
import { keyOf, keyRoom, keys, noteKey } from './key.ts'
import type { Policy } from './late.ts'
import { memberOf, memberRoom, members, noteMember, spendableBy } from './member.ts'
import { take } from './pay.ts'
import { receiptOf, reconcile, settle } from './settle.ts'
import { askMs, graceMs, include, isDue, issue, wake } from './wake.ts'
import {
  type Answer,
  type Hold,
  limitOf,
  newWorld,
  periodOf,
  type Share,
  spendable,
  sum,
  type World,
} from './world.ts'

/**
 * What the ledger must do, told a second time and in another way: numbers per source and a list of holds. Nothing of it
 * comes from the reducers it is compared with. What is held or left is never stored but always counted from the holds, so
 * that conservation is built in.
 */
export interface LedgerModel {
  /** Does what the command says, and answers what the ledger must answer. */
  run(command: Command, nowMs: number): Answer
  /** The invoice of this period is written. */
  close(period: string): void
  /** What a balance must show now. */
  balance(nowMs: number): Answer
  /** What every member has used, and may use. */
  members(nowMs: number): Answer
  /** What was spent with every key, and may be spent. */
  keys(nowMs: number): readonly Answer[]
  /** Every credit as the last write left it. */
  credits(): Answer
  /** How much a hold has set aside; 0 when there is none. */
  heldFor(id: string): bigint
  /** Another one that goes on from here by itself. */
  fork(): LedgerModel
}

const usualPriority: Readonly<Record<string, number>> = { promotional: 20, courtesy: 20, purchased: 50 }

export function ledgerModel(plans: PlanTable, policy: Policy = 'waive', from?: World): LedgerModel {
  let world = from

  /** Tries something on a copy of the world; it becomes the world only when it is saved. */
  function attempt(nowMs: number): World {
    return structuredClone(world ?? newWorld(plans, nowMs))
  }

  function run(command: Command, nowMs: number): Answer {
    const next = attempt(nowMs)
    const save = (): void => {
      world = structuredClone(next)
    }
    switch (command.do) {
      case 'configure': {
        // Who signs up begins at once with what was asked for.
        if (world === undefined) next.period = periodOf(nowMs, command.anchor ?? null)
        else wake(next, plans, policy, nowMs)
        next.planId = command.planId
        next.seats = command.seats ?? next.seats
        if (command.limit !== undefined) next.limit = command.limit
        if (command.memberCap !== undefined) next.memberCap = command.memberCap
        if (command.anchor !== undefined) next.anchor = command.anchor
        include(next, plans, next.at)
        save()
        return { planId: next.planId, seats: next.seats, limit: next.limit, anchor: next.anchor }
      }
      case 'cap': {
        const { member, cap } = command
        wake(next, plans, policy, nowMs)
        const isSame = (next.caps.get(member) ?? null) === cap
        if (cap === null) next.caps.delete(member)
        else next.caps.set(member, cap)
        if (!isSame) save()
        return memberOf(next, plans, member)
      }
      case 'grant': {
        const from = nowMs + command.startsInMs
        const until = command.lastsMs === null ? Number.POSITIVE_INFINITY : from + command.lastsMs
        const request = `${command.amount} ${command.kind} ${command.priority} ${from} ${until}`
        const earlier = next.grants.get(command.id)
        if (earlier !== undefined) return { outcome: earlier.request === request ? 'granted' : 'conflict' }
        wake(next, plans, policy, nowMs)
        if (until <= Math.max(from, next.at)) return { outcome: 'RangeError' }
        const { kind, priority = usualPriority[kind] ?? 0 } = command
        issue(next, command.id, command.amount, { request, kind, priority, until }, from)
        save()
        return { outcome: 'granted' }
      }
      case 'void':
      case 'adjust':
      case 'refund': {
        const request = JSON.stringify(command, (_name, value: unknown) =>
          typeof value === 'bigint' ? `${value}` : value,
        )
        const earlier = next.deeds.get(command.op)
        if (earlier !== undefined)
          return earlier.request === request ? earlier.answer : { outcome: 'conflict' }
        for (;;) {
          const more = wake(next, plans, policy, nowMs)
          const isShort = command.do === 'adjust' && spendable(next, plans) < -command.amount
          if (!more || !isShort) break
          save()
        }
        if (command.do === 'refund' && isFinal(next, command) && !isFinal(world, command)) {
          save()
          wake(next, plans, policy, nowMs)
        }
        const { answer, isDone } = act(next, plans, command)
        if (isDone) {
          next.deeds.set(command.op, { request, answer })
          save()
        }
        return answer
      }
      case 'reserve': {
        const { id, amount, minimum, timeToLiveMs, traceable, member, key } = command
        const request = `${amount} ${minimum} ${traceable} ${member} ${key?.id}`
        const earlier = next.holds.get(id)
        if (earlier !== undefined) {
          if (earlier.request !== request) return { outcome: 'conflict' }
          return { outcome: 'reserved', state: earlier.state, parts: earlier.parts }
        }
        const ableNow = () => spendableBy(next, plans, { member, key }, next.period.key)
        while (wake(next, plans, policy, nowMs) && ableNow() < amount) save()
        const able = ableNow()
        if (able < minimum) {
          const usual = limitOf(next, plans) > 0n ? 'spending-limit' : 'credit'
          const { key: period } = next.period
          const ofKey = (keyRoom(next, key, period) ?? able) === able ? 'key-cap' : usual
          const ofCaps = memberRoom(next, member, period) === able ? 'member-cap' : ofKey
          const limit = able < spendable(next, plans) ? ofCaps : usual
          return { outcome: 'insufficient', limit, missing: minimum - able, spendable: able }
        }
        const hold: Hold = {
          id,
          request,
          madeAt: next.at,
          period: next.period.key,
          member,
          key,
          traceable,
          state: 'held',
          until: next.at + timeToLiveMs,
          parts: take(next, able < amount ? able : amount, next.period.key),
          extensions: 0,
          receipt: undefined,
          hasEntry: false,
          waits: [],
          waitUntil: 0,
          isWaitOver: false,
          books: [],
          estimates: new Map(),
          evened: new Set(),
          refunded: 0n,
        }
        drawFrom(next, hold.parts)
        if (member !== undefined) noteMember(next, member)
        if (key?.per === 'period') noteKey(next, key)
        next.holds.set(id, hold)
        save()
        return { outcome: 'reserved', state: 'held', parts: hold.parts }
      }
      case 'extend': {
        let hold: Hold | undefined
        for (;;) {
          const more = wake(next, plans, policy, nowMs)
          hold = next.holds.get(command.id)
          if (hold?.state !== 'held') return { outcome: 'not-held' }
          if (command.ordinal === hold.extensions) return { outcome: 'extended', parts: hold.parts }
          if (command.ordinal !== hold.extensions + 1) return { outcome: 'not-held' }
          const able = spendableBy(next, plans, hold, hold.period)
          if (able >= command.amount) break
          if (!more) return { outcome: 'insufficient', missing: command.amount - able }
          save()
        }
        const added = take(next, command.amount, hold.period)
        drawFrom(next, added)
        for (const [source, amount] of added) {
          const part = hold.parts.find(([other]) => other === source)
          if (part === undefined) hold.parts.push([source, amount])
          else part[1] += amount
        }
        hold.until += command.timeToLiveMs
        hold.extensions += 1
        save()
        return { outcome: 'extended', parts: hold.parts }
      }
      case 'settle': {
        wake(next, plans, policy, nowMs)
        const hold = next.holds.get(command.id)
        if (hold === undefined) return { outcome: 'unknown-reservation' }
        if (hold.receipt !== undefined) return hold.receipt
        hold.receipt = settle(next, plans, hold, command)
        save()
        return hold.receipt
      }
      case 'reconcile': {
        wake(next, plans, policy, nowMs)
        const isMoved = isChanged(world?.holds.get(command.id), next.holds.get(command.id))
        const op = `late-cost:${command.id}:${command.id}.${command.attempt}`
        const { answer, isDone } = reconcile(next, plans, policy, command, (hold, paid, amount) => {
          // The difference goes back in a step of its own, which looks after what is due once more.
          if (isMoved) wake(next, plans, policy, nowMs)
          const asked = giveBack(next, hold, paid, { op, amount, courtesy: false })
          const { refundable = 0n } = asked.answer as { refundable?: bigint }
          if (asked.isDone || refundable === 0n) return asked.isDone
          return giveBack(next, hold, paid, { op, amount: refundable, courtesy: false }).isDone
        })
        // What became final in passing is written before it is told.
        if (isDone || (isMoved && answer['outcome'] === 'already-final')) save()
        return { ...answer, receipt: receiptOf(world ?? next, world?.holds.get(command.id), nowMs) }
      }
      case 'look-after': {
        const before = structuredClone(next.holds)
        const byMs = Math.max(nowMs, command.dueByMs ?? nowMs + graceMs + askMs)
        wake(next, plans, policy, nowMs, byMs)
        const holds = [...next.holds.values()]
        const moved = holds.filter(({ id, state }) => before.get(id)?.state !== state)
        const idsOf = (some: readonly Hold[]): string[] => some.map(({ id }) => id).toSorted()
        if (holds.some((hold) => isChanged(before.get(hold.id), hold))) save()
        const seen = holds.filter((hold) => isDue(before.get(hold.id), byMs))
        return {
          unresolved: idsOf(seen.filter(({ state }) => state === 'unresolved')),
          late: idsOf(seen.filter(({ waits, waitUntil }) => waits.length > 0 && next.at < waitUntil)),
          released: idsOf(moved.filter(({ state }) => state === 'released')),
        }
      }
      default:
        return {}
    }
  }

  return {
    run,
    close(period) {
      if (world !== undefined) world.closed = period
    },
    balance(nowMs) {
      const next = attempt(nowMs)
      wake(next, plans, policy, nowMs)
      return balanceOf(next, plans)
    },
    members(nowMs) {
      const next = attempt(nowMs)
      wake(next, plans, policy, nowMs)
      return Object.fromEntries(members.map((member) => [member, memberOf(next, plans, member)]))
    },
    keys(nowMs) {
      const next = attempt(nowMs)
      wake(next, plans, policy, nowMs)
      return keys.map((key) => keyOf(next, plans, key))
    },
    credits: () => (world === undefined ? {} : creditsOf(world)),
    heldFor: (id) => sum((world?.holds.get(id)?.parts ?? []).map(([, amount]) => amount)),
    fork: () => ledgerModel(plans, policy, structuredClone(world)),
  }
}

function drawFrom(world: World, parts: readonly Share[]): void {
  if (parts.some(([source]) => source.startsWith('overage:'))) world.drawn.add(world.period.key)
}

function isChanged(before: Hold | undefined, after: Hold | undefined): boolean {
  return before?.state !== after?.state || before?.isWaitOver !== after?.isWaitOver
}

/** Whether the cost of an attempt came late. When it became final in passing, that is written before it is refunded. */
function isFinal(world: World | undefined, { id, attempt }: Extract<Command, { do: 'refund' }>): boolean {
  return world?.holds.get(id)?.books.some((each) => each.attempt === attempt && each.isLate) === true
}
