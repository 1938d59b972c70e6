import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AdapterCase } from './adapter-host.ts'
import { eventually } from './eventually.ts'
import { chat, streamedChat } from './questions.ts'
import { adapterCase } from './rig.ts'

const model = 'openai/gpt-oss-120b:together'

/** What an adapter keeps to that writes to Node's `ServerResponse` itself, beside other middleware that does the same. */
export const nodeReplyCases: readonly AdapterCase[] = [
  adapterCase(
    'asks compression middleware to let go of each chunk',
    { mount: { before: (_message, reply) => gather(reply) } },
    async (rig) => {
      rig.simulator.fault('together', { kind: 'stall', afterChunks: 1 })
      const exchange = rig.client.open(streamedChat({ model }))

      await exchange.reads('"content":"Simulated"')

      exchange.leave()
      await rig.quiet()
    },
  ),

  {
    name: 'stops the provider when the host has answered meanwhile',
    run(host) {
      let timeOut = () => {}
      const before = (_message: IncomingMessage, reply: ServerResponse) => {
        timeOut = () => answerLate(reply)
      }
      return adapterCase('', { mount: { before } }, async (rig) => {
        rig.simulator.fault('together', { kind: 'hang' })
        const asking = rig.client.ask(chat({ model }))
        await eventually('the provider is asked', () => rig.simulator.activeRequests() === 1)
        timeOut()
        const answer = await asking

        assert.equal(answer.status, 503)
        assert.equal(answer.headers['x-answered-by'], 'host')
        await rig.onlyReceipt()
        assert.equal((await rig.client.ask({ path: '/v1/models' })).status, 200)
      }).run(host)
    },
  },

  adapterCase(
    'drops a stream that comes after the host has answered',
    {
      mount: { before: (_message, reply) => void setTimeout(() => answerLate(reply), 20) },
      wrap: (gateway) => ({
        ...gateway,
        async handle(request) {
          const response = await gateway.handle(request)
          await eventually('the host has answered', () => request.signal.aborted)
          return response
        },
      }),
    },
    async (rig) => {
      rig.simulator.fault('together', { kind: 'stall', afterChunks: 1 })
      const answer = await rig.client.ask(streamedChat({ model }))

      assert.equal(answer.headers['x-answered-by'], 'host')
      await rig.onlyReceipt()
    },
  ),
]

/** Holds everything back until it is told to let go, as compression middleware does. */
function gather(reply: ServerResponse & { flush?: () => void }): void {
  const held: Uint8Array[] = []
  const write = reply.write.bind(reply)
  reply.write = ((chunk: Uint8Array) => {
    held.push(chunk)
    return true
  }) as typeof reply.write
  reply.flush = () => {
    for (const chunk of held.splice(0)) write(chunk)
  }
}

/** The time-out of a host. */
function answerLate(reply: ServerResponse): void {
  if (reply.headersSent) return
  reply.writeHead(503, { 'x-answered-by': 'host' }).end('The host has waited long enough.')
}
