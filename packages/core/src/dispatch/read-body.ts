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
      end: () => resolve(join(chunks)),
      fail: reject,
    })
  })
}

/** Most answers arrive in one piece, which needs no copy. */
function join(chunks: readonly Uint8Array[]): Buffer {
  const [first] = chunks
  if (chunks.length !== 1 || first === undefined) return Buffer.concat(chunks)
  return Buffer.from(first.buffer, first.byteOffset, first.byteLength)
}
