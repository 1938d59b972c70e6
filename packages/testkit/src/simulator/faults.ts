import {
  type Exchange,
  flush,
  type Headers,
  type Reply,
  send,
  sendJson,
  untilGone,
  write,
  writeApart,
} from './exchange.ts'
import type { ProviderName } from './price-list.ts'
import { splitOddly } from './stream.ts'

/**
 * What goes wrong with an answer. `afterChunks` counts the events that carry a token.
 *
 * Kinds that cannot happen to the answer at hand (a comment in a JSON body, a slow job at a chat provider) leave it normal.
 */
export type Fault =
  /** An HTTP error, by default in the provider's own shape. */
  | { readonly kind: 'status'; readonly status?: number; readonly body?: string; readonly headers?: Headers }
  /** The page of a content delivery network in front of the provider. */
  | { readonly kind: 'html'; readonly status?: number }
  /** The connection is reset before the response head. */
  | { readonly kind: 'reset' }
  /** No answer until the client leaves. */
  | { readonly kind: 'hang' }
  /** The connection closes inside the response head. */
  | { readonly kind: 'close-mid-headers' }
  /** Status 200 and no body. */
  | { readonly kind: 'empty' }
  /** Status 200 whose body, or first event, is an error. */
  | { readonly kind: 'error-in-200' }
  /** The socket is destroyed after some events, or in the middle of a body. */
  | { readonly kind: 'truncate'; readonly afterChunks?: number }
  /** A clean end without a finish chunk and without `[DONE]`, or of half a body. */
  | { readonly kind: 'end-early'; readonly afterChunks?: number }
  /** An error event in the middle of a stream. Without a stream the same as `error-in-200`. */
  | { readonly kind: 'error-event'; readonly afterChunks?: number }
  /** An event, or a body, that is not JSON. */
  | { readonly kind: 'malformed'; readonly afterChunks?: number }
  /** A beginning, then silence until the client leaves. */
  | { readonly kind: 'stall'; readonly afterChunks?: number }
  | { readonly kind: 'no-usage' }
  | { readonly kind: 'zero-usage' }
  | { readonly kind: 'usage-null' }
  /** The finish chunk twice and a chunk without choices, all with the same usage. */
  | { readonly kind: 'duplicate-usage' }
  | { readonly kind: 'slow'; readonly firstTokenMs?: number; readonly tokenMs?: number }
  /** Writes that end inside a UTF-8 character and inside a line; the text is not ASCII. */
  | { readonly kind: 'split' }
  | { readonly kind: 'crlf' }
  | { readonly kind: 'comments' }
  /** Generates until the client leaves. */
  | { readonly kind: 'never-ending' }
  /** A prediction that shows all output while it is processing and has no metrics, once. */
  | { readonly kind: 'output-before-metrics' }
  | { readonly kind: 'job-failed' }
  /** A prediction that this many polls find unfinished. */
  | { readonly kind: 'slow-job'; readonly polls?: number }

export type FaultKind = Fault['kind']

/** Kinds by name, with the parameter that the number in `sim/<kind>-<number>` stands for. */
const parameters: { readonly [kind in FaultKind]: string | undefined } = {
  status: 'status',
  html: 'status',
  reset: undefined,
  hang: undefined,
  'close-mid-headers': undefined,
  empty: undefined,
  'error-in-200': undefined,
  truncate: 'afterChunks',
  'end-early': 'afterChunks',
  'error-event': 'afterChunks',
  malformed: 'afterChunks',
  stall: 'afterChunks',
  'no-usage': undefined,
  'zero-usage': undefined,
  'usage-null': undefined,
  'duplicate-usage': undefined,
  slow: 'firstTokenMs',
  split: undefined,
  crlf: undefined,
  comments: undefined,
  'never-ending': undefined,
  'output-before-metrics': undefined,
  'job-failed': undefined,
  'slow-job': 'polls',
}

/** The fault a model name asks for: `sim/hang`, `sim/status-429`, `sim/no-usage-anything`. */
export function faultOfModel(model: unknown): Fault | undefined {
  if (typeof model !== 'string' || !model.startsWith('sim/')) return undefined
  const name = model.slice('sim/'.length)
  const kind = (Object.keys(parameters) as FaultKind[])
    .filter((candidate) => name === candidate || name.startsWith(`${candidate}-`))
    .toSorted((a, b) => b.length - a.length)[0]
  if (kind === undefined) return undefined
  const parameter = parameters[kind]
  const number = /^-(\d{1,9})$/.exec(name.slice(kind.length))?.[1]
  const isGiven = parameter !== undefined && number !== undefined
  return { kind, ...(isGiven ? { [parameter]: Number(number) } : {}) } as Fault
}

/** Which fault the next request of each provider meets. */
export interface FaultPlan {
  always(provider: ProviderName, fault: Fault | undefined): void
  script(provider: ProviderName, faults: readonly (Fault | undefined)[]): void
  /** Takes the next entry of the script; without a script, the fault set for every request. */
  next(provider: ProviderName): Fault | undefined
}

export function createFaultPlan(): FaultPlan {
  const standing = new Map<ProviderName, Fault>()
  const scripts = new Map<ProviderName, (Fault | undefined)[]>()
  return {
    always(provider, fault) {
      if (fault === undefined) standing.delete(provider)
      else standing.set(provider, fault)
    },
    script(provider, faults) {
      if (faults.length === 0) scripts.delete(provider)
      else scripts.set(provider, [...faults])
    },
    next(provider) {
      const script = scripts.get(provider)
      if (script === undefined) return standing.get(provider)
      const first = script.shift()
      if (script.length === 0) scripts.delete(provider)
      return first
    },
  }
}

/** How a provider words an HTTP error. */
export type Refuse = (status: number, message?: string) => Reply

/**
 * Plays the faults that come before anything is generated. Gives whether the request is now answered.
 *
 * `firstEvent` is the stream text of the provider's error, for a request that asked for a stream.
 */
export async function playBeforeAnswer(
  exchange: Exchange,
  fault: Fault | undefined,
  { refuse, firstEvent }: { refuse: Refuse; firstEvent?: string | undefined },
): Promise<boolean> {
  const { response } = exchange
  const contentType = firstEvent === undefined ? 'application/json' : 'text/event-stream'
  switch (fault?.kind) {
    case 'status': {
      const refusal = refuse(fault.status ?? 500)
      const headers = { ...refusal.headers, ...fault.headers }
      sendJson(exchange, { status: refusal.status, headers, body: fault.body ?? refusal.body })
      return true
    }
    case 'html':
      send(exchange, htmlPage(fault.status ?? 502))
      return true
    case 'reset':
      response.socket?.resetAndDestroy()
      return true
    case 'hang':
      await untilGone(exchange)
      return true
    case 'close-mid-headers':
      response.socket?.write('HTTP/1.1 200 OK\r\ncontent-type: applic')
      await flush(exchange)
      response.destroy()
      return true
    case 'empty':
      send(exchange, { status: 200, headers: { 'content-type': contentType }, body: '' })
      return true
    case 'error-event':
      if (firstEvent !== undefined) return false
      sendJson(exchange, { status: 200, body: refuse(500).body })
      return true
    case 'error-in-200':
      if (firstEvent === undefined) sendJson(exchange, { status: 200, body: refuse(500).body })
      else send(exchange, { status: 200, headers: { 'content-type': contentType }, body: firstEvent })
      return true
    default:
      return false
  }
}

/** Sends a finished JSON answer, spoiled when the fault is one that happens on the way. */
export async function deliver(exchange: Exchange, fault: Fault | undefined, reply: Reply): Promise<void> {
  const bytes = Buffer.from(reply.body)
  const half = bytes.subarray(0, Math.floor(bytes.length / 2))
  const { response } = exchange
  switch (fault?.kind) {
    case 'truncate':
    case 'stall':
      response.writeHead(reply.status, { ...jsonHeaders(reply), 'content-length': String(bytes.length) })
      await write(exchange, half)
      await flush(exchange)
      if (fault.kind === 'stall') await untilGone(exchange)
      response.destroy()
      return
    case 'end-early':
      sendJson(exchange, { ...reply, body: half })
      return
    case 'malformed':
      sendJson(exchange, { ...reply, body: `${half.toString('utf8')}<<<` })
      return
    case 'split':
      response.writeHead(reply.status, jsonHeaders(reply))
      await writeApart(exchange, splitOddly(bytes))
      response.end()
      return
    default:
      sendJson(exchange, reply)
  }
}

/** Usage as the fault lets the caller see it: undefined where the member is missing, null where it is null. */
export function shownUsage(usage: object, fault: Fault | undefined): object | null | undefined {
  switch (fault?.kind) {
    case 'no-usage':
      return undefined
    case 'usage-null':
      return null
    case 'zero-usage':
      return JSON.parse(
        JSON.stringify(usage, (_key, value: unknown) => (typeof value === 'number' ? 0 : value)),
      )
    default:
      return usage
  }
}

function jsonHeaders(reply: Reply): Headers {
  return { 'content-type': 'application/json', ...reply.headers }
}

function htmlPage(status: number): Reply {
  const body = `<html>\r\n<head><title>${status} Error</title></head>\r\n<body>\r\n<center><h1>${status} Error</h1></center>\r\n<hr><center>cdn</center>\r\n</body>\r\n</html>\r\n`
  return { status, headers: { 'content-type': 'text/html', server: 'cdn' }, body }
}
