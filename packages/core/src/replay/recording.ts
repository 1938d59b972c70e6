import { ByteStream } from '../http/byte-stream.ts'

export interface RecordingOptions {
  /** More than this is passed on and not kept. */
  readonly bytesMax: number
  /** Called once, before the reader hears of the end. Gets everything, or `undefined` when it was too much. Never rejects. */
  readonly onOver: (bytes: Buffer | undefined) => Promise<void>
}

/**
 * The same stream, and a copy of it for those who ask again. A reader who leaves does not end it: the request was made to
 * be answered once, and its answer is what a repeat of it gets.
 */
export function recorded(source: ByteStream, { bytesMax, onOver }: RecordingOptions): ByteStream {
  let pieces: Uint8Array[] | undefined = []
  let length = 0
  let hasReader = true
  const passed = new ByteStream({
    onResume: () => source.resume(),
    onCancel() {
      hasReader = false
      if (pieces === undefined) source.cancel()
      else source.resume()
    },
  })
  const finish = async (tell: () => void) => {
    await onOver(pieces === undefined ? undefined : Buffer.concat(pieces))
    tell()
  }
  source.pipe({
    write(chunk) {
      length += chunk.byteLength
      if (length > bytesMax) pieces = undefined
      pieces?.push(chunk)
      if (pieces === undefined && !hasReader) source.cancel()
      // While it is kept it is read at the provider's pace: it has to be in memory anyway.
      const hasRoom = passed.write(chunk)
      return pieces !== undefined || hasRoom
    },
    end: () => void finish(() => passed.end()),
    fail: (error) => void finish(() => passed.fail(error)),
  })
  return passed
}
