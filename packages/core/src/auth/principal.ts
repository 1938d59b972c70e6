import type { GatewayRequest } from '../http/exchange.ts'
import type { KeyCap } from '../ledger/key-cap.ts'
import type { RateLimits } from '../ledger/rate-limits.ts'

/** Who asks, and which accounts they may bill. */
export interface Principal {
  /** The account that is billed unless another payer is named. 1 to 128 characters. */
  readonly accountId: string
  /** The person inside an organisation, for usage by member and their cap. 1 to 128 characters. */
  readonly memberId?: string
  /** The account's order of providers for `:preferred`. */
  readonly preferredProviders?: readonly string[]
  /** Providers that requests of this caller never go to, whoever pays. @default none */
  readonly disabledProviders?: readonly string[]
  /** Further accounts this caller may bill, such as organisations. `X-HF-Bill-To` names one of them. @default none */
  readonly payers?: readonly (string | BillableAccount)[]
  /** The payer of requests without `X-HF-Bill-To`, by account id or name. @default what the account has set, else accountId */
  readonly defaultPayer?: string
  /** How much this caller may ask for in a while, for each account that pays. @default no limits but the plan's */
  readonly limits?: RateLimits
  /** The API key that asks, for usage by key. 1 to 128 characters. */
  readonly keyId?: string
  /** How much may be asked for with this key, for each account that pays. Needs `keyId`. @default no limits of its own */
  readonly keyLimits?: RateLimits
  /** The most that may be spent with this key, of each account that pays. Needs `keyId`. @default no cap but the account's and the member's */
  readonly keyCap?: KeyCap
  /** Models that may be asked for: `openai/gpt-oss-120b`, or `openai/*` for all that begin so. @default all */
  readonly models?: readonly string[]
}

/** An account that a caller may bill besides their own. */
export interface BillableAccount {
  /** 1 to 128 characters. */
  readonly accountId: string
  /** What callers know it by, such as the organisation's handle. @default accountId */
  readonly name?: string
  /** The caller inside this account, for usage by member and their cap. 1 to 128 characters. @default the caller's own accountId */
  readonly memberId?: string
  /** This account's order of providers for `:preferred`. @default the caller's */
  readonly preferredProviders?: readonly string[]
  /** Providers that requests billed to this account never go to, besides those it has disabled itself. @default none */
  readonly disabledProviders?: readonly string[]
}

/** Says who asks by what a request carries. `undefined` when that is nobody it knows. */
export type Identify = (request: GatewayRequest) => Principal | undefined | Promise<Principal | undefined>

/**
 * Says who asks: reads headers, or what the host's own middleware put on `request.host`. `undefined` is a 401. `byApiKey` knows the
 * keys that `gateway.keys` has made, for hosts that know callers by something else as well.
 */
export type Authenticate = (request: GatewayRequest, byApiKey: Identify) => ReturnType<Identify>
