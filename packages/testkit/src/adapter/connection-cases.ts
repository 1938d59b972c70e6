import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { AdapterCase } from './adapter-host.ts'
import { eventually } from './eventually.ts'
import type { Question } from './http-client.ts'
import { chat, streamedChat } from './questions.ts'
import { openRawConnection, rawRequest } from './raw-connection.ts'
import { adapterCase, expectNothingUnderWay } from './rig.ts'

const model = 'openai/gpt-oss-120b:together'

/** What callers may do with a connection besides sending one request and reading its answer. */
export const connectionCases: readonly AdapterCase[] = [
  adapterCase('answers requests that were sent at once in their order', {}, async (rig) => {
    const connection = openRawConnection(rig.url)
    const questions = [streamedChat({ model, say: 7 }), chat({ model, say: 3 }), { path: '/v1/models' }]
    connection.send(questions.map((question) => rawRequest(rig.url, question)).join(''))

    await connection.reads('"object":"list"')

    const places = ['data: [DONE]', '"object":"chat.completion"', '"object":"list"'].map((part) =>
      connection.text.indexOf(part),
    )
    assert.ok(places.every((place) => place > 0))
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    )
    assert.equal(connection.text.match(/HTTP\/1\.1 200 OK/g)?.length, 3)
    connection.leave()
    await rig.quiet()
    const charged = rig.receipts.map((receipt) => receipt.charged).toSorted()
    assert.deepEqual(charged, rig.simulator.served.map(({ costNanoUsd }) => costNanoUsd).toSorted())
  }),

  adapterCase('stops also those streams of a caller who leaves whose turn had not come', {}, async (rig) => {
    rig.simulator.fault('together', { kind: 'stall', afterChunks: 1 })
    const connection = openRawConnection(rig.url)
    const requests = Array.from({ length: 3 }, () => rawRequest(rig.url, streamedChat({ model })))
    connection.send(requests.join(''))
    await connection.reads('"content"')
    await eventually('all are with the provider', () => rig.simulator.activeRequests() === 3)
    connection.leave()

    await rig.quiet()
    assert.equal(rig.receipts.length, 3)
    await expectNothingUnderWay(rig)
  }),

  adapterCase(
    'forgets a request whose caller left while the host was at work and its turn had not come',
    {
      mount: {
        async before(message) {
          if (message.url?.endsWith('?late')) {
            await eventually('the caller has left', () => message.socket.destroyed)
          }
        },
      },
    },
    async (rig) => {
      rig.simulator.fault('together', { kind: 'stall', afterChunks: 1 })
      const connection = openRawConnection(rig.url)
      const first = streamedChat({ model })
      const late = { ...first, path: `${first.path}?late` }
      connection.send(rawRequest(rig.url, first) + rawRequest(rig.url, late))
      await connection.reads('"content"')
      connection.leave()

      await rig.onlyReceipt()
      await delay(50)
      assert.equal(rig.seen, 1)
      await expectNothingUnderWay(rig)
    },
  ),

  adapterCase('takes a caller who ends their half of the connection for one who left', {}, async (rig) => {
    rig.simulator.fault('together', { kind: 'stall', afterChunks: 1 })
    const connection = openRawConnection(rig.url)
    connection.send(rawRequest(rig.url, streamedChat({ model })))
    await connection.reads('"content"')
    connection.endSending()

    assert.equal((await rig.onlyReceipt()).attempts[0]?.outcome, 'aborted')
    await connection.over()
  }),

  adapterCase('streams to a caller of HTTP/1.0 until the connection closes', {}, async (rig) => {
    const connection = openRawConnection(rig.url)
    connection.send(rawRequest(rig.url, streamedChat({ model, say: 4 }), { version: '1.0' }))
    await connection.over()

    assert.match(connection.text, /^HTTP\/1\.1 200 OK\r\n/)
    assert.doesNotMatch(connection.text, /transfer-encoding/i)
    assert.ok(connection.text.endsWith('data: [DONE]\n\n'))
    assert.ok((await rig.onlyReceipt()).charged > 0n)
  }),

  {
    name: 'sends the pieces of a stream at once, also where the host gathers small ones',
    run(host) {
      const settings: boolean[] = []
      const before = ({ socket }: IncomingMessage) => {
        socket.setNoDelay(false)
        const set = socket.setNoDelay.bind(socket)
        socket.setNoDelay = (isOn = true) => {
          settings.push(isOn)
          return set(isOn)
        }
      }
      return adapterCase('', { mount: { before } }, async (rig) => {
        await rig.client.ask(streamedChat({ model }))
        assert.equal(settings.at(-1), true)
      }).run(host)
    },
  },

  adapterCase('lets a caller who asks before it sends a body send it', {}, async (rig) => {
    const [head, body] = inParts(rig.url, chat({ model }, { expect: '100-continue' }))
    const connection = openRawConnection(rig.url)
    connection.send(head)
    await connection.reads('HTTP/1.1 100 Continue')
    assert.deepEqual(rig.simulator.requests, [])
    connection.send(body)

    await connection.reads('"object":"chat.completion"')
    connection.leave()
    assert.ok((await rig.onlyReceipt()).charged > 0n)
  }),

  adapterCase(
    'refuses a caller who asks before it sends a body that is too large, without waiting for it',
    { gateway: { limits: { requestBytesMax: 100 } } },
    async (rig) => {
      const [head] = inParts(rig.url, chat({ model, user: 'x'.repeat(100) }, { expect: '100-continue' }))
      const connection = openRawConnection(rig.url)
      connection.send(head)

      await connection.reads('request_too_large')
      assert.match(connection.text, /HTTP\/1\.1 413 /)
      connection.leave()
    },
  ),

  adapterCase('waits for a body that comes slowly, and holds nothing for it', {}, async (rig) => {
    const [head, body] = inParts(rig.url, chat({ model }))
    const connection = openRawConnection(rig.url)
    connection.send(head)
    for (const piece of body.match(/.{1,20}/g) ?? []) {
      await delay(5)
      assert.equal((await rig.balance()).held, 0n)
      assert.deepEqual(rig.simulator.requests, [])
      connection.send(piece)
    }

    await connection.reads('"object":"chat.completion"')
    connection.leave()
    assert.ok((await rig.onlyReceipt()).charged > 0n)
  }),
]

/** A request as its head and its body. */
function inParts(url: string, question: Question): readonly [head: string, body: string] {
  const request = rawRequest(url, question)
  const end = request.indexOf('\r\n\r\n') + 4
  return [request.slice(0, end), request.slice(end)]
}
