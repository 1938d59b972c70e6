import assert from 'node:assert/strict'
import type { PlanTable } from '@farebox/core'
import { type LedgerModel, ledgerModel } from '../model/ledger-model.ts'
import type { Answer } from '../model/world.ts'
import type { Operation, Request, Step } from './record.ts'

/** A write or a reading, at its place in the order of the account. */
interface Placed {
  readonly operation: Operation
  readonly step: Step
  /** Whether it ends its operation, whose answer is then known. */
  readonly isLast: boolean
}

/**
 * Checks that a history can be explained by its operations happening one after the other, each at one moment between its
 * beginning and its end, in the order of the account's versions.
 *
 * Writes are numbered by their versions without gaps; a version that no confirmed write made must have been made by one
 * whose outcome is unknown. Versions agree with real time. Played again in this order, the model gives every answer that
 * was given, readings and refusals too.
 *
 * @throws AssertionError when there is no such order.
 */
export function checkHistory(operations: readonly Operation[], plans: PlanTable, lastVersion: bigint): void {
  checkRealTime(operations)
  const confirmed = operations.flatMap((operation) =>
    operation.steps.map((step, index): Placed => {
      const isLast = index === operation.steps.length - 1 && operation.answer !== undefined
      return { operation, step, isLast }
    }),
  )
  const writes = new Map<bigint, Placed>()
  for (const placed of confirmed) {
    if (!placed.step.isWrite) continue
    const { version } = placed.step
    assert.ok(!writes.has(version), `two writes were confirmed on version ${version}`)
    assert.ok(version < lastVersion, `a write on version ${version} was confirmed and is not there`)
    writes.set(version, placed)
  }
  const readings = new Map<bigint, Placed[]>()
  for (const placed of confirmed) {
    const { isWrite, version } = placed.step
    if (!isWrite) readings.set(version, [...(readings.get(version) ?? []), placed])
  }
  const failures: unknown[] = []
  if (!replay(ledgerModel(plans), 0n)) throw failures.at(-1)

  /** Goes on from a version. Gives whether that leads to the end. */
  function replay(model: LedgerModel, from: bigint): boolean {
    for (let version = from; ; version += 1n) {
      try {
        for (const reading of readings.get(version) ?? []) play(model, reading)
        if (version === lastVersion) return true
        const write = writes.get(version)
        if (write !== undefined) play(model, write)
        else return guess(model, version)
      } catch (error) {
        failures.push(error)
        return false
      }
    }
  }

  /** Nobody was told of this write: one whose outcome is unknown must have made it. */
  function guess(model: LedgerModel, version: bigint): boolean {
    const candidates = operations.flatMap((operation) =>
      operation.maybe
        .filter((step) => step.version === version)
        .map((step): Placed => ({ operation, step, isLast: false })),
    )
    assert.ok(candidates.length > 0, `nobody wrote version ${version + 1n}`)
    return candidates.some((candidate) => {
      const branch = model.fork()
      play(branch, candidate)
      return replay(branch, version + 1n)
    })
  }
}

/** What ended before something else began must come before it, or be the same version. */
function checkRealTime(operations: readonly Operation[]): void {
  const ended = operations
    .filter(({ endedAt }) => endedAt !== undefined)
    .toSorted((a, b) => (a.endedAt ?? 0) - (b.endedAt ?? 0))
  let seen = 0n
  let by = ''
  let next = 0
  for (const operation of operations) {
    for (; (ended[next]?.endedAt ?? Number.POSITIVE_INFINITY) < operation.beganAt; next += 1) {
      for (const { version, isWrite } of ended[next]?.steps ?? []) {
        const reached = isWrite ? version + 1n : version
        if (reached <= seen) continue
        seen = reached
        by = nameOf(ended[next] as Operation)
      }
    }
    for (const { version } of operation.steps) {
      assert.ok(
        version >= seen,
        `${nameOf(operation)} read version ${version}, though ${by} had ended on ${seen} before it began`,
      )
    }
  }
}

function play(model: LedgerModel, { operation, step, isLast }: Placed): void {
  // What an operation reads on its way has no effect yet: a refund looks for the charge before it gives anything back.
  if (!isLast && !step.isChange) return
  const request = step.isAgain ? ({ do: 'look-after' } as const) : operation.request
  const answer = modelAnswer(model, request, { ...operation, ...step })
  if (isLast) {
    assert.deepEqual(operation.answer, answer, `${nameOf(operation)} answered what it should not`)
  }
}

/** What the model answers to a request that was made at one time and decided at another. */
export function modelAnswer(
  model: LedgerModel,
  request: Request,
  {
    askedMs,
    nowMs,
    dueByMs,
  }: { readonly askedMs: number; readonly nowMs: number; readonly dueByMs?: number },
): Answer {
  if (request.do === 'look') return model.balance(nowMs)
  if (request.do === 'count') return model.credits()
  if (request.do === 'look-after') {
    return model.run({ ...request, ...(dueByMs !== undefined && { dueByMs }) }, nowMs)
  }
  // A grant's times were asked for by the caller's clock, and the model counts them from the store's.
  const shifted =
    request.do === 'grant' ? { ...request, startsInMs: request.startsInMs + askedMs - nowMs } : request
  const { receipt: _receipt, ...answer } = model.run(shifted, nowMs)
  return answer
}

function nameOf({ index, request }: Operation): string {
  return `operation ${index} (${request.do}${'id' in request ? ` ${request.id}` : ''})`
}
