import { type Cut, type Decision, isUnavailable } from '@farebox/core'
import { createClient } from 'redis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hasRedis, startRedis } from '../../testkit/src/servers/redis.ts'
import { hasSmallDisks, makeSmallDisk } from '../../testkit/src/servers/small-disk.ts'
import { redis } from './index.ts'

/** Adds one to the head, which takes a page. */
function grow(cut: Cut): Decision<number> {
  const { count } = (cut.head ?? { count: 0 }) as { readonly count: number }
  return { result: count + 1, write: { head: { count: count + 1, text: 'x'.repeat(4096) } } }
}

describe.skipIf(!hasRedis() || !hasSmallDisks())('a Redis whose disk is full', () => {
  it('is unavailable and says why, keeps all that was answered, and works again by itself when there is room', async () => {
    const disk = makeSmallDisk(8)
    onTestFinished(() => disk.remove())
    const server = await startRedis({ dir: disk.folder, appendonly: 'yes', appendfsync: 'everysec' })
    onTestFinished(() => server.stop())
    const client = createClient({ url: server.url })
    client.on('error', () => {})
    await client.connect()
    onTestFinished(() => client.destroy())
    const { ledger } = redis(client)
    let answered = await ledger.transact('alice', [], grow)
    const growUntilFailure = async (): Promise<unknown> => {
      for (let attempt = 0; attempt < 1000; attempt += 1) {
        try {
          answered = await ledger.transact('alice', [], grow)
        } catch (error) {
          return error
        }
      }
      return undefined
    }
    disk.fill()
    const failure = await growUntilFailure()
    expect(failure).toSatisfy(isUnavailable)
    expect(failure).toMatchObject({ message: 'Redis cannot write its data to the disk and takes no writes.' })

    disk.free()
    // The server tries once a second.
    await expect.poll(() => ledger.transact('alice', [], grow)).toBe(answered + 1)
    await server.crash()
    await server.start()
    await expect
      .poll(() => ledger.transact('alice', [], ({ head }) => ({ result: head })))
      .toMatchObject({ count: answered + 1 })
  })
})
