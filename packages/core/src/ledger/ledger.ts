import type { Clock } from '../clock.ts'
import { accessTo } from './access.ts'
import type { Account } from './account.ts'
import { type AdjustRequest, type AdjustResult, adjust } from './adjust.ts'
import { type AuditOptions, audit } from './audit/audit.ts'
import type { RateAttempt } from './audit/prices.ts'
import type { AuditReport } from './audit/report.ts'
import { type Balance, balance } from './balance.ts'
import { type CapMemberRequest, capMember } from './cap-member.ts'
import { type ConfigureRequest, configure } from './configure.ts'
import { type JournalEntry, readEntry } from './entry.ts'
import { acknowledge, type ExportState, exportKey, exportState } from './export-cursor.ts'
import { type ExtendRequest, type ExtendResult, extend } from './extend.ts'
import { type GrantRequest, type GrantResult, grant, grantKey } from './grant.ts'
import { journalBaseKey } from './journal-base.ts'
import { type KeyBalance, keyBalanceKeys, keyBalances } from './key-balance.ts'
import type { CappedKey } from './key-cap.ts'
import { type LateTerms, usualLateTerms } from './late.ts'
import { operationKey } from './manual-operation.ts'
import { memberKey } from './member.ts'
import { type MemberBalance, type MemberRequest, memberBalance } from './member-balance.ts'
import type { PlanTable } from './plan.ts'
import { reach } from './reach.ts'
import { readFirstReceipt, readIsCharged, readReceipt } from './read-receipt.ts'
import type { Receipt } from './receipt.ts'
import type { ReconcileRequest, ReconcileResult } from './reconcile.ts'
import { reconcileAttempt } from './reconcile-attempt.ts'
import type { RefundRequest, RefundResult } from './refund.ts'
import { refundAttempt } from './refund-attempt.ts'
import { graceMs, reservationKey, resolveWithinMs } from './reservation.ts'
import { type ReserveRequest, type ReserveResult, reserve } from './reserve.ts'
import { type SettleRequest, type SettleResult, settle } from './settle.ts'
import { spenderKeys } from './spender.ts'
import { createStatements, type Statements } from './statements.ts'
import type { AccountPage, LedgerStore, StoredEntry } from './storage.ts'
import { type TrimAccountRequest, type TrimAccountResult, trimJournal } from './trim-journal.ts'
import { type Unresolved, unresolved } from './unresolved.ts'
import { type VoidGrantRequest, type VoidGrantResult, voidGrant } from './void-grant.ts'

/** The operations on money, each one atomic step on one account, bound to a store. */
export interface Ledger {
  configure(request: ConfigureRequest): Promise<Account>
  capMember(request: CapMemberRequest): Promise<MemberBalance>
  grant(request: GrantRequest): Promise<GrantResult>
  voidGrant(request: VoidGrantRequest): Promise<VoidGrantResult>
  adjust(request: AdjustRequest): Promise<AdjustResult>
  refund(request: RefundRequest): Promise<RefundResult>
  /** Makes the cost of an attempt final that came after its request was settled. */
  reconcile(request: ReconcileRequest): Promise<ReconcileResult>
  reserve(request: ReserveRequest): Promise<Exclude<ReserveResult, { outcome: 'again' }>>
  extend(request: ExtendRequest): Promise<Exclude<ExtendResult, { outcome: 'again' }>>
  settle(request: SettleRequest): Promise<SettleResult>
  balance(accountId: string): Promise<Balance>
  memberBalance(request: MemberRequest): Promise<MemberBalance>
  /** What was spent of an account with keys that have caps, in their order. */
  keyBalances(accountId: string, keys: readonly CappedKey[]): Promise<readonly KeyBalance[]>
  receipt(accountId: string, requestId: string): Promise<Receipt | undefined>
  /** Whether a request was charged, or may still be; `undefined` while its hold is not ended. */
  isCharged(accountId: string, requestId: string): Promise<boolean | undefined>
  journal(accountId: string, afterSeq: bigint, limit: number): Promise<readonly JournalEntry[]>
  /** Entries as they are stored and hashed. */
  storedJournal(accountId: string, afterSeq: bigint, limit: number): Promise<readonly StoredEntry[]>
  /** How far a consumer has the journal of an account. */
  exportState(accountId: string, consumer: string): Promise<ExportState>
  /** Takes note that a consumer has it up to this entry. */
  acknowledge(accountId: string, consumer: string, seq: bigint): Promise<void>
  /** Takes entries out of an account's journal that nobody needs any more. Only where `canTrim`. */
  trim(request: TrimAccountRequest): Promise<TrimAccountResult>
  /** Whether the store can forget entries. */
  readonly canTrim: boolean
  /** Accounts with holds that nobody settled in time, and with costs that are still to come. */
  accountsDue(cursor: string | null): Promise<AccountPage>
  unresolved(accountId: string): Promise<Unresolved>
  /** Usage and invoices. */
  readonly statements: Statements
  /** Every account that was ever written, by id, up to a hundred at a time. */
  accounts(cursor: string | null): Promise<AccountPage>
  /** Replays an account's journal and proves that it is whole and adds up. */
  audit(accountId: string, options?: LedgerAuditOptions): Promise<AuditReport>
  /** The store's time, in milliseconds since 1970 UTC. */
  storeNow(): Promise<number>
}

export interface LedgerAuditOptions extends AuditOptions {
  /** What recorded usage costs. @default nobody knows: no cost can be verified */
  readonly rate?: RateAttempt
}

export interface LedgerOptions {
  readonly store: LedgerStore
  readonly plans: PlanTable
  readonly clock: Clock
  /** How long a settlement waits for a cost that comes later, and what then. @default half an hour, and charges nothing */
  readonly late?: LateTerms
}

/** Holds looked after in one step of reconciliation. */
const dueMax = 1000

export function createLedger({ store, plans, clock, late = usualLateTerms }: LedgerOptions): Ledger {
  const access = accessTo(store, clock)
  const { run } = access
  const journal = async (accountId: string, afterSeq: bigint, limit: number) =>
    (await access.journal(accountId, afterSeq, limit)).map(readEntry)
  const statements = createStatements({ run, journal, plans })
  const storeNow = () => run('', [], ({ now }) => ({ result: now }))
  // By the store's clock, like every decision about time: a process whose own clock is behind would find nothing.
  const resolveBy = async () => (await storeNow()) + Math.max(graceMs + resolveWithinMs, late.withinMs)
  return {
    // Async, so that a request that makes no sense rejects like every other failure.
    configure: async (request) => run(request.accountId, [], configure(request, plans)),
    capMember: async (request) =>
      run(request.accountId, [memberKey(request.memberId)], capMember(request, plans)),
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
    refund: async (request) => refundAttempt(access, request, plans),
    reconcile: async (request) => reconcileAttempt(access, request, plans),
    async reserve(request) {
      const reduce = reserve(request, plans)
      const keys = [reservationKey(request.reservationId), ...spenderKeys(request.subject)]
      for (;;) {
        const result = await run(request.accountId, keys, reduce)
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
      const { accountId, reservationId, spender } = request
      const key = reservationKey(reservationId)
      const keys = spender === undefined ? [key] : [key, ...spenderKeys(spender)]
      const step = await run(accountId, keys, settle(request, plans, late))
      if (step.outcome !== 'already-settled') return step
      const receipt = await readFirstReceipt(access, accountId, step.seq)
      return receipt === undefined ? { outcome: 'unknown-reservation' } : { outcome: 'settled', receipt }
    },
    balance: (accountId) => run(accountId, [], balance(accountId, plans)),
    memberBalance: async (request) =>
      run(request.accountId, [memberKey(request.memberId)], memberBalance(request, plans)),
    keyBalances: async (accountId, keys) =>
      run(accountId, keyBalanceKeys(keys), keyBalances(accountId, keys, plans)),
    receipt: (accountId, requestId) => readReceipt(access, accountId, requestId),
    isCharged: (accountId, requestId) => readIsCharged(access, accountId, requestId),
    journal,
    storedJournal: access.journal,
    exportState: async (accountId, consumer) => run(accountId, [exportKey(consumer)], exportState(consumer)),
    acknowledge: async (accountId, consumer, seq) =>
      run(accountId, [exportKey(consumer)], acknowledge(consumer, seq)),
    trim: (request) => trimJournal({ access, statements, plans }, request),
    canTrim: store.trim !== undefined,
    statements,
    async accountsDue(cursor) {
      const dueBy = await resolveBy()
      return reach(clock, () => store.scan({ dueBy }, cursor, 100))
    },
    async unresolved(accountId) {
      const dueBy = await resolveBy()
      return run(accountId, [], unresolved(accountId, plans), { dueBy, dueMax })
    },
    storeNow,
    accounts: (cursor) => reach(clock, () => store.scan('all', cursor, 100)),
    audit: async (accountId, { rate = () => undefined, ...options } = {}) =>
      audit(
        {
          readHead: () =>
            run(accountId, [journalBaseKey], (cut) => ({ result: cut }), {
              dueBy: Number.MAX_SAFE_INTEGER,
              dueMax,
            }),
          readJournal: access.journal,
          rate,
          plans,
        },
        accountId,
        options,
      ),
  }
}
