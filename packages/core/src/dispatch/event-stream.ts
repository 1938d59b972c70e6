import { ByteStream } from '../http/byte-stream.ts'
import { scanObject } from '../http/json-object.ts'
import { eventData, eventEnd } from '../http/sse.ts'
import type { UpstreamRequest } from '../providers/provider.ts'
import { answerError, exchangeError, malformed } from './failure.ts'
import { type ReplyContext, readRefusal } from './whole-reply.ts'

/**
 * A stream whose first bytes are there and are not an error: until then another target may still serve, and nobody has
 * seen anything.
 */
export async function openStream(request: UpstreamRequest, context: ReplyContext): Promise<ByteStream> {
  const { attempt, clock, provider, transport, options } = context
  let response: Awaited<ReturnType<typeof transport.send>>
  try {
    response = await transport.send(request, options)
  } catch (error) {
    throw exchangeError(error)
  }
  const contentType = response.headers['content-type']
  if (
    response.status >= 300 ||
    (typeof contentType === 'string' && !contentType.startsWith('text/event-stream'))
  ) {
    throw await readRefusal(response, context)
  }
  const { first, stream } = await firstBytes(response.body)
  attempt.firstByteMs = clock.monotonicMs()
  const error = firstError(first)
  if (error === undefined) return stream
  stream.cancel()
  const answer = { status: response.status, headers: response.headers, body: error }
  throw answerError(answer, provider.classify(response.status, error), provider.id)
}

/** Waits for the first bytes without taking them away. */
function firstBytes(body: ByteStream): Promise<{ readonly first: Buffer; readonly stream: ByteStream }> {
  return new Promise((resolve, reject) => {
    const stream = new ByteStream({ onResume: () => body.resume(), onCancel: () => body.cancel() })
    let hasBegun = false
    body.pipe({
      write(chunk) {
        if (!hasBegun) {
          hasBegun = true
          resolve({ first: Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength), stream })
        }
        return stream.write(chunk)
      },
      end() {
        if (hasBegun) stream.end()
        else reject(malformed('ended the answer before its first byte'))
      },
      fail(error) {
        if (hasBegun) stream.fail(error)
        else reject(exchangeError(error))
      },
    })
  })
}

/** The error that a stream begins with, if it does. */
function firstError(first: Buffer): unknown {
  if (!first.includes('"error"')) return undefined
  const data = eventData(first.subarray(0, eventEnd(first, 0)))
  if (data === undefined) return undefined
  const object = scanObject(Buffer.from(data))
  if (object?.members.some((member) => member.name === 'error') !== true) return undefined
  try {
    const event = JSON.parse(data) as { error?: unknown }
    return event.error == null ? undefined : event
  } catch {
    return undefined
  }
}
