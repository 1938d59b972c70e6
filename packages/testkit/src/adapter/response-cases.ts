import assert from 'node:assert/strict'
import { formatUsd } from '@farebox/core'
import type { AdapterCase } from './adapter-host.ts'
import { chat, streamedChat } from './questions.ts'
import { adapterCase, authorization } from './rig.ts'

const cors = { 'access-control-allow-origin': 'https://app.example' }

/** Status and headers of answers, and who writes the errors. */
export const responseCases: readonly AdapterCase[] = [
  adapterCase('names request, provider, receipt and cost of a whole answer', {}, async (rig) => {
    const { headers, text } = await rig.client.ask(chat({ model: 'openai/gpt-oss-120b:together' }))

    assert.match(headers['content-type'] ?? '', /^application\/json/)
    assert.equal(headers['content-length'], String(Buffer.byteLength(text)))
    assert.equal(headers['x-inference-provider'], 'together')
    const receipt = await rig.onlyReceipt()
    assert.equal(headers['x-request-id'], receipt.requestId)
    assert.equal(headers['x-farebox-receipt'], receipt.requestId)
    assert.equal(headers['x-farebox-cost'], formatUsd(receipt.cost))
    assert.equal(headers['x-farebox-max-tokens'], undefined)
  }),

  adapterCase('names request, provider and receipt of a stream, and keeps proxies off', {}, async (rig) => {
    const { headers } = await rig.client.ask(streamedChat({ model: 'openai/gpt-oss-120b:together' }))

    assert.equal(headers['content-type'], 'text/event-stream; charset=utf-8')
    assert.equal(headers['cache-control'], 'no-cache, no-transform')
    assert.equal(headers['x-accel-buffering'], 'no')
    assert.equal(headers['x-inference-provider'], 'together')
    const receipt = await rig.onlyReceipt()
    assert.equal(headers['x-request-id'], receipt.requestId)
    assert.equal(headers['x-farebox-receipt'], receipt.requestId)
  }),

  adapterCase('serves the receipt that an answer names', {}, async (rig) => {
    const { headers } = await rig.client.ask(chat())
    const path = `/v1/receipts/${headers['x-farebox-receipt']}`
    const answer = await rig.client.ask({ path, headers: authorization })

    assert.equal(answer.status, 200)
    const { id, cost } = answer.json() as { id: string; cost: string }
    assert.equal(id, headers['x-farebox-receipt'])
    assert.equal(cost, headers['x-farebox-cost'])
  }),

  adapterCase(
    'tells the bound of an answer that was lowered to what the model can write',
    {},
    async (rig) => {
      const { status, headers } = await rig.client.ask(chat({ max_tokens: 10_000_000 }))

      assert.equal(status, 200)
      assert.equal(headers['x-farebox-max-tokens'], '32768')
    },
  ),

  adapterCase('keeps the headers that the host has set', { mount: { headers: cors } }, async ({ client }) => {
    const questions = [
      chat(),
      streamedChat(),
      chat({ model: 'nobody/nothing' }),
      { path: '/v1/models' },
      { method: 'HEAD', path: '/v1/models' },
    ]
    for (const question of questions) {
      const { headers } = await client.ask(question)
      assert.equal(headers['access-control-allow-origin'], 'https://app.example')
    }
  }),

  adapterCase('writes refusals itself, as JSON with the id of the request', {}, async (rig) => {
    const questions = [
      { status: 400, question: chat({ messages: [] }) },
      { status: 401, question: { ...chat(), headers: {} } },
      { status: 404, question: chat({ model: 'nobody/nothing' }) },
      { status: 405, question: { path: '/v1/embeddings' } },
    ]
    const ids = new Set<unknown>()
    for (const { status, question } of questions) {
      const answer = await rig.client.ask(question)
      assert.equal(answer.status, status, answer.text)
      const { error } = answer.json() as { error: { message: string; type: string; code: string } }
      assert.equal(error.type, 'invalid_request_error')
      assert.equal(answer.headers['x-error-message'], error.message)
      assert.equal(answer.headers['x-error-code'], error.code)
      assert.equal(answer.headers['x-answered-by'], undefined)
      assert.match(String(answer.headers['x-request-id']), /^[\w-]{8,64}$/)
      ids.add(answer.headers['x-request-id'])
    }
    assert.equal(ids.size, questions.length)
    assert.deepEqual(rig.receipts, [])
  }),

  adapterCase(
    'hands faults of the application to the error handler of the host',
    {
      gateway: {
        authenticate: () => {
          throw new Error('The session store is down.')
        },
      },
    },
    async (rig) => {
      const answer = await rig.client.ask(chat())
      assert.equal(answer.status, 500)
      assert.equal(answer.headers['x-answered-by'], 'host')
      assert.doesNotMatch(answer.text, /session store/)
      assert.equal((await rig.balance()).held, 0n)
      assert.deepEqual(rig.simulator.requests, [])
      assert.equal((await rig.client.ask({ path: '/v1/models' })).status, 200)
    },
  ),

  adapterCase(
    'releases the hold when the application fails behind the admission',
    {
      gateway: {
        policy: () => {
          throw new Error('The policy is broken.')
        },
      },
    },
    async (rig) => {
      const answer = await rig.client.ask(chat())
      assert.equal(answer.status, 500)
      assert.equal(answer.headers['x-answered-by'], 'host')
      assert.equal((await rig.onlyReceipt()).charged, 0n)
      assert.equal((await rig.balance()).held, 0n)
    },
  ),

  adapterCase(
    'hands the request of the host to authenticate',
    { gateway: { authenticate: ({ host }) => (host === undefined ? undefined : { accountId: 'alice' }) } },
    async ({ client }) => {
      assert.equal((await client.ask({ path: '/v1/credits' })).status, 200)
    },
  ),
]
