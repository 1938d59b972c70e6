import type { Admission } from './admission/admit.ts'
import type { Payer } from './auth/payer.ts'
import type { Target } from './catalog/target.ts'
import type { InferenceCall } from './dialects/inference-call.ts'
import type { Upstream } from './dispatch/upstream.ts'
import type { GatewayRequest, GatewayResponse } from './http/exchange.ts'
import type { InferenceRoute } from './http/routes.ts'
import type { Receipt } from './ledger/receipt.ts'
import type { Attempt } from './metering/attempt.ts'
import type { Metered } from './response.ts'

/** One inference request on its way through the gateway. */
export interface Exchange {
  readonly requestId: string
  readonly request: GatewayRequest
  /** What its path asks for. */
  readonly route: InferenceRoute
  /** Told when it fails and its reservation could not be ended: nobody knows yet whether it will be charged. */
  readonly onUnsettled?: () => void
}

/** The verbs. Each one's result is the next one's argument. */
export interface Stages {
  /** Who pays. */
  authenticate(exchange: Exchange): Promise<Payer>
  /** What is asked. */
  parse(exchange: Exchange): Promise<InferenceCall>
  /** Where it could run. */
  candidates(call: InferenceCall, payer: Payer): readonly Target[]
  /** How much is held; refuses what cannot be paid. */
  admit(
    exchange: Exchange,
    payer: Payer,
    call: InferenceCall,
    candidates: readonly Target[],
  ): Promise<Admission>
  /** In which order targets are tried. */
  route(admission: Admission, payer: Payer): readonly Target[]
  /** Gets an answer, from the first target that can give one. */
  dispatch(
    exchange: Exchange,
    admission: Admission,
    targets: readonly Target[],
    attempts: Attempt[],
  ): Promise<Upstream>
  /** Finds out what was used, now or as the stream ends, and then settles. */
  meter(
    exchange: Exchange,
    admission: Admission,
    upstream: Upstream,
    settle: () => Promise<Receipt | undefined>,
  ): Promise<Metered>
  /** Ends the reservation: charges what was served, gives the rest back. */
  settle(admission: Admission, attempts: readonly Attempt[]): Promise<Receipt | undefined>
  respond(admission: Admission, metered: Metered): GatewayResponse
  /**
   * Runs a request that may be sent again, or gives the answer of the first: by an `Idempotency-Key`, or where the SDK that
   * sends it counts its tries.
   */
  once(
    exchange: Exchange,
    payer: Payer,
    call: InferenceCall,
    run: (exchange: Exchange) => Promise<GatewayResponse>,
  ): Promise<GatewayResponse>
}

/** One request, from who pays to what is answered. The only place that knows the order. */
export async function handleInference(stages: Stages, exchange: Exchange): Promise<GatewayResponse> {
  const payer = await stages.authenticate(exchange)
  const call = await stages.parse(exchange)
  const { headers } = exchange.request
  if (headers['idempotency-key'] === undefined && headers['x-stainless-retry-count'] === undefined)
    return await infer(stages, exchange, payer, call)
  return stages.once(exchange, payer, call, (first) => infer(stages, first, payer, call))
}

async function infer(
  stages: Stages,
  exchange: Exchange,
  payer: Payer,
  call: InferenceCall,
): Promise<GatewayResponse> {
  const candidates = stages.candidates(call, payer)
  const admission = await stages.admit(exchange, payer, call, candidates)
  const attempts: Attempt[] = []
  const settle = once(() => stages.settle(admission, attempts))
  try {
    const targets = stages.route(admission, payer)
    const upstream = await stages.dispatch(exchange, admission, targets, attempts)
    const metered = await stages.meter(exchange, admission, upstream, settle)
    return stages.respond(admission, metered)
  } catch (error) {
    // Whatever went wrong, the reservation ends: without a billable attempt, by giving everything back.
    if ((await settle()) === undefined) exchange.onUnsettled?.()
    throw error
  }
}

function once<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  return () => {
    running ??= run()
    return running
  }
}
