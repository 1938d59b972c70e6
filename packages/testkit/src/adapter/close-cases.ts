import assert from 'node:assert/strict'
import type { AdapterCase } from './adapter-host.ts'
import { chat, streamedChat } from './questions.ts'
import { adapterCase } from './rig.ts'

const model = 'openai/gpt-oss-120b:together'

/** Closing the gateway is no fault to anybody who is being served. */
export const closeCases: readonly AdapterCase[] = [
  adapterCase('closes only when a running stream has ended and is settled', {}, async (rig) => {
    rig.simulator.fault('together', { kind: 'slow', firstTokenMs: 0, tokenMs: 10 })
    const exchange = rig.client.open(streamedChat({ model, say: 20 }))
    await exchange.reads('"content"')
    assert.equal(rig.receipts.length, 0)

    await rig.gateway.close()

    assert.equal(rig.receipts.length, 1)
    assert.equal(rig.receipts[0]?.charged, rig.simulator.served[0]?.costNanoUsd)
    await exchange.over()
    assert.ok(exchange.isComplete)
    assert.ok(exchange.text.endsWith('data: [DONE]\n\n'))
  }),

  adapterCase('refuses new requests while it closes, and says when to come again', {}, async (rig) => {
    rig.simulator.fault('together', { kind: 'stall', afterChunks: 1 })
    const exchange = rig.client.open(streamedChat({ model }))
    await exchange.reads('"content"')

    const closed = rig.gateway.close()
    const answer = await rig.client.ask(chat({ model }))
    exchange.leave()
    await closed

    assert.equal(answer.status, 503)
    assert.equal(answer.headers['x-error-code'], 'gateway_closed')
    assert.equal(answer.headers['retry-after'], '1')
    assert.equal(rig.receipts.length, 1)
  }),

  adapterCase('finishes running streams when its host stops, and takes nobody new', {}, async (rig) => {
    rig.simulator.fault('together', { kind: 'slow', firstTokenMs: 0, tokenMs: 10 })
    const exchanges = Array.from({ length: 3 }, () => rig.client.open(streamedChat({ model, say: 20 })))
    await Promise.all(exchanges.map((exchange) => exchange.reads('"content"')))

    const stopped = rig.stop()
    await assert.rejects(rig.client.ask({ path: '/v1/models' }))
    for (const exchange of exchanges) await exchange.over()
    const startMs = performance.now()
    await stopped

    // Servers keep a connection for five seconds and more: nobody may have waited for that once the last stream was over.
    assert.ok(performance.now() - startMs < 3_000, 'the host still waits for connections')
    assert.equal(rig.receipts.length, 3)
    for (const exchange of exchanges) {
      assert.ok(exchange.isComplete)
      assert.ok(exchange.text.endsWith('data: [DONE]\n\n'))
    }
  }),
]
