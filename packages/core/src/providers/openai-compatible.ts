import { imageUnit } from '../catalog/image-unit.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { editObject, type JsonEdits } from '../http/json-object.ts'
import { encodeForm } from '../http/multipart.ts'
import type { UploadedFile } from '../http/request-body.ts'
import type { Operation } from '../http/routes.ts'
import { megapixels } from '../metering/estimate.ts'
import type { TokenConvention } from '../metering/partition.ts'
import { openaiConvention, openaiImageTokens, openaiTokens, type Reported } from '../metering/token-shapes.ts'
import { measure, type Quantities } from '../usage.ts'
import { costLookupOf } from './cost-lookup.ts'
import { hidingOf } from './hidden-key.ts'
import type { EncodeContext, Provider, UpstreamRequest, Verdict } from './provider.ts'
import { baseOf, checkKey } from './settings.ts'

/** What every provider is configured with. */
export interface ProviderOptions {
  /** The key the gateway pays with. Requests are sent without one when it is absent. */
  readonly apiKey?: string | undefined
  /** Another address than the provider's own, such as a proxy or a simulator. */
  readonly baseUrl?: string | undefined
  /** Where the provider tells costs afterwards, if it offers that. Used to resolve requests whose process died. */
  readonly costUrl?: string | undefined
  /**
   * Costs come from `costUrl` only: the provider prices requests after it has served them. Until it has told a cost, a
   * request is settled provisionally. @default what a reply reports is priced at once
   */
  readonly settles?: 'afterwards' | undefined
}

export interface OpenAICompatibleOptions extends ProviderOptions {
  readonly id: string
  readonly baseUrl: string
  /** @default chat only */
  readonly operations?: readonly Operation[]
  readonly quirks?: Quirks
}

/** Where a provider differs from OpenAI. */
export interface Quirks {
  /** What the bound on output tokens is called. @default 'max_tokens' */
  readonly outputBound?: 'max_tokens' | 'max_completion_tokens'
  /** Members the provider refuses: left out. */
  readonly drop?: readonly string[]
  /** Streams carry usage without being asked, and asking is refused or pointless. @default false */
  readonly alwaysTellsUsage?: boolean
  /** How transcriptions are asked for, so that the reply says how long the audio was. @default 'verbose_json' */
  readonly transcriptionFormat?: 'json' | 'verbose_json'
  /** Further members to write differently, as JSON text, or `undefined` to leave out. */
  readonly rewrite?: (call: InferenceCall) => JsonEdits
  /** Where tokens are counted otherwise than at OpenAI. @default cached ones inside the prompt, reasoning as the total says */
  readonly tokens?: Partial<TokenConvention>
  /** Error codes that mean this provider is too strict, not that the request is wrong. */
  readonly fallbackCodes?: readonly string[]
}

const paths: Readonly<Record<Operation, string>> = {
  chat: 'chat/completions',
  embeddings: 'embeddings',
  completions: 'completions',
  images: 'images/generations',
  moderations: 'moderations',
  speech: 'audio/speech',
  transcriptions: 'audio/transcriptions',
}

/**
 * A provider that speaks OpenAI's API, which most do.
 *
 * @throws RangeError for an address, a key or an operation that is none, naming the option.
 */
export function openaiCompatible(options: OpenAICompatibleOptions): Provider {
  const { id, quirks = {}, operations = ['chat'] } = options
  const base = baseOf(options.baseUrl, `${id}: baseUrl`)
  checkKey(options.apiKey, `${id}: apiKey`)
  const unknown = operations.find((operation) => !Object.hasOwn(paths, operation))
  if (unknown !== undefined) {
    const known = Object.keys(paths).join(', ')
    throw new RangeError(`${id}: operations: there is no operation "${unknown}". There are: ${known}.`)
  }
  const urls = new Map(operations.map((operation) => [operation, new URL(paths[operation], base)]))
  const headers = {
    accept: 'application/json',
    'content-type': 'application/json',
    ...(options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` }),
  }
  // Copied in a loop, because spreading and then adding a member takes several times as long.
  const headersOf = (attemptId: string) => {
    const sent: Record<string, string> = { 'x-request-id': attemptId }
    for (const name in headers) sent[name] = headers[name as keyof typeof headers] ?? ''
    return sent
  }
  const convention = { ...openaiConvention, ...quirks.tokens }
  const provider: Provider = {
    id,
    operations: new Set(operations),
    encode(call, context) {
      const url = urls.get(call.operation)
      if (url === undefined) throw new RangeError(`${id} does not do ${call.operation}.`)
      const sent = headersOf(context.attemptId)
      if (call.body.file !== undefined)
        return encodeUpload(call, call.body.file, { context, quirks, url, headers: sent })
      return { method: 'POST', url, headers: sent, body: encodeBody(call, context, quirks) }
    },
    usage: (reply, call) => readUsage(reply, call, convention),
    serviceTier: readServiceTier,
    classify: (status, body) => classify(status, body, quirks.fallbackCodes ?? []),
    ...hidingOf(options.apiKey),
    withKey: (apiKey) => openaiCompatible({ ...options, apiKey }),
  }
  const costs = costLookupOf(id, options, headers)
  return costs === undefined ? provider : { ...provider, costs }
}

/** Writes the caller's body with the few members changed that routing and money need. */
function encodeBody(call: InferenceCall, context: EncodeContext, quirks: Quirks): string | Uint8Array {
  const edits = bodyEdits(call, context, quirks)
  if (quirks.rewrite !== undefined) Object.assign(edits, quirks.rewrite(call))
  const { source, value } = call.body
  if (source !== undefined) return editObject(source.bytes, source.object, edits)
  const edited: Record<string, unknown> = { ...value }
  for (const [name, text] of Object.entries(edits)) {
    if (text === undefined) delete edited[name]
    else edited[name] = JSON.parse(text)
  }
  return JSON.stringify(edited)
}

/** Writes a form with the caller's fields and file. */
function encodeUpload(
  call: InferenceCall,
  file: UploadedFile,
  upload: {
    readonly context: EncodeContext
    readonly quirks: Quirks
    readonly url: URL
    readonly headers: Readonly<Record<string, string>>
  },
): UpstreamRequest {
  const { context, quirks, url } = upload
  const fields: Record<string, unknown> = { ...call.body.value, model: context.target.providerModel }
  for (const name of quirks.drop ?? []) delete fields[name]
  // Texts and subtitles do not tell how long the audio was; the dialect makes them of this.
  if (fields['response_format'] !== 'verbose_json')
    fields['response_format'] = quirks.transcriptionFormat ?? 'verbose_json'
  const { contentType, body } = encodeForm(fields, file, `farebox-${context.attemptId}`)
  return { method: 'POST', url, headers: { ...upload.headers, 'content-type': contentType }, body }
}

/** Members that are written by the gateway, or whose price is not in the list: never passed on as they came. */
const ownChatMembers = ['service_tier', 'max_tokens', 'max_completion_tokens', 'stream_options']

function bodyEdits(
  call: InferenceCall,
  context: EncodeContext,
  quirks: Quirks,
): Record<string, string | undefined> {
  const { value } = call.body
  const edits: Record<string, string | undefined> = { model: JSON.stringify(context.target.providerModel) }
  for (const name of quirks.drop ?? []) if (name in value) edits[name] = undefined
  if (call.operation !== 'chat' && call.operation !== 'completions') return edits
  for (const name of ownChatMembers) if (name in value) edits[name] = undefined
  const outputTokens = context.outputTokens ?? call.outputTokensMax
  const bound = call.operation === 'chat' ? quirks.outputBound : undefined
  if (outputTokens !== undefined) edits[bound ?? 'max_tokens'] = String(outputTokens)
  // Only targets with a price for the tier are asked for it.
  if (call.serviceTier !== undefined) edits['service_tier'] = JSON.stringify(call.serviceTier)
  if (call.isStreaming && quirks.alwaysTellsUsage !== true) {
    const asked = value['stream_options']
    const isPlain = asked === undefined || asked === null
    edits['stream_options'] = isPlain
      ? '{"include_usage":true}'
      : JSON.stringify({ ...asked, include_usage: true })
  }
  return edits
}

/** Reads OpenAI's usage and the variants of it. */
function readUsage(reply: unknown, call: InferenceCall, convention: TokenConvention): Quantities | undefined {
  const { usage, duration } = (reply ?? {}) as { readonly [name: string]: Reported }
  switch (call.operation) {
    case 'images':
      return readImages(reply, call)
    case 'speech':
      return call.characters === undefined ? undefined : { character: BigInt(call.characters) }
    case 'moderations':
      return { request: 1n, ...openaiTokens(usage, convention) }
    case 'transcriptions': {
      const seconds = measure(usage?.['seconds']) ?? measure(duration)
      return seconds === undefined ? undefined : { audio_second: seconds }
    }
    default:
      return openaiTokens(usage, convention)
  }
}

/** Images are counted, measured in pixels, and told in tokens by models that are priced so: a price names what counts. */
function readImages(reply: unknown, call: InferenceCall): Quantities | undefined {
  const { data, usage, size, quality } = (reply ?? {}) as { readonly [name: string]: unknown }
  if (!Array.isArray(data)) return undefined
  const images = BigInt(data.length)
  const sized = imageUnit(call, { size, quality })
  return {
    output_image: images,
    ...(sized === undefined ? undefined : { [sized]: images }),
    megapixel: megapixels({ ...call, choices: data.length }),
    ...openaiImageTokens(usage as Reported),
  }
}

/** The tier that was really served: asked for or not, it decides the price. */
function readServiceTier(reply: unknown): string | undefined {
  const told = (reply as { readonly service_tier?: unknown } | undefined)?.service_tier
  // A longer word is none, and would be on the receipt.
  return typeof told === 'string' && told.length <= 64 ? told.toLowerCase() : undefined
}

/** Errors come wrapped in `error`, flat, or as text; what they blame decides, not who answers. */
function classify(status: number, body: unknown, fallbackCodes: readonly string[]): Verdict {
  const error = errorOf(body)
  const message = typeof error?.['message'] === 'string' ? error['message'] : undefined
  const code = typeof error?.['code'] === 'string' ? error['code'] : undefined
  const param = typeof error?.['param'] === 'string' ? error['param'] : undefined
  const isContextTooLong =
    code === 'context_length_exceeded' ||
    (status >= 400 &&
      status < 500 &&
      /context length|context window|maximum context|too long|too many tokens in/i.test(message ?? ''))
  const isCallersFault =
    status === 400 || status === 413 || status === 422 || (status === 403 && isContextTooLong)
  const isTooStrict = code !== undefined && fallbackCodes.includes(code)
  return {
    action: isCallersFault && !isTooStrict ? 'fatal' : 'fallback',
    message,
    code,
    param,
    isContextTooLong: isCallersFault && isContextTooLong,
  }
}

function errorOf(body: unknown): Reported {
  if (typeof body !== 'object' || body === null) return undefined
  const { error } = body as { error?: unknown }
  if (typeof error === 'string') return { message: error }
  return (typeof error === 'object' && error !== null ? error : body) as Reported
}
