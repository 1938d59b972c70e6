import { Agent, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import type { Socket } from 'node:net'
import { eventually } from './eventually.ts'

/** What a caller sends. */
export interface Question {
  /** @default POST with a body, else GET */
  readonly method?: string
  /** Below the mount: `/v1/chat/completions`. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Text and bytes go as they are, anything else as JSON. A list of pieces is sent chunked, without a length. */
  readonly body?: unknown
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The body as JSON. */
  json(): unknown
}

/** An exchange in the hands of the caller, who may stop reading or leave at any moment. */
export interface OpenExchange {
  /** Resolves when the head of the answer is there. Rejects when the connection broke before. */
  readonly head: Promise<IncomingMessage>
  /** Everything read so far. */
  readonly text: string
  /** Whether the answer came to its regular end. */
  readonly isComplete: boolean
  /** Whether the connection is gone. */
  readonly isGone: boolean
  /** Resolves when this has been read. */
  reads(part: string): Promise<void>
  /** Resolves when nothing more comes, regularly or not. */
  over(): Promise<void>
  /** Stops reading: the sender's buffers fill. */
  stall(): void
  resume(): void
  /** Sends more of a body that was left open. */
  send(piece: string): void
  /** Closes the connection at once. */
  leave(): void
}

/** A caller without the comforts of an HTTP library: it never repeats and sees every byte. */
export interface Client {
  ask(question: Question): Promise<Answer>
  /** Sends a question and leaves the answer to be read step by step. `isBodyOpen` leaves the body unfinished. */
  open(question: Question, options?: { readonly isBodyOpen?: boolean }): OpenExchange
  /** Connections made so far, to see whether they are used again. */
  readonly connections: number
  close(): void
}

/** A client of one base address, with connections that are kept open. */
export function createClient(baseUrl: string): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 1000 })
  const sockets = new WeakSet<Socket>()
  let connections = 0

  function start({ method, path, headers = {}, body }: Question): ClientRequest {
    const payload = payloadOf(body)
    const isWhole = typeof payload === 'string' || payload instanceof Uint8Array
    const length = isWhole ? { 'content-length': String(Buffer.byteLength(payload)) } : {}
    const outgoing = request(`${baseUrl}${path}`, {
      agent,
      method: method ?? (payload === undefined ? 'GET' : 'POST'),
      headers: { ...length, ...headers },
    })
    outgoing.on('socket', (socket) => {
      if (sockets.has(socket)) return
      sockets.add(socket)
      connections += 1
    })
    return outgoing
  }

  return {
    get connections() {
      return connections
    },
    ask(question) {
      return new Promise((resolve, reject) => {
        const outgoing = start(question)
        const isSent = new Promise<void>((sent) => outgoing.once('finish', sent))
        // Simple clients send everything before they read anything, and never see an answer when that fails.
        outgoing.once('response', (incoming) => {
          isSent.then(() => readAnswer(incoming)).then(resolve, reject)
        })
        outgoing.on('error', reject)
        sendBody(outgoing, question.body)
      })
    },
    open: (question, { isBodyOpen = false } = {}) => openExchange(start(question), question, isBodyOpen),
    close: () => agent.destroy(),
  }
}

function openExchange(outgoing: ClientRequest, { body }: Question, isBodyOpen: boolean): OpenExchange {
  const parts: Buffer[] = []
  let incoming: IncomingMessage | undefined
  let isGone = false
  outgoing.once('close', () => {
    isGone = true
  })
  const head = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on('error', reject)
    outgoing.once('response', (message) => {
      incoming = message
      message.on('data', (part: Buffer) => parts.push(part))
      message.on('error', () => undefined)
      message.once('close', () => {
        isGone = true
      })
      resolve(message)
    })
  })
  // Nobody has to look at the head of an answer that is cut on purpose.
  head.catch(() => undefined)
  if (isBodyOpen) outgoing.write(payloadOf(body))
  else sendBody(outgoing, body)
  const read = () => Buffer.concat(parts).toString('utf8')
  return {
    head,
    get text() {
      return read()
    },
    get isComplete() {
      return incoming?.complete === true
    },
    get isGone() {
      return isGone
    },
    reads: (part) => eventually(`the caller reads ${part}`, () => read().includes(part)),
    over: () => eventually('the answer is over', () => isGone),
    stall: () => incoming?.pause(),
    resume: () => incoming?.resume(),
    send: (piece) => void outgoing.write(piece),
    leave: () => void outgoing.destroy(),
  }
}

async function readAnswer(incoming: IncomingMessage): Promise<Answer> {
  const parts: Buffer[] = []
  for await (const part of incoming as AsyncIterable<Buffer>) parts.push(part)
  const text = Buffer.concat(parts).toString('utf8')
  const { statusCode = 0, headers } = incoming
  return { status: statusCode, headers, text, json: () => JSON.parse(text) }
}

function payloadOf(body: unknown): string | Uint8Array | readonly Uint8Array[] | undefined {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) return body
  return isPieces(body) ? body : JSON.stringify(body)
}

function isPieces(body: unknown): body is readonly Uint8Array[] {
  return Array.isArray(body) && body.every((piece) => piece instanceof Uint8Array)
}

function sendBody(outgoing: ClientRequest, body: unknown): void {
  const payload = payloadOf(body)
  if (typeof payload === 'string' || payload instanceof Uint8Array) {
    outgoing.end(payload)
    return
  }
  for (const piece of payload ?? []) outgoing.write(piece)
  outgoing.end()
}
