import { isUtf8 } from 'node:buffer'
import { GatewayError } from '../errors.ts'
import type { RequestBody } from './exchange.ts'
import { type JsonObject, scanObject } from './json-object.ts'

/** A request body that is a JSON object, or a form that reads like one. */
export interface JsonBody {
  readonly value: Readonly<Record<string, unknown>>
  /** The caller's own bytes and where their members are; absent when the host's parser has consumed them. */
  readonly source: { readonly bytes: Buffer; readonly object: JsonObject } | undefined
  /** Length as UTF-8 JSON, without the file. */
  readonly byteLength: number
  /** What came beside it, in a form. */
  readonly file?: UploadedFile
}

export interface UploadedFile {
  /** As the caller named it, without a path. */
  readonly name: string
  readonly contentType: string
  readonly bytes: Buffer
}

/** Deeper than any real request; parsers of providers refuse or crash beyond. */
const depthMax = 64

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf])

/**
 * Reads a body as a JSON object.
 *
 * @throws GatewayError `request_too_large`, `invalid_json`, `invalid_request` (not an object), `body_already_read`.
 */
export async function readJsonBody(body: RequestBody, bytesMax: number): Promise<JsonBody> {
  if (body.kind === 'drained') throw alreadyRead()
  if (body.kind === 'parsed') return fromValue(body.value, bytesMax)
  const read = await body.read(bytesMax)
  return fromBytes(Buffer.from(read.buffer, read.byteOffset, read.byteLength))
}

/**
 * Reads a body as it is.
 *
 * @throws GatewayError `request_too_large`, and `body_already_read` also where a parser of the host has made a value of it.
 */
export async function readBytes(body: RequestBody, bytesMax: number): Promise<Buffer> {
  if (body.kind === 'unread') {
    const read = await body.read(bytesMax)
    return Buffer.from(read.buffer, read.byteOffset, read.byteLength)
  }
  if (body.kind === 'drained' || !Buffer.isBuffer(body.value)) throw alreadyRead()
  if (body.value.byteLength > bytesMax) throw tooLarge(bytesMax)
  return body.value
}

function alreadyRead(): GatewayError {
  return new GatewayError(
    'body_already_read',
    'The request body was read before it reached the gateway. Mount the gateway before other body parsers, or use a JSON parser.',
  )
}

/** A body that was made of another one. */
export function jsonBodyOf(value: Readonly<Record<string, unknown>>): JsonBody {
  const bytes = Buffer.from(JSON.stringify(value))
  const object = scanObject(bytes)
  return { value, source: object && { bytes, object }, byteLength: bytes.length }
}

function fromValue(value: unknown, bytesMax: number): JsonBody {
  if (typeof value === 'string') return fromValue(Buffer.from(value), bytesMax)
  if (Buffer.isBuffer(value)) {
    if (value.byteLength > bytesMax) throw tooLarge(bytesMax)
    return fromBytes(value)
  }
  if (!isObject(value)) throw notAnObject()
  if (isDeeperThan(value, depthMax)) throw tooDeep()
  const byteLength = Buffer.byteLength(JSON.stringify(value))
  if (byteLength > bytesMax) throw tooLarge(bytesMax)
  return { value, source: undefined, byteLength }
}

function fromBytes(raw: Buffer): JsonBody {
  const bytes = raw.subarray(0, 3).equals(byteOrderMark) ? raw.subarray(3) : raw
  if (bytes.length === 0)
    throw new GatewayError('invalid_json', 'The request body is empty. Send a JSON object.')
  if (!isUtf8(bytes)) throw new GatewayError('invalid_json', 'The request body is not valid UTF-8.')
  // Scanned before it is parsed: millions of levels take a parser seconds, and nothing else runs meanwhile.
  const object = scanObject(bytes)
  if (object === undefined ? isOpenedDeeperThan(bytes, depthMax) : object.depth > depthMax) throw tooDeep()
  const value = parse(bytes.toString('utf8'))
  if (!isObject(value) || object === undefined) throw notAnObject()
  return { value, source: object.isPlain ? { bytes, object } : undefined, byteLength: bytes.length }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const where = cause instanceof SyntaxError ? /position \d+/.exec(cause.message)?.[0] : undefined
    const place = where === undefined ? '' : ` (at ${where})`
    throw new GatewayError('invalid_json', `The request body is not valid JSON${place}.`, { cause })
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  return Object.values(value).some((member) => isDeeperThan(member, levels - 1))
}

/** Whether brackets open this many levels in text that may be cut off, or no object. */
function isOpenedDeeperThan(bytes: Buffer, levels: number): boolean {
  let open = 0
  let isString = false
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at]
    if (byte === 0x22) isString = !isString
    else if (isString) at += byte === 0x5c ? 1 : 0
    else if (byte === 0x7b || byte === 0x5b) open += 1
    else if (byte === 0x7d || byte === 0x5d) open -= 1
    if (open > levels) return true
  }
  return false
}

function notAnObject(): GatewayError {
  return new GatewayError('invalid_request', 'The request body must be a JSON object.')
}

function tooDeep(): GatewayError {
  return new GatewayError('invalid_json', `The request body is nested deeper than ${depthMax} levels.`)
}

export function tooLarge(bytesMax: number): GatewayError {
  return new GatewayError('request_too_large', `The request body is larger than ${bytesMax} bytes.`, {
    facts: { bytes_max: bytesMax },
  })
}
