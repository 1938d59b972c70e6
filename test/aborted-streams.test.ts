import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Gateway, memoryStorage } from '@farebox/core'
import { type AdapterHost, type LeftStreams, leaveStreams } from '@farebox/testkit/adapter'
import { expect, it } from 'vitest'
import { expressHost } from './express-host.ts'

const program = fileURLToPath(new URL('../bench/aborted-streams.js', import.meta.url))

// The short form of `npm run soak:aborted`, in a process of its own: nothing else is counted there.
it('failure 23: 400 streams that their callers left leave no memory, socket, timer, place, hold or closed circuit behind', async () => {
  const args = ['--streams', '400', '--in-flight', '100', '--assert', '--json']
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args])
  const { wrong, before, after } = JSON.parse(stdout) as LeftStreams
  expect(wrong).toEqual([])
  expect(after).toMatchObject({ slots: 0, held: '0', timers: 0, status: before.status })
}, 120_000)

it.each([
  {
    what: 'memory',
    keep: () => Buffer.alloc(100_000),
    settleWithinMs: 10_000,
    found: /^the heap grew by \d+ bytes$/,
  },
  {
    what: 'a timer',
    keep: () => setTimeout(() => undefined, 600_000),
    // Waited for in vain. Everything else is gone by then.
    settleWithinMs: 500,
    found: /^\d+ Timeout instead of \d+$/,
  },
])('streams that leave $what behind are found out', async ({ keep, settleWithinMs, found }) => {
  const kept: unknown[] = []
  const { wrong } = await leaveStreams(
    behind(() => kept.push(keep())),
    {
      storage: memoryStorage(),
      streams: 100,
      inFlight: 25,
      heapGrowthBytesMax: 8_000_000,
      settleWithinMs,
    },
  )
  for (const what of kept) clearTimeout(what as NodeJS.Timeout)
  expect(wrong).toEqual([expect.stringMatching(found)])
})

/** Express before which something happens for each request. */
function behind(onRequest: () => void): AdapterHost {
  return {
    mount(gateway, options) {
      const watched: Gateway = {
        ...gateway,
        handle(request) {
          onRequest()
          return gateway.handle(request)
        },
      }
      return expressHost.mount(watched, options)
    },
  }
}
