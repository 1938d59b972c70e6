import assert from 'node:assert/strict'
import {
  type Cut,
  type Decision,
  decodeValue,
  type Entry,
  formatUsd,
  type GatewayEvent,
  isGatewayError,
  type LateTerms,
  type LedgerStore,
  memoryStorage,
  nano,
  type PlanTable,
  type Provider,
  type Reduce,
  type Reservation,
  type Storage,
  usd,
} from '@farebox/core'
import { checkInvariants, type Reading } from '../ledger/check-invariants.ts'
import { casePlans } from '../ledger/ledger-case.ts'
import { aroundReducers } from '../storage/reducers.ts'
import { type Asking, ask, type Ending, type Question } from './caller.ts'
import { createHost } from './host.ts'
import { providers } from './price-list.ts'
import { createProcess, type Process, type Running } from './process.ts'
import { createProviders, type Served } from './provider.ts'
import { sameDecision } from './remote-store.ts'
import type { Task } from './scheduler.ts'
import { requestOf } from './truth.ts'
import { clockOf, createWorld, type World, type WorldParts } from './world.ts'

/** Ways to break what is simulated on purpose, to show that what is broken is found. */
export interface Breakage {
  readonly store?: (store: LedgerStore) => LedgerStore
  readonly upstream?: (provider: Provider) => Provider
}

export interface SimulationParts extends WorldParts {
  readonly processes: number
  /** Whether there is a store for documents too, where settings and answers to repeats are kept. @default true */
  readonly hasDocuments?: boolean | undefined
  /** Whether every plan leases. @default false */
  readonly hasLeases?: boolean | undefined
  /** @default half an hour, then nothing is charged */
  readonly lateTerms?: LateTerms | undefined
  readonly breakage?: Breakage | undefined
}

/** Processes over one store and a few providers, with everything between them simulated. */
export interface Simulation {
  readonly world: World
  readonly processes: readonly Process[]
  readonly lateTerms: LateTerms
  /** Whether processes answer requests before the store knows of them: what dies with one is lost. */
  readonly hasLeases: boolean
  /** The store itself, without the network before it. */
  readonly storage: Storage
  /** What the providers know, by attempt id. */
  readonly served: ReadonlyMap<string, Served>
  /** Every request that was made, in order. */
  readonly requestIds: readonly string[]
  /** The idempotency keys that requests were made with, and the different answers that there were to each. */
  readonly keys: ReadonlyMap<string, string>
  readonly answers: ReadonlyMap<string, ReadonlySet<string | undefined>>
  /** Requests whose process gave up settling them, and those whose caller left. */
  readonly givenUp: ReadonlySet<string>
  readonly left: ReadonlySet<string>
  /** Requests that were refused for lack of credit. */
  readonly refused: ReadonlySet<string>
  /** Asks a process, and checks what the caller was told against the store. */
  ask(running: Running, question: Question): Asking
  /** Whatever goes wrong with this ends the next step. */
  watch(work: Promise<unknown>): void
  /**
   * Runs the next task, and checks every account that it changed.
   *
   * @throws AssertionError when money is not conserved, or the error of a gateway at fault.
   */
  step(): Promise<Task | undefined>
}

export function createSimulation(parts: SimulationParts): Simulation {
  const { random, breakage, hasLeases = false } = parts
  const world = createWorld(parts)
  const { count, log } = world
  const memory = memoryStorage({ clock: clockOf(world, world.nature, 0) })
  const written = new Set<string>()
  const store = noteWrites(breakage?.store?.(memory.ledger) ?? memory.ledger, written)
  const storage: Storage = parts.hasDocuments === false ? { ledger: store } : { ...memory, ledger: store }
  const truth = createProviders(world, takeCost)
  const failures: unknown[] = []
  const fail = (error: unknown): void => {
    failures.push(error)
  }
  const givenUp = new Set<string>()
  const left = new Set<string>()
  const refused = new Set<string>()
  const requestIds: string[] = []
  const accountIds = new Map<string, string>()
  const keys = new Map<string, string>()
  const answers = new Map<string, Set<string | undefined>>()
  const readings = new Map<string, Reading>()
  // Twice the work, so not in every run.
  const onDecision = random.chance(0.2) ? checkPurity : undefined

  const processes = Array.from({ length: parts.processes }, (_, index) =>
    createProcess({
      name: `p${index + 1}`,
      world,
      inner: storage,
      truth,
      plans: hasLeases ? leasedPlans : casePlans,
      lateTerms: parts.lateTerms ?? usualLateTerms,
      upstreams: providers().map((provider) => breakage?.upstream?.(provider) ?? provider),
      onEvent,
      onFault: fail,
      onDecision,
    }),
  )

  const host = createHost(world, processes)

  /** The host takes what a provider calls back with, and knows whose request it was. */
  function takeCost({ attemptId, providerId, cost }: Served): void {
    const requestId = requestOf(attemptId)
    const accountId = accountIds.get(requestId) ?? ''
    const report = { accountId, requestId, attemptId, providerId, cost: nano(cost) }
    const work = host.insist(`take the cost of ${attemptId}`, ({ gateway }) => gateway.costs.report(report))
    work.then((isNews) => count(`provider called back: ${isNews ? 'news' : 'no news'}`), fail)
  }

  function onEvent(event: GatewayEvent): void {
    count(event.kind)
    log(
      () =>
        `  event: ${JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))}`,
    )
    if (event.kind !== 'settle.failed' && event.kind !== 'checkpoint.failed') return
    if (event.kind === 'settle.failed') givenUp.add(event.requestId)
    // Only a store that is out of reach is a reason.
    if (!isGatewayError(event.cause) || event.cause.code !== 'store_unavailable') fail(event.cause)
  }

  function checkPurity(reduce: Reduce<unknown>, cut: Cut, decision: Decision<unknown>): void {
    if (sameDecision(decision, reduce(cut))) return
    fail(new Error('A reducer decided differently on the same cut.'))
  }

  /** What a caller is told must be so at that moment. */
  async function checkEnding(ending: Ending, { accountId, key: idempotencyKey }: Question): Promise<void> {
    const { answeredId: requestId = ending.requestId, kind, code, cost, text } = ending
    if (kind === 'whole' && idempotencyKey !== undefined) {
      answers.set(idempotencyKey, (answers.get(idempotencyKey) ?? new Set()).add(text))
    }
    const key = `hold:${requestId}`
    const hold = await store.transact<Reservation | undefined>(accountId, [key], ({ records }) => ({
      result: records.get(key) as Reservation | undefined,
    }))
    if (code === 'insufficient_credits') {
      assert.equal(hold, undefined, `${requestId} was refused and holds money`)
      refused.add(requestId)
    }
    if (kind !== 'whole' || givenUp.has(requestId)) return
    // The next checkpoint tells the store, whatever others have done to its hold meanwhile.
    if (hasLeases && hold?.settledBy === undefined && hold?.reconciled === undefined) {
      count('answered from a lease')
      return
    }
    // A provider that called back may have been faster, where a clock that jumped has ended the hold meanwhile.
    const isBooked = hold?.settledBy !== undefined || hold?.reconciled !== undefined
    assert.ok(isBooked, `${requestId} was answered whole and its hold is ${hold?.state}`)
    if (cost === undefined || hold.settledBy === undefined) return
    const [entry] = await store.journal(accountId, hold.settledBy - 1n, 1)
    const { attempts = [] } = decodeValue(entry?.text ?? '{}') as unknown as Entry
    const booked = attempts.reduce((sum, attempt) => sum + (attempt.cost ?? 0n), 0n)
    assert.equal(cost, formatUsd(nano(booked)), `${requestId} was told another cost than is booked`)
  }

  return {
    world,
    processes,
    storage,
    served: truth.served,
    requestIds,
    keys,
    answers,
    givenUp,
    left,
    refused,
    hasLeases,
    lateTerms: parts.lateTerms ?? usualLateTerms,
    ask(running, question) {
      const asking = ask(world, running, question)
      accountIds.set(asking.requestId, question.accountId)
      requestIds.push(asking.requestId)
      if (question.key !== undefined) keys.set(asking.requestId, question.key)
      const check = async (): Promise<Ending> => {
        const ending = await asking.ending
        count(`caller: ${ending.code ?? ending.kind}`)
        // Whoever uses a key is answered to the end, because the repeat is to get the answer.
        if (ending.kind === 'left' && question.key === undefined) left.add(ending.requestId)
        await checkEnding(ending, question)
        return ending
      }
      return { ...asking, ending: check() }
    },
    watch(work) {
      work.catch(fail)
    },
    async step() {
      const task = await world.scheduler.step()
      if (task === undefined) return undefined
      if (failures.length > 0) throw failures[0]
      for (const accountId of written) {
        readings.set(accountId, await checkInvariants(storage, accountId, casePlans, readings.get(accountId)))
      }
      written.clear()
      return task
    },
  }
}

/** What plans lease changes nothing in what they give. */
const leasedPlans: PlanTable = {
  ...casePlans,
  plans: casePlans.plans.map((plan) => ({ ...plan, lease: { most: usd('1.00') } })),
}

const usualLateTerms: LateTerms = { withinMs: 30 * 60_000, policy: 'waive' }

/** Tells which accounts were written. */
function noteWrites(store: LedgerStore, written: Set<string>): LedgerStore {
  return aroundReducers(store, (reduce, accountId) => (cut) => {
    const decision = reduce(cut)
    if (decision.write !== undefined) written.add(accountId)
    return decision
  })
}
