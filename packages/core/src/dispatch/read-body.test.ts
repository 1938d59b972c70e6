import { describe, expect, it } from 'vitest'
import { ByteStream } from '../http/byte-stream.ts'
import { readBody } from './read-body.ts'

function source() {
  let cancels = 0
  const stream = new ByteStream({
    onResume: () => undefined,
    onCancel: () => {
      cancels += 1
    },
  })
  return { stream, cancels: () => cancels }
}

describe('readBody', () => {
  it('gives all of a stream, and an empty buffer for an empty one', async () => {
    const { stream } = source()
    stream.write(Buffer.from('a'))
    const reading = readBody(stream, 2)
    stream.write(Buffer.from('b'))
    stream.end()
    expect((await reading).toString()).toBe('ab')
    const empty = source()
    empty.stream.end()
    expect(await readBody(empty.stream, 0)).toHaveLength(0)
  })

  it('stops the source with the first byte beyond the bound', async () => {
    const { stream, cancels } = source()
    const reading = readBody(stream, 2)
    stream.write(Buffer.from('abc'))
    await expect(reading).rejects.toMatchObject({ name: 'BodyTooLargeError' })
    expect(cancels()).toBe(1)
  })

  it('fails as the stream does', async () => {
    const { stream } = source()
    const reading = readBody(stream, 2)
    stream.fail(new Error('broken'))
    await expect(reading).rejects.toThrow('broken')
  })
})
