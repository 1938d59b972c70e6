import type { GatewayRequest } from '../http/exchange.ts'

/** Who pays, and who asks. */
export interface Principal {
  /** The party that is billed. 1 to 128 characters. */
  readonly accountId: string
  /** The person inside an organisation, for usage by member. */
  readonly memberId?: string
  /** The account's order of providers for `:preferred`. */
  readonly preferredProviders?: readonly string[]
}

/** Says who pays: reads headers, or what the host's own middleware put on `request.host`. `undefined` is a 401. */
export type Authenticate = (request: GatewayRequest) => Principal | undefined | Promise<Principal | undefined>
