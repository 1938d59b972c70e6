import type { AccountStatements } from './accounts/account-statements.ts'
import type { AccountSettings, ChangeSettingsRequest } from './auth/account-settings.ts'
import type { ApiKeys } from './auth/api-keys.ts'
import type { ProviderKeys } from './auth/provider-keys.ts'
import type { GatewayRequest, GatewayResponse } from './http/exchange.ts'
import type { FetchOptions } from './http/web.ts'
import type { JournalExport } from './journals/journal-export.ts'
import type { Account } from './ledger/account.ts'
import type { AdjustRequest, AdjustResult } from './ledger/adjust.ts'
import type { AuditOptions } from './ledger/audit/audit.ts'
import type { AuditReport } from './ledger/audit/report.ts'
import type { Balance } from './ledger/balance.ts'
import type { CapMemberRequest } from './ledger/cap-member.ts'
import type { ConfigureRequest } from './ledger/configure.ts'
import type { JournalEntry } from './ledger/entry.ts'
import type { GrantRequest, GrantResult } from './ledger/grant.ts'
import type { KeyBalance, KeyRequest } from './ledger/key-balance.ts'
import type { MemberBalance, MemberRequest } from './ledger/member-balance.ts'
import type { Receipt } from './ledger/receipt.ts'
import type { RefundRequest, RefundResult } from './ledger/refund.ts'
import type { VoidGrantRequest, VoidGrantResult } from './ledger/void-grant.ts'
import type { Prices } from './rerating/prices.ts'
import type { ReconcileReport } from './settlement/reconcile.ts'
import type { LateCost } from './settlement/tell-cost.ts'

/** What a host mounts, and what it manages accounts with. */
export interface Gateway extends AccountStatements {
  /** Answers a request, or gives `undefined` when its path is not the gateway's. Rejects only on faults of the gateway itself. */
  handle(request: GatewayRequest): Promise<GatewayResponse | undefined>
  /**
   * Answers a web-standard request, for hosts such as Hono or route handlers of Next.js. Gives `undefined` when its path is not
   * below `prefix`, or is not the gateway's. `host` is handed to `authenticate`, by default the request itself.
   */
  fetch(request: Request, options?: FetchOptions): Promise<Response | undefined>
  readonly accounts: {
    /** Puts an account on a plan, with seats, a spending limit, and a cap for each member. */
    configure(request: ConfigureRequest): Promise<Account>
    balance(accountId: string): Promise<Balance>
    /** Gives one member of an account a cap of their own, or takes it away. */
    capMember(request: CapMemberRequest): Promise<MemberBalance>
    /** What a member has used in this period, and may still use. */
    member(request: MemberRequest): Promise<MemberBalance>
    /** What was spent of an account with a key under a cap, and may still be spent. */
    key(request: KeyRequest): Promise<KeyBalance>
    /** What an account has set for its requests. */
    settings(accountId: string): Promise<AccountSettings>
    /** Changes what an account has set: at once in this process, within ten seconds in others. */
    changeSettings(request: ChangeSettingsRequest): Promise<AccountSettings>
    /** Ids of all accounts, in order, up to a hundred at a time. Give the cursor of one page to get the next. */
    list(
      cursor?: string | null,
    ): Promise<{ readonly accountIds: readonly string[]; readonly cursor: string | null }>
    /** Entries of the account's journal after a sequence number, at most 1,000. */
    journal(request: {
      readonly accountId: string
      readonly afterSeq?: bigint
    }): Promise<readonly JournalEntry[]>
  }
  /** Hands journals over to somebody else: at least once, each account in order. */
  readonly journal: JournalExport
  /** Keys that callers authenticate with. */
  readonly keys: ApiKeys
  /** Keys that accounts bring to pay providers with themselves. */
  readonly providerKeys: ProviderKeys
  readonly credits: {
    /** Adds credit. The same `grantId` adds it once, however often it is sent. */
    grant(request: GrantRequest): Promise<GrantResult>
    /** Takes back what is left of a grant, or some of it. What was spent stays spent. Once for each `opId`, as all below. */
    void(request: VoidGrantRequest): Promise<VoidGrantResult>
    /** Corrects an account by hand: lowers the bill and gives credit, or takes credit and raises the bill. */
    adjust(request: AdjustRequest): Promise<AdjustResult>
    /** Gives back what an attempt was charged, to where it came from. */
    refund(request: RefundRequest): Promise<RefundResult>
  }
  readonly receipts: {
    get(request: { readonly accountId: string; readonly requestId: string }): Promise<Receipt | undefined>
  }
  /** What past requests cost at other prices, and what differs between prices. Nothing there moves money. */
  readonly prices: Prices
  readonly costs: {
    /**
     * Takes the cost of an attempt from a provider that calls back instead of being asked. Gives whether it was news: a cost
     * that is final is never changed.
     */
    report(cost: LateCost): Promise<boolean>
  }
  /**
   * Finds out costs that are still unknown: of requests that a dead process left behind, and of those whose provider tells
   * costs later. Runs by itself, see `lateCosts.everyMs`; may be called at any time.
   */
  reconcile(): Promise<ReconcileReport>
  /**
   * Replays an account's journal: proves that it is whole, that the balance is what it adds up to, and that nothing was
   * charged beyond what the provider charges. Writes nothing. Rejects when the store is out of reach.
   */
  audit(accountId: string, options?: AuditOptions): Promise<AuditReport>
  /** Refuses new requests, waits for those under way and their settlement, and closes connections and storage. */
  close(): Promise<void>
}
