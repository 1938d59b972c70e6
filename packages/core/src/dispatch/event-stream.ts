import { ByteStream } from '../http/byte-stream.ts'
import { scanObject } from '../http/json-object.ts'
import { eventData, eventEnd, lastEventEnd } from '../http/sse.ts'
import type { UpstreamRequest } from '../providers/provider.ts'
import { exchangeError, malformed } from './failure.ts'
import { TransportError } from './transport.ts'
import { type ReplyContext, readRefusal, refusal } from './whole-reply.ts'

/** Bytes in which an event without an end is waited for; they are then handed on as they are. */
const firstEventBytesMax = 64 * 1024

/**
 * A stream whose first event is there and is not an error: until then another target may still serve, and nobody has seen
 * anything.
 */
export async function openStream(request: UpstreamRequest, context: ReplyContext): Promise<ByteStream> {
  const { attempt, clock, transport, options } = context
  let response: Awaited<ReturnType<typeof transport.send>>
  try {
    response = await transport.send(request, options)
  } catch (error) {
    throw exchangeError(error)
  }
  const contentType = response.headers['content-type']
  if (
    response.status >= 300 ||
    (typeof contentType === 'string' && !/^text\/event-stream/i.test(contentType))
  ) {
    throw await readRefusal(response, context)
  }
  const { first, stream } = await firstEvent(response.body, context)
  attempt.firstByteMs = clock.monotonicMs()
  const error = firstError(first)
  if (error === undefined) return stream
  stream.cancel()
  const answer = { status: response.status, headers: response.headers, body: error }
  throw refusal(answer, context)
}

/** Waits for the first whole event without taking it away. Its head alone does not mean that a stream has begun. */
function firstEvent(
  body: ByteStream,
  { attempt, clock, options }: ReplyContext,
): Promise<{ readonly first: Buffer; readonly stream: ByteStream }> {
  return new Promise((resolve, reject) => {
    const stream = new ByteStream({ onResume: () => body.resume(), onCancel: () => body.cancel() })
    let gathered: Buffer | undefined
    let hasBegun = false
    const begin = (first: Buffer) => {
      hasBegun = true
      stopWaiting()
      resolve({ first, stream })
      return stream.write(first)
    }
    const giveUp = (error: Error) => {
      stopWaiting()
      reject(error)
    }
    const waitedMs = clock.monotonicMs() - attempt.startedMs
    const stopWaiting = clock.after(Math.max(0, options.headersTimeoutMs - waitedMs), () => {
      body.cancel()
      reject(exchangeError(new TransportError('timeout', undefined)))
    })
    body.pipe({
      write(chunk) {
        if (hasBegun) return stream.write(chunk)
        gathered =
          gathered === undefined
            ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
            : Buffer.concat([gathered, chunk])
        if (lastEventEnd(gathered) === 0 && gathered.length < firstEventBytesMax) return true
        return begin(gathered)
      },
      end() {
        if (!hasBegun && gathered !== undefined) begin(gathered)
        if (hasBegun) stream.end()
        else giveUp(malformed('ended the answer before its first byte'))
      },
      fail(error) {
        if (hasBegun) stream.fail(error)
        else giveUp(exchangeError(error))
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
