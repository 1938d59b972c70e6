import { type AccountRoute, answerAccountRoute } from './accounts/account-routes.ts'
import type { AccountSetups } from './auth/account-documents.ts'
import { checkModel, isAllowed } from './auth/allowed-models.ts'
import { authenticatePayer, authenticateRequest } from './auth/authenticate.ts'
import type { Identify } from './auth/principal.ts'
import { listAnthropicModels, showAnthropicModel } from './catalog/anthropic-models.ts'
import type { Catalog } from './catalog/catalog.ts'
import { hubModel } from './catalog/hub-model.ts'
import { listModels, showModel } from './catalog/models-list.ts'
import type { Clock } from './clock.ts'
import { isAnthropicClient } from './dialects/anthropic-messages/anthropic-client.ts'
import { GatewayError } from './errors.ts'
import { type GatewayRequest, type GatewayResponse, header } from './http/exchange.ts'
import { readJsonBody } from './http/request-body.ts'
import { methodsOf, type Route } from './http/routes.ts'
import type { Ledger } from './ledger/ledger.ts'
import { handleInference } from './pipeline.ts'
import { jsonResponse } from './response.ts'
import type { Health } from './routing/health.ts'
import type { createStages } from './stages.ts'
import { countMessageTokens } from './token-count.ts'

/** Answers a request whose path is the gateway's, or rejects with the error to answer. */
export type Answer = (route: Route, requestId: string, request: GatewayRequest) => Promise<GatewayResponse>

export interface AnswerOptions {
  readonly authenticate: Identify
  readonly setups: AccountSetups
  readonly stagesOf: ReturnType<typeof createStages>
  readonly catalog: Catalog
  readonly stats: Health['stats']
  readonly ledger: Ledger
  readonly clock: Clock
  readonly requestBytesMax: number
}

/** What each route of the gateway answers: inference goes through the pipeline, the rest is read. */
export function createAnswer(options: AnswerOptions): Answer {
  const { authenticate, setups, catalog, stats, ledger, clock, requestBytesMax } = options

  async function answerModels(
    route: Extract<Route, { kind: 'models' | 'model' | 'hub-model' }>,
    requestId: string,
    request: GatewayRequest,
  ): Promise<GatewayResponse> {
    // The list is public, but a key that is sent must be good: clients use this call to check their key.
    const models = sendsKey(request) ? (await authenticateRequest(authenticate, request)).models : undefined
    const isShown = (model: string) => isAllowed(model, models)
    const isAnthropic = isAnthropicClient(request)
    if (route.kind === 'models') {
      const list = isAnthropic ? listAnthropicModels(catalog, isShown) : listModels(catalog, stats, isShown)
      return jsonResponse(requestId, list)
    }
    checkModel(route.model, models)
    const showListed = isAnthropic ? showAnthropicModel : showModel
    const show = route.kind === 'model' ? showListed : hubModel
    const model = show(catalog, route.model, stats)
    if (model !== undefined) return jsonResponse(requestId, model)
    throw new GatewayError('model_not_found', `The requested model '${route.model}' does not exist.`, {
      param: 'model',
    })
  }

  async function answerTokenCount(requestId: string, request: GatewayRequest): Promise<GatewayResponse> {
    await authenticateRequest(authenticate, request)
    const body = await readJsonBody(request.body, requestBytesMax)
    return jsonResponse(requestId, countMessageTokens(body, catalog))
  }

  async function answerAccount(
    route: AccountRoute,
    requestId: string,
    request: GatewayRequest,
  ): Promise<GatewayResponse> {
    const payer = await authenticatePayer(authenticate, setups, request)
    const { accountId } = payer
    const asked = { accountId, spender: payer, query: request.query, nowMs: clock.now() }
    return jsonResponse(requestId, await answerAccountRoute(ledger, route, asked))
  }

  return (route, requestId, request) => {
    const methods = methodsOf(route)
    if (!methods.includes(request.method)) {
      const message = `Use ${methods.join(' or ')} here, not ${request.method}.`
      throw new GatewayError('method_not_allowed', message, { headers: { allow: methods.join(', ') } })
    }
    switch (route.kind) {
      case 'inference':
        return handleInference(options.stagesOf(route.dialect), { requestId, request, route })
      case 'token-count':
        return answerTokenCount(requestId, request)
      case 'models':
      case 'model':
      case 'hub-model':
        return answerModels(route, requestId, request)
      case 'stored-response':
        throw new GatewayError(
          'response_not_found',
          'Nothing is stored here, so no response can be fetched, continued, cancelled or deleted.',
        )
      default:
        return answerAccount(route, requestId, request)
    }
  }
}

function sendsKey(request: GatewayRequest): boolean {
  return header(request, 'authorization') !== undefined || header(request, 'x-api-key') !== undefined
}
