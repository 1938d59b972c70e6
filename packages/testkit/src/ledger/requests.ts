import assert from 'node:assert/strict'
import {
  type Account,
  type ExtendResult,
  encodeValue,
  type GrantResult,
  type Insufficient,
  type Ledger,
  type LedgerStore,
  type ManualOperation,
  type Nano,
  nano,
  type Receipt,
  type RefundResult,
  type Reservation,
  type ReserveRequest,
  type ReserveResult,
  type SettledAttempt,
  type SettleResult,
  type Value,
} from '@farebox/core'
import { readAccount, readJournal } from './check-invariants.ts'

export const second = 1000
export const minute: number = 60 * second
export const hour: number = 60 * minute
export const day: number = 24 * hour

/** After a hold's expiry it stays put this long, in case the one who made it is only late. */
export const graceMs: number = 30 * second

/** How long after that the providers may be asked what the request cost. */
export const resolveWithinMs: number = 30 * minute

/** A request for a hold of `amount` nano-USD on alice, for a minute. Nobody can tell its cost afterwards. */
export function holdOf(
  reservationId: string,
  amount: bigint,
  options: Partial<ReserveRequest> = {},
): ReserveRequest {
  return {
    accountId: 'alice',
    reservationId,
    amount: nano(amount),
    timeToLiveMs: minute,
    subject: { model: 'model', costProviderIds: [], attemptsMax: 1 },
    ...options,
  }
}

/** A subject whose cost the provider can be asked for afterwards. */
export const traceable = { model: 'model', costProviderIds: ['provider'], attemptsMax: 1 } as const

/** An attempt that reached the customer. `null` for a cost nobody knows. */
export function served(cost: bigint | null, attemptId = 'attempt'): SettledAttempt {
  return {
    attemptId,
    providerId: 'provider',
    providerModel: 'model',
    outcome: 'served',
    costSource: cost === null ? 'unknown' : 'provider',
    cost: cost === null ? null : nano(cost),
    payer: 'customer',
  }
}

/** An attempt that failed and that its provider charges all the same. */
export function failed(cost: bigint | null, attemptId = 'failed'): SettledAttempt {
  return { ...served(cost, attemptId), outcome: 'failed', payer: 'operator' }
}

/** An attempt on the customer's own key, which the provider bills them itself. */
export function onOwnKey(memoCost: bigint | undefined, attemptId = 'attempt'): SettledAttempt {
  const memo = memoCost === undefined ? {} : { memoCost: nano(memoCost) }
  return { ...served(null, attemptId), costSource: 'own-key', payer: 'own-key', ...memo }
}

/** Gives alice purchased credit that never expires. */
export async function give(ledger: Ledger, grantId: string, amount: bigint): Promise<void> {
  granted(await ledger.grant({ accountId: 'alice', grantId, amount: nano(amount) }))
}

export async function settleAt(ledger: Ledger, reservationId: string, cost: bigint): Promise<Receipt> {
  return settled(await ledger.settle({ accountId: 'alice', reservationId, attempts: [served(cost)] }))
}

/** Spends exactly this, in one request. */
export async function spend(ledger: Ledger, reservationId: string, amount: bigint): Promise<Receipt> {
  reserved(await ledger.reserve(holdOf(reservationId, amount)))
  return settleAt(ledger, reservationId, amount)
}

export function granted(result: GrantResult): Extract<GrantResult, { outcome: 'granted' }>['grant'] {
  assert.equal(result.outcome, 'granted')
  return (result as Extract<GrantResult, { outcome: 'granted' }>).grant
}

export function reserved(result: ReserveResult): Reservation {
  assert.equal(result.outcome, 'reserved')
  return (result as Extract<ReserveResult, { outcome: 'reserved' }>).reservation
}

export function refused(result: ReserveResult): Insufficient {
  assert.equal(result.outcome, 'insufficient')
  return result as Insufficient
}

export function extended(result: ExtendResult): Reservation {
  assert.equal(result.outcome, 'extended')
  return (result as Extract<ExtendResult, { outcome: 'extended' }>).reservation
}

export function settled(result: SettleResult): Receipt {
  assert.equal(result.outcome, 'settled')
  return (result as Extract<SettleResult, { outcome: 'settled' }>).receipt
}

/** `[source, amount]` of every source, in order. */
export function sources(
  parts: readonly { readonly source: string; readonly amount: Nano }[],
): [string, bigint][] {
  return parts.map(({ source, amount }) => [source, amount])
}

export async function readHead(store: LedgerStore, accountId = 'alice'): Promise<Account> {
  const { head } = await readAccount(store, accountId)
  assert.ok(head !== null, `${accountId} was never written`)
  return head as unknown as Account
}

/** Four counters of a grant, as the head has them; the fifth too when something was voided. */
export async function counters(store: LedgerStore, grantId: string): Promise<Record<string, bigint>> {
  const grant = (await readHead(store)).grants.find((candidate) => candidate.grantId === grantId)
  assert.ok(grant !== undefined, `the head has no grant ${grantId}`)
  const { available, held, settled, expired, voided } = grant
  return { available, held, settled, expired, ...(voided > 0n && { voided }) }
}

/** Who does something to alice's account by hand, and why. */
export function deed(opId: string): ManualOperation {
  return { accountId: 'alice', opId, actor: 'support', reason: 'a test' }
}

export function refunded(result: RefundResult): Extract<RefundResult, { outcome: 'refunded' }> {
  assert.equal(result.outcome, 'refunded')
  return result as Extract<RefundResult, { outcome: 'refunded' }>
}

/** Checks that an operation leaves the account as it is, to the byte, version included. */
export async function changesNothing<R>(
  store: LedgerStore,
  operation: () => Promise<R>,
  accountId = 'alice',
): Promise<R> {
  const before = await snapshot(store, accountId)
  const result = await operation()
  assert.equal(await snapshot(store, accountId), before)
  return result
}

async function snapshot(store: LedgerStore, accountId: string): Promise<string> {
  const { head, due, version } = await readAccount(store, accountId)
  const journal = await readJournal(store, accountId)
  return encodeValue([head, due, version, journal] as unknown as Value)
}
