import type { Operation } from '../http/routes.ts'
import type { Price, PriceTiers } from '../price.ts'
import type { PriceBound } from './bounds.ts'

/** One model at one provider, as data. */
export interface CatalogRow {
  readonly providerId: string
  /** The provider's own id of the model. */
  readonly providerModel: string
  /** The canonical id callers use. */
  readonly model: string
  readonly operation: Operation
  /** The list price. */
  readonly price: Price
  /** Where the price is another one: for long prompts, and in other service tiers. @default the list price for all */
  readonly tiers?: PriceTiers
  readonly limits?: TargetLimits
  readonly supports?: {
    readonly tools?: boolean
    readonly structuredOutput?: boolean
    readonly imageInput?: boolean
  }
  /** For models billed by the second: what they run on. */
  readonly hardware?: string
  /** Where the price was read, and the day. */
  readonly source: string
  readonly readOn: string
}

/** What bounds the cost of one request. */
export interface TargetLimits {
  /** Tokens of prompt and answer together. */
  readonly contextTokens?: number
  /** Tokens of one answer, or of one image that is priced by token. */
  readonly outputTokens?: number
  /** Tokens of one image in the prompt. @default 8192 */
  readonly imageInputTokens?: number
  /** Seconds one job may run; it is cancelled beyond. */
  readonly computeSeconds?: number
  /** Seconds of audio that the provider takes in one file. */
  readonly audioSeconds?: number
  /** Web searches the model may make for one answer, where they are priced. */
  readonly webSearches?: number
}

/** Something a request can be sent to: provider × model × price × limits. */
export interface Target extends CatalogRow {
  /** `provider/model`, unique in a catalog. */
  readonly targetId: string
  readonly limits: TargetLimits
  /** The version of the price book the price is from. */
  readonly priceVersion: string
  /** The dearest rates a request can meet. @default worked out from the price each time */
  readonly bounds?: readonly PriceBound[]
}

/** What was observed of a target, by this process. */
export interface TargetStats {
  /** Whether the circuit lets requests through. */
  readonly isHealthy: boolean
  /** Recent time to the first byte of an answer; `undefined` without recent history. */
  readonly firstTokenMs: number | undefined
  /** Recent output tokens per second; `undefined` without recent history. */
  readonly tokensPerSecond: number | undefined
}
