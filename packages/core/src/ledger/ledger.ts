import { assert } from '../assert.ts'
import type { Clock } from '../clock.ts'
import type { Account } from './account.ts'
import { type AdjustRequest, type AdjustResult, adjust } from './adjust.ts'
import { type AuditOptions, audit } from './audit.ts'
import type { RateAttempt } from './audit-prices.ts'
import type { AuditReport } from './audit-report.ts'
import { type Balance, balance } from './balance.ts'
import { type ConfigureRequest, configure } from './configure.ts'
import { type JournalEntry, readEntry } from './entry.ts'
import { type ExtendRequest, type ExtendResult, extend } from './extend.ts'
import { type GrantRequest, type GrantResult, grant, grantKey } from './grant.ts'
import { operationKey } from './manual-operation.ts'
import type { PlanTable } from './plan.ts'
import { reach } from './reach.ts'
import { type Receipt, receiptOf, sum } from './receipt.ts'
import {
  checkRefund,
  locateCharge,
  type RefundRequest,
  type RefundResult,
  refund,
  refundKeys,
} from './refund.ts'
import { graceMs, type Reservation, reservationKey, resolveWithinMs } from './reservation.ts'
import { type ReserveRequest, type ReserveResult, reserve } from './reserve.ts'
import { type SettleRequest, type SettleResult, settle } from './settle.ts'
import { createStatements, type Statements } from './statements.ts'
import type { AccountPage, Key, LedgerStore, Reduce, TransactOptions } from './storage.ts'
import { type Unresolved, unresolved } from './unresolved.ts'
import { type VoidGrantRequest, type VoidGrantResult, voidGrant } from './void-grant.ts'

/** The operations on money, each one atomic step on one account, bound to a store. */
export interface Ledger {
  configure(request: ConfigureRequest): Promise<Account>
  grant(request: GrantRequest): Promise<GrantResult>
  voidGrant(request: VoidGrantRequest): Promise<VoidGrantResult>
  adjust(request: AdjustRequest): Promise<AdjustResult>
  refund(request: RefundRequest): Promise<RefundResult>
  reserve(request: ReserveRequest): Promise<Exclude<ReserveResult, { outcome: 'again' }>>
  extend(request: ExtendRequest): Promise<Exclude<ExtendResult, { outcome: 'again' }>>
  settle(request: SettleRequest): Promise<SettleResult>
  balance(accountId: string): Promise<Balance>
  receipt(accountId: string, requestId: string): Promise<Receipt | undefined>
  journal(accountId: string, afterSeq: bigint, limit: number): Promise<readonly JournalEntry[]>
  /** Accounts with holds that nobody settled in time. */
  accountsDue(cursor: string | null): Promise<AccountPage>
  unresolved(accountId: string): Promise<Unresolved>
  /** Usage and invoices. */
  readonly statements: Statements
  /** Every account that was ever written, by id, up to a hundred at a time. */
  accounts(cursor: string | null): Promise<AccountPage>
  /** Replays an account's journal and proves that it is whole and adds up. */
  audit(accountId: string, options?: LedgerAuditOptions): Promise<AuditReport>
}

export interface LedgerAuditOptions extends AuditOptions {
  /** What recorded usage costs. @default nobody knows: no cost can be verified */
  readonly rate?: RateAttempt
}

export interface LedgerOptions {
  readonly store: LedgerStore
  readonly plans: PlanTable
  readonly clock: Clock
}

/** Holds looked after in one step of reconciliation. */
const dueMax = 1000

export function createLedger({ store, plans, clock }: LedgerOptions): Ledger {
  const run = <R>(accountId: string, keys: readonly Key[], reduce: Reduce<R>, options?: TransactOptions) =>
    reach(clock, () => store.transact(accountId, keys, reduce, options))
  const readJournal = (accountId: string, afterSeq: bigint, limit: number) =>
    reach(clock, () => store.journal(accountId, afterSeq, limit))
  const readEntryAt = async (accountId: string, seq: bigint) => {
    const [stored] = await readJournal(accountId, seq - 1n, 1)
    return stored?.seq === seq ? readEntry(stored) : undefined
  }
  const readReceipt = async (accountId: string, seq: bigint) => {
    const entry = await readEntryAt(accountId, seq)
    assert(entry !== undefined, `the journal of an account has lost entry ${seq}`)
    return receiptOf(accountId, entry, seq)
  }
  const journal = async (accountId: string, afterSeq: bigint, limit: number) =>
    (await readJournal(accountId, afterSeq, limit)).map(readEntry)
  // By the store's clock, like every decision about time: a process whose own clock is behind would find nothing.
  const resolveBy = async () => {
    const storeMs = await run('', [], ({ now }) => ({ result: now }))
    return storeMs + graceMs + resolveWithinMs
  }
  return {
    // Async, so that a request that makes no sense rejects like every other failure.
    configure: async (request) => run(request.accountId, [], configure(request, plans)),
    grant: async (request) => run(request.accountId, [grantKey(request.grantId)], grant(request, plans)),
    voidGrant: async (request) =>
      run(
        request.accountId,
        [operationKey(request.opId), grantKey(request.grantId)],
        voidGrant(request, plans),
      ),
    async adjust(request) {
      const reduce = adjust(request, plans)
      for (;;) {
        const result = await run(request.accountId, [operationKey(request.opId)], reduce)
        if (result.outcome !== 'again') return result
      }
    },
    async refund(request) {
      checkRefund(request)
      const { accountId, opId, requestId } = request
      const keys = [operationKey(opId), reservationKey(requestId)]
      const located = await run(accountId, keys, locateCharge(request))
      if ('done' in located) return located.done
      const charge = await readEntryAt(accountId, located.seq)
      if (charge === undefined) return { outcome: 'unknown-attempt' }
      return run(accountId, refundKeys(request, charge), refund(request, charge, plans))
    },
    async reserve(request) {
      const reduce = reserve(request, plans)
      for (;;) {
        const result = await run(request.accountId, [reservationKey(request.reservationId)], reduce)
        if (result.outcome !== 'again') return result
      }
    },
    async extend(request) {
      const reduce = extend(request, plans)
      for (;;) {
        const result = await run(request.accountId, [reservationKey(request.reservationId)], reduce)
        if (result.outcome !== 'again') return result
      }
    },
    async settle(request) {
      const { accountId, reservationId } = request
      const step = await run(accountId, [reservationKey(reservationId)], settle(request, plans))
      if (step.outcome !== 'already-settled') return step
      return { outcome: 'settled', receipt: await readReceipt(accountId, step.seq) }
    },
    balance: (accountId) => run(accountId, [], balance(accountId, plans)),
    async receipt(accountId, requestId) {
      const key = reservationKey(requestId)
      const hold = await run(accountId, [key], ({ records }) => ({
        result: records.get(key) as Reservation | undefined,
      }))
      const receipt =
        hold?.settledBy === undefined ? hold?.receipt : await readReceipt(accountId, hold.settledBy)
      if (receipt === undefined || hold?.refunds === undefined) return receipt
      return { ...receipt, refunded: sum(hold.refunds.map(({ amount }) => amount)) }
    },
    journal,
    statements: createStatements({ run, journal, plans }),
    async accountsDue(cursor) {
      const dueBy = await resolveBy()
      return reach(clock, () => store.scan({ dueBy }, cursor, 100))
    },
    async unresolved(accountId) {
      const dueBy = await resolveBy()
      return run(accountId, [], unresolved(accountId, plans), { dueBy, dueMax })
    },
    accounts: (cursor) => reach(clock, () => store.scan('all', cursor, 100)),
    audit: async (accountId, { rate = () => undefined, ...options } = {}) =>
      audit(
        {
          readHead: () =>
            run(accountId, [], (cut) => ({ result: cut }), { dueBy: Number.MAX_SAFE_INTEGER, dueMax }),
          readJournal,
          rate,
          plans,
        },
        accountId,
        options,
      ),
  }
}
