import { isUnavailable, type Key, Unavailable } from '@farebox/core'
import {
  type AccountCache,
  type AccountDraft,
  accountOf,
  type CachedAccount,
  type Call,
  contention,
  decideAll,
  draftAccount,
  type Outcome,
  type StoreClock,
} from '@farebox/core/batching'
import type { AccountIndex } from './account-index.ts'
import type { Accounts } from './accounts.ts'
import { pause } from './commands.ts'
import { unavailable, writeFault } from './fault.ts'
import { isSame, type Position } from './position.ts'
import type { Reading } from './reading.ts'
import type { Recovery } from './recovery.ts'
import type { Sightings } from './sightings.ts'
import type { RememberedWrite, WriteMemory } from './write-memory.ts'

/**
 * Decides calls of one account and commits what they write. Gives an outcome for each of the first calls, in their order; the
 * rest is to be run again.
 *
 * @throws Unavailable when none was applied.
 */
export type RunBatch = (accountId: string, calls: readonly Call[]) => Promise<readonly Outcome[]>

export interface BatchContext {
  readonly accounts: Accounts
  readonly index: AccountIndex
  readonly cache: AccountCache<CachedAccount<Position>>
  readonly clock: StoreClock
  readonly sightings: Sightings
  readonly memory: WriteMemory
  readonly recovery: Recovery
  /** The name of this process among those that write. */
  readonly nonce: string
  /** How long to stand in line for an account that others write too. */
  readonly waitTimeoutMs: number
  readonly chance: () => number
  readonly onWrite: ((write: RememberedWrite) => void) | undefined
}

/**
 * How an attempt knows the account. `remembered` costs no way to the server, but a decision holds only if the write that
 * carries it succeeds. `read` decides on what is there now, and a write may still lose a race. `queued` waits for the
 * account's turn among all processes that wait for it.
 */
type Basis = 'remembered' | 'read' | 'queued'

interface Knowledge {
  readonly stored: CachedAccount<Position>
  readonly reading?: Reading
  readonly now: number
  /** How far `now` may be from the server's time when the write gets there. */
  readonly toleranceMs: number
}

/** Expired records are deleted after this many others were written, twice as many: forgetting keeps up in small steps. */
const writesPerPurge = 64
const dueReadMax = 2000
/** What was read is not written upon much later: the index counts on it. */
const readToleranceMs = 60_000

export function batchRunner(context: BatchContext): RunBatch {
  const { accounts, index, cache, clock, sightings, memory, recovery, nonce, waitTimeoutMs, chance } = context
  const races = contention()
  let count = 0

  function recall(accountId: string): Knowledge | undefined {
    const stored = cache.get(accountId)
    const now = clock.now()
    return stored && now !== undefined ? { stored, now, toleranceMs: clock.toleranceMs } : undefined
  }

  /** Waits until it is this process' turn, looking again after short and uneven pauses. */
  async function readInTurn(
    basis: Basis,
    request: { accountId: string; keys: readonly Key[]; dueBy: number; dueMax: number },
    end: number,
  ): Promise<Reading> {
    while (performance.now() <= end) {
      const known = sightings.get(request.accountId)
      const token = basis === 'queued' ? nonce : undefined
      const reading = await accounts.read({ ...request, known, token })
      clock.learn(reading.serverMs)
      if ('position' in reading) {
        if (await recovery.isWhole(request.accountId, reading, known)) return reading
      } else {
        await pause(Math.min(25, 2 * reading.ahead) * (0.5 + chance()))
      }
    }
    throw new Unavailable('Others kept writing the account for too long.')
  }

  async function ask(
    basis: Basis,
    request: { accountId: string; calls: readonly Call[]; alsoKeys: readonly Key[]; end: number },
  ): Promise<Knowledge> {
    const { accountId, calls, alsoKeys, end } = request
    const hostNow = clock.isHosts ? (clock.now() ?? 0) : 0
    const reading = await readInTurn(
      basis,
      {
        accountId,
        keys: [...new Set([...calls.flatMap(({ keys }) => keys), ...alsoKeys])],
        dueBy: calls.reduce((latest, { dueBy }) => Math.max(latest, dueBy), hostNow),
        dueMax: Math.min(
          calls.reduce((sum, { dueMax }) => sum + dueMax + 1, 0),
          dueReadMax,
        ),
      },
      end,
    )
    const cached = cache.get(accountId)
    if (basis === 'queued' && cached !== undefined) {
      races.note(accountId, !isSame(cached.position, reading.position))
    }
    const now = clock.isHosts ? hostNow : reading.serverMs
    const toleranceMs = clock.isHosts ? Number.POSITIVE_INFINITY : readToleranceMs
    return { stored: accountOf(reading, cached, isSame), reading, now, toleranceMs }
  }

  /** Whether the changes are committed; `false` when they surely are not and others were faster. */
  async function commit(
    { accountId, draft, isQueued }: { accountId: string; draft: AccountDraft<Position>; isQueued: boolean },
    { stored, now, toleranceMs }: Knowledge,
  ): Promise<boolean> {
    const changes = draft.changes()
    const purgeMax = changes.unpurged < writesPerPurge ? 0 : 2 * changes.unpurged
    const from = { ...stored.position, version: changes.from }
    const to = next(from, changes.to)
    const { headText, lastSeq, puts, entries } = changes
    const noting = index.note(
      accountId,
      puts.some(({ put }) => put.dueAt !== undefined),
    )
    // Before the account: what is not in the index would not be found again.
    if (noting !== undefined) await noting
    const remembered = { accountId, from, to, headText, lastSeq, puts, entries }
    memory.add(remembered)
    const absent = draft.assumed()
    const token = isQueued ? nonce : undefined
    const write = { accountId, changes, from, to, absent, now, toleranceMs, purgeMax, token, isReplay: false }
    const answer = await accounts.write(write).catch((error: unknown) => {
      const fault = writeFault(error)
      if (isUnavailable(fault)) memory.forget(accountId, to.mark)
      throw fault
    })
    clock.learn(answer.serverMs)
    if (answer.outcome === 'written') {
      memory.confirm(accountId, to.mark)
      context.onWrite?.(remembered)
      sightings.note(accountId, to)
      cache.set(accountId, draft.committed(to, purgeMax > 0))
      return true
    }
    memory.forget(accountId, to.mark)
    return false
  }

  function next({ epoch, writes }: Position, version: bigint): Position {
    count += 1
    return { epoch, writes: writes + 1, mark: `${nonce}.${count.toString(36)}`, version }
  }

  return async (accountId, calls) => {
    const end = performance.now() + waitTimeoutMs
    const alsoKeys = new Set<Key>()
    let basis: Basis = races.isContended(accountId) ? 'queued' : 'remembered'
    while (performance.now() <= end) {
      const known = basis === 'remembered' ? recall(accountId) : undefined
      if (basis === 'remembered' && known === undefined) basis = 'read'
      const isQueued = basis === 'queued'
      const knowledge =
        known ??
        (await ask(basis, { accountId, calls, alsoKeys: [...alsoKeys], end }).catch((error: unknown) => {
          throw unavailable(error)
        }))
      const draft = draftAccount(knowledge.stored, knowledge.reading)
      const outcomes = decideAll(calls, draft, knowledge.now)
      if (!draft.isWritten) {
        if (basis === 'remembered') {
          // What is only looked at, or refused, has to be true now.
          basis = 'read'
          continue
        }
        // If this does not arrive, the turn ends by itself.
        if (isQueued) accounts.leaveTurn(accountId, nonce).catch(() => {})
        cache.set(accountId, draft.committed(knowledge.stored.position, false))
        return outcomes
      }
      try {
        if (await commit({ accountId, draft, isQueued }, knowledge)) return outcomes
      } catch (error) {
        cache.delete(accountId)
        const fault = writeFault(error)
        return outcomes.map((outcome) => failed(outcome, fault))
      }
      for (const key of draft.assumed()) alsoKeys.add(key)
      basis = 'queued'
    }
    throw new Unavailable('The account was written by others at the same time, again and again.')
  }
}

/** Of calls that share a commit, one that wrote nothing has surely applied nothing. */
function failed(outcome: Outcome, fault: Error): Outcome {
  const isWrite = outcome.kind === 'decided' && outcome.isWrite
  return { kind: 'failed', error: isWrite ? fault : unavailable(fault.cause ?? fault) }
}
