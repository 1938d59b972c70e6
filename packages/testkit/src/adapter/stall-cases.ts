import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { ByteStream, type Transport } from '@farebox/core'
import type { AdapterCase } from './adapter-host.ts'
import { eventually } from './eventually.ts'
import { streamedChat } from './questions.ts'
import { openRawConnection, type RawConnection, rawRequest } from './raw-connection.ts'
import { adapterCase, expectNothingUnderWay } from './rig.ts'

const callers = 1_000

/** How many of them come together. */
const atOnce = 100

/** What lies between a provider and a caller who does not read: buffers of Node, and a piece that was on its way. */
const heldBytesMax = 256 * 1024

/** Where a source stops by itself that nobody has stopped: far beyond any buffer. */
const endlessBytes = 16 * heldBytesMax

const event = Buffer.from(
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'x'.repeat(4_000) } }] })}\n\n`,
)

/** Callers who ask for streams and never read them. */
export const stallCases: readonly AdapterCase[] = [
  {
    name: 'failure 23: takes in little for each of a thousand callers who never read, and settles all when they leave',
    run(host) {
      const sources = endlessSources()
      const rigCase = adapterCase(
        '',
        {
          // Held back in this process at once, instead of after the megabytes that the system's own buffers take.
          mount: { before: ({ socket }) => socket.cork() },
          gateway: { transport: sources.transport },
          providers: ['together'],
        },
        async (rig) => {
          const request = rawRequest(rig.url, streamedChat({ max_tokens: 100 }))
          const connections: RawConnection[] = []
          while (connections.length < callers) {
            for (let asked = 0; asked < atOnce; asked += 1) {
              const connection = openRawConnection(rig.url, { isReading: false })
              connection.send(request)
              connections.push(connection)
            }
            await eventually(
              'every stream stands still',
              () =>
                sources.all.length === connections.length && sources.all.every(({ isPaused }) => isPaused),
            )
          }
          const taken = sources.all.map(({ bytes }) => bytes)
          await delay(20)

          assert.deepEqual(
            sources.all.map(({ bytes }) => bytes),
            taken,
          )
          assert.ok(Math.max(...taken) <= heldBytesMax, `a caller holds ${Math.max(...taken)} bytes`)
          for (const connection of connections) connection.leave()

          await eventually('every stream is settled', () => rig.receipts.length === callers)
          assert.ok(sources.all.every(({ cancelled }) => cancelled === 1))
          assert.equal((await rig.balance()).held, 0n)
          await expectNothingUnderWay(rig)
        },
      )
      return rigCase.run(host)
    },
  },
]

interface EndlessSource {
  bytes: number
  isPaused: boolean
  cancelled: number
}

/** A provider without a network, whose streams go on as long as somebody takes them. */
function endlessSources(): { readonly all: readonly EndlessSource[]; readonly transport: Transport } {
  const all: EndlessSource[] = []
  return {
    all,
    transport: {
      async send() {
        const source: EndlessSource = { bytes: 0, isPaused: false, cancelled: 0 }
        all.push(source)
        const body = new ByteStream({
          onResume() {
            source.isPaused = false
            while (!source.isPaused && source.bytes < endlessBytes) {
              source.isPaused = !body.write(event)
              source.bytes += event.byteLength
            }
          },
          onCancel() {
            source.cancelled += 1
          },
        })
        return { status: 200, headers: { 'content-type': 'text/event-stream' }, body }
      },
      close: async () => undefined,
    },
  }
}
