import type { ByteStream } from '../http/byte-stream.ts'

/** A body longer than its bound. */
export class BodyTooLargeError extends Error {
  override readonly name: string = 'BodyTooLargeError'
}

/**
 * All of a stream.
 *
 * @throws BodyTooLargeError beyond `bytesMax`, or the error the stream failed with.
 */
export function readBody(stream: ByteStream, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let length = 0
    stream.pipe({
      write(chunk) {
        length += chunk.byteLength
        if (length > bytesMax) {
          stream.cancel()
          reject(new BodyTooLargeError(`More than ${bytesMax} bytes.`))
          return true
        }
        chunks.push(chunk)
        return true
      },
      end: () => resolve(Buffer.concat(chunks)),
      fail: reject,
    })
  })
}
