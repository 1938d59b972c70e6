import { isGatewayError } from '../errors.ts'
import { ByteStream } from '../http/byte-stream.ts'
import { eventData, eventEnd } from '../http/sse.ts'
import { isObject } from './members.ts'
import { openaiErrorObject } from './openai-error.ts'

/**
 * Turns OpenAI's events of one stream into another dialect's. Each method gives what is to be written, as whole events; an empty
 * text writes nothing.
 */
export interface StreamTranslator {
  /**
   * One event of the stream, as parsed JSON.
   *
   * @throws GatewayError when the stream can not go on. It ends with that error, and the provider is not read any further.
   */
  event(event: Readonly<Record<string, unknown>>): string
  /** The `error` of an event: nothing but the end comes after it. */
  error(error: Readonly<Record<string, unknown>>): string
  /** The answer is whole, and settled. */
  done(): string
}

/** Characters that a translator may keep of one answer, for events that tell it again: more than any model writes. */
export const keptCharactersMax: number = 16 * 1024 * 1024

/**
 * A stream of OpenAI's events in another dialect. Every piece that is written to it holds whole events, which is how a metered
 * stream comes. Comments go through as they are: they keep connections open in every dialect.
 */
export function translatedStream(stream: ByteStream, translator: StreamTranslator): ByteStream {
  let isOver = false
  const translated = new ByteStream({
    onResume: () => stream.resume(),
    onCancel: () => stream.cancel(),
  })
  const translate = (event: Buffer): string => {
    const data = eventData(event)
    if (data === undefined) return event.toString('utf8')
    if (isOver) return ''
    if (data === '[DONE]') {
      isOver = true
      return translator.done()
    }
    const parsed = parse(data)
    if (parsed === undefined) return ''
    const { error } = parsed
    if (error === undefined || error === null) return translator.event(parsed)
    isOver = true
    return translator.error(isObject(error) ? error : { message: String(error) })
  }
  stream.pipe({
    write(chunk) {
      const events = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      let text = ''
      try {
        for (let at = 0; at < events.length; ) {
          const end = eventEnd(events, at)
          text += translate(events.subarray(at, end))
          at = end
        }
      } catch (error) {
        if (!isGatewayError(error)) throw error
        isOver = true
        translated.write(Buffer.from(text + translator.error(openaiErrorObject(error))))
        translated.end()
        stream.cancel()
        return true
      }
      return text === '' || translated.write(Buffer.from(text))
    },
    end: () => translated.end(),
    fail: (error) => translated.fail(error),
  })
  return translated
}

/** One event with a name, which some clients tell events apart by. */
export function encodeNamedEvent(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

/** What is not JSON is nobody's event. */
function parse(data: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(data)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
