import { hash } from 'node:crypto'
import type { Target } from '../catalog/target.ts'
import type { Clock } from '../clock.ts'
import type { Count, CounterStore } from '../ledger/counter-store.ts'
import type { Health, HealthTeller } from './health.ts'

/** Which targets are down, shared with other processes through counters. Nothing here is waited for by a request. */
export interface SharedHealth extends HealthTeller {
  /**
   * Tells what could not be told before, and takes over what others have told. One call of the store when nothing has changed.
   * Never rejects.
   */
  exchange(targets: readonly Target[], health: Pick<Health, 'learnOpen' | 'learnClosed'>): Promise<void>
}

export interface SharedHealthOptions {
  readonly counters: CounterStore
  /** Processes agree on the time of day to about a second. */
  readonly clock: Clock
  /** Told when the store was found out of reach, at most once in each time that it is left alone. */
  readonly onLost: (cause: unknown) => void
}

/** The counters of all targets are in one place, as those of an account are. */
const place = 'farebox:health'

/** A counter has the hour it is of in its name, and is forgotten after it. */
const windowMs = 3_600_000

/** As many counts as one request may have. */
const countsMax = 16

/** For how long the store is left alone after it was out of reach. */
const aloneMs = 5_000

/**
 * Two kinds of counters, for each hour. That of a target is the time of day until which it is down, 0 once it has answered:
 * taking up to a limit never lowers a counter, so of two processes the later time stands. Another counts the changes to all of
 * them: while it stays the same, nobody has to look at the others.
 */
export function createSharedHealth({ counters, clock, onLost }: SharedHealthOptions): SharedHealth {
  /** Until when each target is down, 0 for one that has answered, as far as others have not heard of it. */
  const news = new Map<string, number>()
  /** What the counters of targets were when last seen in this hour, without those that were 0. */
  const seen = new Map<string, number>()
  let seenChanges = 0
  let hourMs = 0
  let aloneUntilMs = Number.NEGATIVE_INFINITY
  let turn: Promise<void> = Promise.resolve()
  let isTelling = false

  /** One after another: what is read is never older than what was told. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    turn = turn.then(async () => {
      if (clock.monotonicMs() < aloneUntilMs) return
      try {
        await work()
      } catch (cause) {
        aloneUntilMs = clock.monotonicMs() + aloneMs
        onLost(cause)
      }
    })
    return turn
  }

  function hasNews(target: Target, untilMs: number): void {
    news.set(target.targetId, untilMs)
    if (isTelling) return
    isTelling = true
    void inTurn(tellAll).finally(() => {
      isTelling = false
    })
  }

  async function tellAll(): Promise<void> {
    beginHour()
    for (const [targetId, untilMs] of news) {
      if (untilMs === 0) await tellClosed(targetId)
      else if (untilMs > clock.now()) await tellOpen(targetId, untilMs)
      // What is newer than what was just told is still to be told.
      if (news.get(targetId) === untilMs) news.delete(targetId)
    }
  }

  async function tellOpen(targetId: string, untilMs: number): Promise<void> {
    const upTo = { ...count(nameOf(targetId)), amount: untilMs, limit: untilMs }
    const change = { ...count('changes'), limit: Number.MAX_SAFE_INTEGER }
    const { isTaken } = await counters.take({ accountId: place, nowMs: clock.now(), counts: [upTo, change] })
    // Refused when another process has told of a later time, which is still to be looked at.
    if (isTaken) seen.set(targetId, untilMs)
  }

  async function tellClosed(targetId: string): Promise<void> {
    seen.delete(targetId)
    const down = { name: windowed(nameOf(targetId)), amount: Number.MAX_SAFE_INTEGER }
    await counters.giveBack({ accountId: place, counts: [down, { name: windowed('changes'), amount: -1 }] })
  }

  async function look(
    targets: readonly Target[],
    health: Parameters<SharedHealth['exchange']>[1],
  ): Promise<void> {
    const [changes = 0] = await read(['changes'])
    if (changes === seenChanges) return
    // The store has forgotten: that a counter is 0 means nothing then.
    if (changes < seenChanges) seen.clear()
    const byId = [...new Map(targets.map((target) => [target.targetId, target])).values()]
    for (let from = 0; from < byId.length; from += countsMax) {
      const some = byId.slice(from, from + countsMax)
      const untils = await read(some.map(({ targetId }) => nameOf(targetId)))
      for (const [index, target] of some.entries()) takeOver(target, untils[index] ?? 0, health)
    }
    seenChanges = changes
  }

  function takeOver(target: Target, untilMs: number, health: Parameters<SharedHealth['exchange']>[1]): void {
    const before = seen.get(target.targetId) ?? 0
    if (untilMs === 0) seen.delete(target.targetId)
    else seen.set(target.targetId, untilMs)
    const forMs = untilMs - clock.now()
    if (untilMs > before && forMs > 0) health.learnOpen(target, forMs)
    if (untilMs === 0 && before > 0) health.learnClosed(target)
  }

  /** A request that has no room is refused and counts nowhere, but is told what is there. */
  async function read(names: readonly string[]): Promise<readonly number[]> {
    const { counts } = await counters.take({ accountId: place, nowMs: clock.now(), counts: names.map(count) })
    return counts.map(({ before }) => before)
  }

  function count(name: string): Count {
    return { name: windowed(name), amount: 1, least: 1, limit: 0, untilMs: hourMs + windowMs }
  }

  function windowed(name: string): string {
    return `${name}@${hourMs}`
  }

  function beginHour(): void {
    const now = clock.now()
    const startsMs = now - (now % windowMs)
    if (startsMs === hourMs) return
    hourMs = startsMs
    seen.clear()
    seenChanges = 0
  }

  return {
    opened: (target, forMs) => hasNews(target, Math.ceil(clock.now() + forMs)),
    closed: (target) => hasNews(target, 0),
    exchange: (targets, health) =>
      inTurn(async () => {
        await tellAll()
        await look(targets, health)
      }),
  }
}

/** Of one length, whatever the target is called. */
function nameOf(targetId: string): string {
  return `down:${hash('sha256', targetId, 'base64url')}`
}
