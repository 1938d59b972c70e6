import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { formatUsd } from '@farebox/core'
import type { AdapterCase } from './adapter-host.ts'
import { chat, streamedChat } from './questions.ts'
import { adapterCase } from './rig.ts'

const model = 'openai/gpt-oss-120b:together'

/** Streams arrive as they are made, whole, and end in a way that clients understand. */
export const streamCases: readonly AdapterCase[] = [
  adapterCase('passes the first chunk on before the second exists', {}, async (rig) => {
    rig.simulator.fault('together', { kind: 'stall', afterChunks: 1 })
    const exchange = rig.client.open(streamedChat({ model }))

    await exchange.reads('"content":"Simulated"')

    assert.equal(rig.simulator.activeRequests(), 1)
    exchange.leave()
    await rig.quiet()
  }),

  adapterCase('ends a whole stream with [DONE], once it is on the balance', {}, async (rig) => {
    const { text } = await rig.client.ask(streamedChat({ model, say: 7 }))

    assert.equal(contentEvents(text), 7)
    assert.ok(text.endsWith('data: [DONE]\n\n'))
    assert.doesNotMatch(text, /"usage":\{/)
    assert.equal(rig.receipts.length, 1)
    const receipt = await rig.onlyReceipt()
    assert.equal(receipt.charged, rig.simulator.served[0]?.costNanoUsd)
    assert.equal((await rig.balance()).charged, receipt.charged)
  }),

  adapterCase('shows usage with its cost to a caller who asks for it', {}, async (rig) => {
    const question = streamedChat({ model, stream_options: { include_usage: true } })
    const { text } = await rig.client.ask(question)

    const { cost } = await rig.onlyReceipt()
    assert.ok(text.includes(`"cost":"${formatUsd(cost)}"`), text.slice(-500))
  }),

  adapterCase('loses nothing to a caller who reads slowly', {}, async (rig) => {
    const exchange = rig.client.open(streamedChat({ model, say: 20_000 }))
    await exchange.head
    for (let pause = 0; pause < 5; pause += 1) {
      exchange.stall()
      await delay(20)
      exchange.resume()
      await delay(5)
    }
    await exchange.over()

    assert.ok(exchange.isComplete)
    assert.equal(contentEvents(exchange.text), 20_000)
    assert.ok(exchange.text.endsWith('data: [DONE]\n\n'))
  }),

  adapterCase('uses a connection again after a stream', {}, async ({ client }) => {
    await client.ask(streamedChat({ model }))
    await client.ask(streamedChat({ model }))
    assert.equal((await client.ask(chat())).status, 200)
    assert.equal(client.connections, 1)
  }),

  adapterCase(
    'ends a stream that its provider cut with an error, and uses the connection again',
    {},
    async (rig) => {
      rig.simulator.script('together', [{ kind: 'truncate', afterChunks: 3 }])
      const broken = await rig.client.ask(streamedChat({ model }))

      assert.equal(broken.status, 200)
      assert.equal(contentEvents(broken.text), 3)
      assert.doesNotMatch(broken.text, /\[DONE\]/)
      assert.match(broken.text, /\ndata: \{"error":\{"message":"[^"]+","type":"server_error".*\}\}\n\n$/)
      assert.equal((await rig.client.ask(streamedChat({ model }))).status, 200)
      assert.equal(rig.client.connections, 1)
    },
  ),
]

function contentEvents(text: string): number {
  return text.match(/"content":"[^"]/g)?.length ?? 0
}
