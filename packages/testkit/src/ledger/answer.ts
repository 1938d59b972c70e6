import {
  type Account,
  type Ledger,
  type LedgerStore,
  nano,
  type ReconcileResult,
  type ReservationSubject,
} from '@farebox/core'
import { readAccount } from './check-invariants.ts'
import type { Command } from './command.ts'
import { keys, type ModelKey } from './model/key.ts'
import { members } from './model/member.ts'
import type { Answer } from './model/world.ts'
import { failed, holdOf, served, sources, traceable } from './requests.ts'

/** Does what a command says, and puts what the ledger answers as the model does. */
export async function answerOf(
  ledger: Ledger,
  command: Exclude<Command, { do: 'wait' | 'period-end' | 'close' }>,
  nowMs: number,
): Promise<Answer> {
  switch (command.do) {
    case 'configure': {
      const { planId, seats, limit, memberCap, anchor } = command
      const account = await ledger.configure({
        accountId: 'alice',
        planId,
        ...(seats !== undefined && { seats }),
        ...(limit !== undefined && { spendingLimit: limit === null ? null : nano(limit) }),
        ...(memberCap !== undefined && { memberCap: memberCap === null ? null : nano(memberCap) }),
        ...(anchor !== undefined && { anchorDay: anchor }),
      })
      const { anchorDay, spendingLimit } = account
      return { planId: account.planId, seats: account.seats, limit: spendingLimit, anchor: anchorDay }
    }
    case 'cap': {
      const cap = typeof command.cap === 'bigint' ? nano(command.cap) : command.cap
      const {
        memberId: _memberId,
        accountId: _accountId,
        ...balance
      } = await ledger.capMember({
        accountId: 'alice',
        memberId: command.member,
        cap,
      })
      return { ...balance }
    }
    case 'grant':
      return grant(ledger, command, nowMs)
    case 'reserve': {
      const { id, amount, minimum, timeToLiveMs } = command
      const subject = {
        ...(command.traceable ? traceable : { ...traceable, costProviderIds: [] }),
        ...(command.member !== undefined && { memberId: command.member }),
        ...(command.key !== undefined && cappedBy(command.key)),
      }
      const options = { minimum: nano(minimum), timeToLiveMs, subject }
      const result = await ledger.reserve(holdOf(id, amount, options))
      if (result.outcome === 'reserved') {
        const { state, parts } = result.reservation
        return { outcome: 'reserved', state, parts: sources(parts) }
      }
      if (result.outcome === 'conflict') return result
      const { outcome, limit, missing, spendable } = result
      return { outcome, limit, missing, spendable }
    }
    case 'extend': {
      const { id, ordinal, amount, timeToLiveMs } = command
      const request = { accountId: 'alice', reservationId: id, ordinal, amount: nano(amount), timeToLiveMs }
      const result = await ledger.extend(request)
      if (result.outcome !== 'extended') return result
      return { outcome: 'extended', parts: sources(result.reservation.parts) }
    }
    case 'settle': {
      const state = (attempt: 1 | 2) =>
        command.late?.includes(attempt) === true ? { state: 'provisional' as const } : {}
      const attempts = [
        { ...failed(command.failedCost, `${command.id}.1`), ...state(1) },
        { ...served(command.cost, `${command.id}.2`), ...state(2) },
      ]
      const result = await ledger.settle({ accountId: 'alice', reservationId: command.id, attempts })
      if (result.outcome !== 'settled') return result
      const { charged, absorbed, paidFrom, spendableAfter, state: receiptState } = result.receipt
      const paid = { charged, absorbed, paidFrom: sources(paidFrom), spendableAfter }
      return { outcome: 'settled', ...paid, state: receiptState }
    }
    case 'reconcile':
      return { ...(await reconcileIn(ledger, command)), receipt: await showReceipt(ledger, command.id) }
    case 'void':
    case 'adjust':
    case 'refund':
      return byHand(ledger, command)
    case 'look-after': {
      const { reservations, late, released } = await ledger.unresolved('alice')
      const idsOf = (some: typeof reservations) => some.map(({ reservationId }) => reservationId).toSorted()
      return { unresolved: idsOf(reservations), late: idsOf(late), released: released.toSorted() }
    }
  }
}

async function grant(
  ledger: Ledger,
  { id, amount, kind, priority, startsInMs, lastsMs }: Extract<Command, { do: 'grant' }>,
  nowMs: number,
): Promise<Answer> {
  const effectiveAtMs = nowMs + startsInMs
  try {
    const { outcome } = await ledger.grant({
      accountId: 'alice',
      grantId: id,
      amount: nano(amount),
      kind,
      ...(priority !== undefined && { priority }),
      effectiveAtMs,
      expiresAtMs: lastsMs === null ? null : effectiveAtMs + lastsMs,
    })
    return { outcome }
  } catch (error) {
    if (error instanceof RangeError) return { outcome: 'RangeError' }
    throw error
  }
}

/** Makes a cost final, and leaves it to others to read what has come of it. */
export async function reconcileIn(
  ledger: Ledger,
  { id, attempt, cost }: Extract<Command, { do: 'reconcile' }>,
): Promise<Answer> {
  const request = { accountId: 'alice', reservationId: id, attemptId: `${id}.${attempt}` }
  return attemptIn(await ledger.reconcile({ ...request, cost: cost === null ? null : nano(cost) }))
}

function attemptIn(result: ReconcileResult): Answer {
  if (!('attempt' in result)) return { ...result }
  const { charged, absorbed, absorbedReason } = result.attempt
  return { outcome: result.outcome, charged, absorbed, reason: absorbedReason }
}

async function showReceipt(ledger: Ledger, requestId: string): Promise<Answer | undefined> {
  const receipt = await ledger.receipt('alice', requestId)
  if (receipt === undefined) return undefined
  const { charged, absorbed, state, refunded } = receipt
  return { charged, absorbed, state, refunded }
}

async function byHand(
  ledger: Ledger,
  command: Extract<Command, { do: 'void' | 'adjust' | 'refund' }>,
): Promise<Answer> {
  const deed = { accountId: 'alice', opId: command.op, actor: 'support', reason: 'test' }
  const { amount } = command
  const some = amount === undefined ? {} : { amount: nano(amount) }
  switch (command.do) {
    case 'void':
      return { ...(await ledger.voidGrant({ ...deed, grantId: command.id, ...some })) }
    case 'adjust': {
      const result = await ledger.adjust({ ...deed, amount: nano(command.amount) })
      return result.outcome === 'adjusted' ? { ...result, parts: sources(result.parts) } : { ...result }
    }
    case 'refund': {
      const result = await ledger.refund({
        ...deed,
        requestId: command.id,
        attemptId: `${command.id}.${command.attempt}`,
        ...some,
        expiredCredit: command.courtesy ? 'courtesy' : 'expired',
      })
      if (result.outcome !== 'refunded') return { ...result }
      const { grantIds, parts, ...refunded } = result
      return {
        ...refunded,
        grants: grantIds,
        parts: parts.map((part) => [part.source, part.to, part.amount]),
      }
    }
  }
}

/** A balance as the model shows it. */
export async function showBalance(ledger: Ledger): Promise<Answer> {
  const { accountId: _accountId, overage, ...balance } = await ledger.balance('alice')
  const { policy, limit, used, held, left } = overage
  return { ...balance, policy, limit, used, overageHeld: held, overageLeft: left }
}

/** What every member has used, as the model shows it. */
export async function showMembers(ledger: Ledger): Promise<Answer> {
  const shown: Record<string, Answer> = {}
  for (const memberId of members) {
    const {
      accountId: _accountId,
      memberId: _memberId,
      ...balance
    } = await ledger.memberBalance({
      accountId: 'alice',
      memberId,
    })
    shown[memberId] = balance
  }
  return shown
}

/** What was spent with every key, as the model shows it. */
export async function showKeys(ledger: Ledger): Promise<readonly Answer[]> {
  const shown = await ledger.keyBalances(
    'alice',
    keys.map(({ id, cap, per }) => ({ keyId: id, cap: { amount: nano(cap), per } })),
  )
  return shown.map(({ accountId: _accountId, ...balance }) => balance)
}

function cappedBy({ id, cap, per }: ModelKey): Pick<ReservationSubject, 'keyId' | 'keyCap'> {
  return { keyId: id, keyCap: { amount: nano(cap), per } }
}

/** Every credit as the model counts it. */
export async function showCredits(store: LedgerStore): Promise<Answer> {
  const { head } = await readAccount(store, 'alice')
  if (head === null) return {}
  const { grants } = head as unknown as Account
  return Object.fromEntries(
    grants.map(({ grantId, available, held, settled, expired, voided }) => [
      grantId,
      [available, held, settled, expired, voided],
    ]),
  )
}
