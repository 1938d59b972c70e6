import assert from 'node:assert/strict'
import { createLedger, type Receipt, type Reservation, type Storage } from '@farebox/core'
import { checkInvariants, readAccount, readJournal } from '../ledger/check-invariants.ts'
import { casePlans } from '../ledger/ledger-case.ts'
import { resolveWithinMs } from '../ledger/requests.ts'
import type { FaultKind } from './faults.ts'
import { reconcileLabel } from './process.ts'
import type { Simulation } from './simulation.ts'
import { checkInvoices, checkUsage } from './sums.ts'
import { addEntries, addReceipts, type Books, checkPayers, emptyBooks, explain, requestOf } from './truth.ts'
import { clockOf } from './world.ts'

/** Long enough for every hold to expire and for the providers to be asked about it, in milliseconds. */
const restMs = 60 * 60_000

/**
 * An attempt whose cost is told so long before the time to wait for it is over is asked about in time, however long the
 * trouble before took: every five minutes by then, at least.
 */
const marginMs = 8 * 60_000

const clockFaults: readonly FaultKind[] = ['clock back', 'clock ahead', 'clock month end']

/** A rest of more steps than this goes round in circles. */
const restStepsMax = 20_000

/**
 * Heals the world and lets time pass: by the end every hold must be resolved, however it was left.
 *
 * @throws AssertionError when one is not.
 */
export async function rest({ world, processes, storage, step }: Simulation): Promise<void> {
  const { scheduler } = world
  world.log(() => 'everything is healed')
  world.faults.heal()
  world.catchUp()
  for (const process of processes) if (process.running === undefined) process.start()
  const endMs = scheduler.elapsedMs + restMs
  for (let steps = 0; scheduler.elapsedMs < endMs; steps += 1) {
    assert.ok(steps < restStepsMax, 'the processes never come to rest')
    await step()
    if (scheduler.tasks.some(({ label }) => label !== reconcileLabel)) continue
    if (!(await hasOpenHolds(storage))) return
  }
  assert.ok(!(await hasOpenHolds(storage)), 'a hold was never resolved')
}

/**
 * Compares the books with what the providers know, attempt by attempt.
 *
 * @throws AssertionError when an attempt is not booked at its cost and nothing justifies that, or the sums differ.
 */
export async function judge(simulation: Simulation): Promise<void> {
  const { world, storage, served, givenUp, left, processes } = simulation
  const living = processes.flatMap(({ running }) => running?.life.name ?? [])
  const requestIds = [...new Set([...served.keys()].map(requestOf))]
  const books = emptyBooks()
  const ledger = createLedger({
    store: storage.ledger,
    plans: casePlans,
    clock: clockOf(world, world.nature, 0),
  })
  for (const accountId of await allAccounts(storage)) {
    await checkInvariants(storage, accountId, casePlans)
    const { findings } = await ledger.audit(accountId)
    assert.deepEqual(findings, [], 'the audit finds something')
    const entries = await readJournal(storage.ledger, accountId)
    addEntries(books, entries)
    addReceipts(books, await releasedReceipts(storage, accountId, requestIds))
    await checkRefused(simulation, accountId)
    await checkUsage(ledger, accountId, entries)
    world.setWall(Math.max(world.wallMs(), (await ledger.balance(accountId)).resetsAtMs))
    await checkInvoices(ledger, accountId, entries)
    await checkInvariants(storage, accountId, casePlans)
  }
  checkPayers(books)
  for (const [kind, times] of books.kinds) world.count(`entry: ${kind}`, times)
  const wasClockSteady = clockFaults.every((kind) => !world.counts.has(kind))
  const resolved = new Set([...books.attempts.keys()].map(requestOf))
  // A key is forgotten after a day: clocks that jump over it make two requests of one.
  if (wasClockSteady) checkKeys(simulation, books)
  let owed = 0n
  let deviation = 0n
  for (const attemptId of new Set([...served.keys(), ...books.attempts.keys()])) {
    const requestId = requestOf(attemptId)
    const record = served.get(attemptId)
    const attempt = books.attempts.get(attemptId)
    const withinMs = attempt === undefined ? resolveWithinMs : simulation.lateTerms.withinMs
    const explanation = explain(attemptId, record, attempt, {
      wasAbandoned: givenUp.has(requestId) || !living.includes(lifeOf(requestId)),
      hasCallerLeft: left.has(requestId),
      isResolved: resolved.has(requestId),
      wasClockSteady,
      couldBeTold:
        wasClockSteady &&
        // What a process had leased and not written is lost with it: nobody knows that there is something to ask.
        (!simulation.hasLeases || living.includes(lifeOf(requestId))) &&
        record !== undefined &&
        record.providerId !== 'silent' &&
        record.costFromMs < withinMs - marginMs,
      evened: books.evened.get(attemptId) ?? 0n,
      latePolicy: simulation.lateTerms.policy,
    })
    world.count(`booked: ${explanation}`)
    world.log(
      () => `${attemptId} cost ${record?.cost ?? 0n} and is booked at ${attempt?.cost}: ${explanation}`,
    )
    const booked = (attempt?.cost ?? 0n) - (books.evened.get(attemptId) ?? 0n)
    owed += record?.cost ?? 0n
    if (explanation !== 'exact') deviation += booked - (record?.cost ?? 0n)
  }
  const evened = [...books.evened.values()].reduce((sum, amount) => sum + amount, 0n)
  assert.equal(
    books.charged + books.absorbed - evened,
    owed + deviation,
    'the books do not add up to what the providers charge',
  )
}

/** A request with a key is charged once and answered in one way, however often it was sent. */
function checkKeys({ keys, answers }: Simulation, { attempts }: Books): void {
  for (const [key, texts] of answers) assert.equal(texts.size, 1, `"${key}" was answered in several ways`)
  const charged = new Map<string, string>()
  for (const [attemptId, attempt] of attempts) {
    const requestId = requestOf(attemptId)
    const key = keys.get(requestId)
    if (key === undefined || attempt.charged === 0n) continue
    const other = charged.get(key) ?? requestId
    assert.equal(requestId, other, `"${key}" was charged for two requests`)
    charged.set(key, requestId)
  }
}

/** Whatever was still under way when it was refused, what was refused has come to nothing. */
async function checkRefused({ storage, refused }: Simulation, accountId: string): Promise<void> {
  const keys = [...refused].map((requestId) => `hold:${requestId}`)
  const records = await storage.ledger.transact(accountId, keys, (cut) => ({ result: cut.records }))
  assert.deepEqual([...records.keys()], [], 'a request was refused, and held money later')
}

function lifeOf(requestId: string): string {
  return requestId.slice(0, requestId.lastIndexOf('-'))
}

async function allAccounts({ ledger }: Storage): Promise<readonly string[]> {
  return (await ledger.scan('all', null, 1000)).accountIds
}

async function hasOpenHolds(storage: Storage): Promise<boolean> {
  for (const accountId of await allAccounts(storage)) {
    if ((await readAccount(storage.ledger, accountId)).due.length > 0) return true
  }
  return false
}

/** Receipts of requests that moved no money: they are in the records of their holds and nowhere else. */
async function releasedReceipts(
  { ledger }: Storage,
  accountId: string,
  requestIds: readonly string[],
): Promise<readonly Receipt[]> {
  const keys = requestIds.map((id) => `hold:${id}`)
  const holds = await ledger.transact<readonly Reservation[]>(accountId, keys, ({ records }) => ({
    result: [...records.values()] as unknown as readonly Reservation[],
  }))
  return holds.flatMap(({ receipt }) => receipt ?? [])
}
