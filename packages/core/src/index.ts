export type { AccountSettings, ChangeSettingsRequest } from './auth/account-settings.ts'
export type { ApiKey, ApiKeys, CapKeyRequest, CreatedKey, CreateKeyRequest } from './auth/api-keys.ts'
export { bearerKey } from './auth/authenticate.ts'
export type { KeySpent } from './auth/key-spent.ts'
export type { Authenticate, BillableAccount, Identify, Principal } from './auth/principal.ts'
export type {
  ProviderKey,
  ProviderKeys,
  RotateReport,
  SetProviderKeyRequest,
} from './auth/provider-keys.ts'
export type { RingKey } from './auth/sealer.ts'
export type { PriceBound } from './catalog/bounds.ts'
export type { PriceChange, PriceLineChange } from './catalog/compare-prices.ts'
export {
  createPriceBook,
  type PriceBook,
  type PriceBookVersion,
  type PriceEdition,
} from './catalog/price-book.ts'
export { priceBook } from './catalog/shipped-prices.ts'
export type { CatalogRow, Target, TargetLimits, TargetStats } from './catalog/target.ts'
export { type Clock, type FakeClock, fakeClock, systemClock } from './clock.ts'
export type { InferenceCall, PolicyName, Selector } from './dialects/inference-call.ts'
export {
  type SendOptions,
  type Transport,
  TransportError,
  type TransportFailure,
  type TransportResponse,
} from './dispatch/transport.ts'
export { type ErrorCode, errorCodes, GatewayError, isGatewayError } from './errors.ts'
export type { GatewayEvent, OnEvent, WebhookDropReason } from './events.ts'
export { createGateway } from './gateway.ts'
export type { Gateway } from './gateway-interface.ts'
export { ByteStream, type Sink, type Source as StreamSource } from './http/byte-stream.ts'
export type {
  CallerSignal,
  GatewayRequest,
  GatewayResponse,
  RequestBody,
  ResponseBody,
} from './http/exchange.ts'
export type { Operation } from './http/routes.ts'
export { countedIds, type Ids, randomIds } from './ids.ts'
export type {
  ExportReport,
  ExportRequest,
  FollowRequest,
  JournalExport,
  JournalSink,
} from './journals/journal-export.ts'
export type { TrimJournals, TrimmedAccount, TrimReport, TrimRequest } from './journals/journal-trim.ts'
export type { Account, Grant, GrantKind, LeaseMark, OverageLine, Source } from './ledger/account.ts'
export type { AdjustRequest, AdjustResult } from './ledger/adjust.ts'
export type { Alert, AlertPercent } from './ledger/alerts.ts'
export type { ArchivedEntry, JournalArchive } from './ledger/audit/archive.ts'
export type { AuditOptions } from './ledger/audit/audit.ts'
export type { ChainMark } from './ledger/audit/chain.ts'
export type { RateAttempt } from './ledger/audit/prices.ts'
export type {
  AuditDrift,
  AuditedPrices,
  AuditFinding,
  AuditFindingKind,
  AuditReport,
} from './ledger/audit/report.ts'
export type { Balance } from './ledger/balance.ts'
export type { CapMemberRequest } from './ledger/cap-member.ts'
export type { ClosePeriodResult } from './ledger/close-period.ts'
export type { ConfigureRequest } from './ledger/configure.ts'
export {
  type Count,
  type CounterStore,
  type GiveBackRequest,
  shareOf,
  type Taken,
  type TakeRequest,
} from './ledger/counter-store.ts'
export {
  chainHash,
  type Entry,
  type EntryKind,
  type JournalEntry,
  type Posting,
  readEntry,
} from './ledger/entry.ts'
export type { JournalBatch } from './ledger/export-cursor.ts'
export type { ExtendRequest, ExtendResult } from './ledger/extend.ts'
export type { GrantRequest, GrantResult, TooManyGrants } from './ledger/grant.ts'
export type { Invoice, InvoiceLine } from './ledger/invoice.ts'
export type { KeyBalance, KeyRequest } from './ledger/key-balance.ts'
export type { CappedKey, KeyCap, KeySpending } from './ledger/key-cap.ts'
export {
  checkDocumentKey,
  type DocumentPage,
  documentText,
  type KeyStore,
  type StoredDocument,
} from './ledger/key-store.ts'
export type { Late, LateAttempt, LatePolicy, LateTerms } from './ledger/late.ts'
export { type LeasingLedger, type LeasingOptions, leasing } from './ledger/lease/leasing.ts'
export { createLedger, type Ledger, type LedgerOptions } from './ledger/ledger.ts'
export type { ManualOperation, OperationConflict } from './ledger/manual-operation.ts'
export type { Member } from './ledger/member.ts'
export type { MemberBalance, MemberRequest } from './ledger/member-balance.ts'
export { memoryStorage } from './ledger/memory-storage.ts'
export type { Period } from './ledger/period.ts'
export type { CreditScope, LeaseTerms, Overage, Plan, PlanTable } from './ledger/plan.ts'
export { type PlanPreset, planPreset } from './ledger/plan-presets.ts'
export type { RateLimits } from './ledger/rate-limits.ts'
export type { AbsorbedReason, CostSource, Receipt, ReceiptAttempt } from './ledger/receipt.ts'
export type { ReconcileRequest, ReconcileResult } from './ledger/reconcile.ts'
export type { RefundPart, RefundRequest, RefundResult } from './ledger/refund.ts'
export type { Reservation, ReservationSubject } from './ledger/reservation.ts'
export type { Insufficient, ReserveRequest, ReserveResult } from './ledger/reserve.ts'
export type { SettleRequest, SettleResult } from './ledger/settle.ts'
export type { SettledAttempt } from './ledger/share.ts'
export type { Spender } from './ledger/spender.ts'
export type { SpentLine } from './ledger/spent-lines.ts'
export type {
  CloseRequest,
  Folded,
  ListInvoicesRequest,
  Statements,
  UsagePage,
  UsageReading,
} from './ledger/statements.ts'
export {
  type AccountPage,
  type Cut,
  type Decision,
  type Instant,
  isOutcomeUnknown,
  isUnavailable,
  type Key,
  type LedgerStore,
  OutcomeUnknown,
  type Put,
  type Reduce,
  type Storage,
  type StoredEntry,
  StoreRegressed,
  type StoreTraits,
  type TransactOptions,
  Unavailable,
  type Value,
  type Write,
} from './ledger/storage.ts'
export type { TrimAccountRequest, TrimAccountResult } from './ledger/trim-journal.ts'
export type { Unresolved } from './ledger/unresolved.ts'
export type { UsageRow } from './ledger/usage-day.ts'
export type { Amounts, Funding, UsageSums } from './ledger/usage-sums.ts'
export { decodeValue, encodeValue } from './ledger/value-text.ts'
export type { VoidGrantRequest, VoidGrantResult } from './ledger/void-grant.ts'
export { formatUsd, type Nano, nano, perMillion, perUnit, type Rate, rate, usd, zero } from './money.ts'
export type {
  GatewayLimits,
  GatewayOptions,
  GatewayTimeouts,
  LateCostOptions,
  TargetHealthOptions,
} from './options.ts'
export {
  charge,
  type LongContextTier,
  type Price,
  type PriceTiers,
  type ServiceTier,
  type TargetPrice,
  UnpricedUnitError,
} from './price.ts'
export type {
  CostLookup,
  EncodeContext,
  FollowUp,
  Provider,
  UpstreamAnswer,
  UpstreamRequest,
  Verdict,
} from './providers/provider.ts'
export { type RateOptions, rateUsage, UnpricedTierError } from './rate-usage.ts'
export type {
  CompareRequest,
  CompareResult,
  KnownPrices,
  PriceMoment,
  Prices,
  ProposedPrices,
  RerateRequest,
  RerateResult,
  SimulateRequest,
  SimulateResult,
} from './rerating/prices.ts'
export type { ReratedAttempt, RerateTotals, UnratedReason } from './rerating/rerate.ts'
export type { RouteContext, RoutePolicy } from './routing/policy.ts'
export type { ReconcileReport } from './settlement/reconcile.ts'
export type { LateCost } from './settlement/tell-cost.ts'
export type { UsageExport, UsageFormat } from './statements/export-usage.ts'
export type { UsageDimension, UsageGroup } from './statements/usage-group.ts'
export type { UsageQuery, UsageReport } from './statements/usage-query.ts'
export type { Unit } from './unit.ts'
export type { Quantities, Quantity, Usage } from './usage.ts'
export { type WebhookOptions, type Webhooks, webhooks } from './webhooks/webhooks.ts'
