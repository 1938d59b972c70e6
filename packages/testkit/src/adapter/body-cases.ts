import assert from 'node:assert/strict'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import type { AdapterCase } from './adapter-host.ts'
import { eventually } from './eventually.ts'
import type { Answer } from './http-client.ts'
import { chat, chatBody } from './questions.ts'
import { accountId, adapterCase, authorization, expectNothingUnderWay, type Rig } from './rig.ts'

const path = '/v1/chat/completions'
const json = { ...authorization, 'content-type': 'application/json' }
const small = { limits: { requestBytesMax: 10_000 } }

/** The body reaches the gateway whole, whoever has read it, or is refused in words a client understands. */
export const bodyCases: readonly AdapterCase[] = [
  adapterCase('reads a body that nobody has parsed', {}, async (rig) => {
    await expectServed(rig, await rig.client.ask(chat()))
  }),

  adapterCase('takes a body that the host has parsed', { mount: { parsesJson: true } }, async (rig) => {
    await expectServed(rig, await rig.client.ask(chat()))
  }),

  adapterCase('answers an empty object at once', {}, async (rig) => {
    await expectRefused(rig, await rig.client.ask({ path, headers: json, body: '{}' }), {
      status: 400,
      code: 'invalid_request',
      param: 'model',
    })
  }),

  adapterCase(
    'answers an empty object that the host has parsed at once, instead of waiting for more',
    { mount: { parsesJson: true } },
    async (rig) => {
      await expectRefused(rig, await rig.client.ask({ path, headers: json, body: '{}' }), {
        status: 400,
        code: 'invalid_request',
        param: 'model',
      })
    },
  ),

  adapterCase('answers an empty body', {}, async (rig) => {
    await expectRefused(rig, await rig.client.ask({ method: 'POST', path, headers: json }), {
      status: 400,
      code: 'invalid_json',
    })
  }),

  adapterCase(
    'answers an empty body behind the parser of the host',
    { mount: { parsesJson: true } },
    async (rig) => {
      // Some parsers make an empty object of nothing.
      await expectRefused(rig, await rig.client.ask({ method: 'POST', path, headers: json }), { status: 400 })
    },
  ),

  adapterCase(
    'says that somebody else has read the body',
    {
      mount: {
        async before(message) {
          for await (const _piece of message);
        },
      },
    },
    async (rig) => {
      await expectRefused(rig, await rig.client.ask(chat()), { status: 500, code: 'body_already_read' })
    },
  ),

  adapterCase(
    'says that the body flowed away while the caller was being authenticated',
    {
      mount: { before: (message) => void message.resume() },
      gateway: {
        async authenticate() {
          await new Promise((resolve) => setTimeout(resolve, 50))
          return { accountId }
        },
      },
    },
    async (rig) => {
      await expectRefused(rig, await rig.client.ask(chat()), { status: 500, code: 'body_already_read' })
    },
  ),

  adapterCase('needs no content type', {}, async (rig) => {
    await expectServed(rig, await rig.client.ask({ path, headers: authorization, body: chatBody() }))
  }),

  adapterCase(
    'needs no content type behind the parser of the host',
    { mount: { parsesJson: true } },
    async (rig) => {
      await expectServed(rig, await rig.client.ask({ path, headers: authorization, body: chatBody() }))
    },
  ),

  adapterCase(
    'takes JSON that is labelled as a form, as curl does',
    { mount: { parsesJson: true } },
    async (rig) => {
      const headers = { ...authorization, 'content-type': 'application/x-www-form-urlencoded' }
      await expectServed(rig, await rig.client.ask({ path, headers, body: chatBody() }))
    },
  ),

  adapterCase('reads a body that is sent in chunks', {}, async (rig) => {
    const bytes = Buffer.from(JSON.stringify(chatBody({ user: 'x'.repeat(200_000) })))
    const pieces = [bytes.subarray(0, 7), bytes.subarray(7, 100_000), bytes.subarray(100_000)]
    await expectServed(rig, await rig.client.ask({ path, headers: json, body: pieces }))
  }),

  ...[
    { encoding: 'gzip', encode: gzipSync },
    { encoding: 'br', encode: brotliCompressSync },
    { encoding: 'deflate', encode: deflateSync },
  ].map(({ encoding, encode }) =>
    adapterCase(`reads a body in ${encoding}`, {}, async (rig) => {
      const body = encode(Buffer.from(JSON.stringify(chatBody({ user: 'x'.repeat(100_000) }))))
      const headers = { ...json, 'content-encoding': encoding }
      await expectServed(rig, await rig.client.ask({ path, headers, body }))
    }),
  ),

  adapterCase('refuses a body that is not what its encoding says', {}, async (rig) => {
    const headers = { ...json, 'content-encoding': 'gzip' }
    await expectRefused(rig, await rig.client.ask({ path, headers, body: chatBody() }), {
      status: 400,
      code: 'invalid_json',
    })
  }),

  adapterCase('refuses a compressed body that ends too early', {}, async (rig) => {
    const whole = gzipSync(JSON.stringify(chatBody({ user: 'x'.repeat(100) })))
    const headers = { ...json, 'content-encoding': 'gzip' }
    const answer = await rig.client.ask({ path, headers, body: whole.subarray(0, -12) })
    await expectRefused(rig, answer, { status: 400, code: 'invalid_json' })
  }),

  ...['zstd', 'gzip, br', 'constructor', '__proto__'].map((encoding) =>
    adapterCase(`refuses the encoding ${encoding}, which it does not know`, {}, async (rig) => {
      const headers = { ...json, 'content-encoding': encoding }
      await expectRefused(rig, await rig.client.ask({ path, headers, body: chatBody() }), {
        status: 415,
        code: 'unsupported_encoding',
      })
    }),
  ),

  adapterCase('takes a body of exactly the limit', { gateway: small }, async (rig) => {
    await expectServed(rig, await rig.client.ask({ path, headers: json, body: bodyOf(10_000) }))
  }),

  adapterCase('refuses a body one byte over the limit by its length', { gateway: small }, async (rig) => {
    await expectTooLarge(rig, await rig.client.ask({ path, headers: json, body: bodyOf(10_001) }))
  }),

  adapterCase(
    'refuses a body one byte over the limit that comes in chunks',
    { gateway: small },
    async (rig) => {
      const bytes = bodyOf(10_001)
      const pieces = [bytes.subarray(0, 5_000), bytes.subarray(5_000)]
      await expectTooLarge(rig, await rig.client.ask({ path, headers: json, body: pieces }))
    },
  ),

  adapterCase('refuses a small body that unpacks to a large one', { gateway: small }, async (rig) => {
    const body = gzipSync(bodyOf(5_000_000))
    const headers = { ...json, 'content-encoding': 'gzip' }
    await expectTooLarge(rig, await rig.client.ask({ path, headers, body }))
  }),

  adapterCase('lets the caller of a 50 MB body read why it is refused', {}, async (rig) => {
    const body = Buffer.alloc(50_000_000, 0x20)
    await expectTooLarge(rig, await rig.client.ask({ path, headers: json, body }))
  }),

  adapterCase('lets the caller of a 50 MB body in chunks read why it is refused', {}, async (rig) => {
    const piece = Buffer.alloc(1_000_000, 0x20)
    const body = Array.from({ length: 50 }, () => piece)
    await expectTooLarge(rig, await rig.client.ask({ path, headers: json, body }))
  }),

  adapterCase('lets the caller of a large body read that the key is wrong', {}, async (rig) => {
    const headers = { authorization: 'Bearer somebody-else', 'content-type': 'application/json' }
    const answer = await rig.client.ask({ path, headers, body: bodyOf(5_000_000) })
    await expectRefused(rig, answer, { status: 401, code: 'invalid_api_key' })
  }),

  adapterCase('answers a refused body before the rest of it has come', { gateway: small }, async (rig) => {
    const question = { path, headers: { ...json, 'content-length': '10001' }, method: 'POST', body: '{' }
    const exchange = rig.client.open(question, { isBodyOpen: true })

    await exchange.reads('request_too_large')

    assert.equal((await exchange.head).statusCode, 413)
    exchange.leave()
  }),

  adapterCase('forgets a request whose caller leaves in the middle of the body', {}, async (rig) => {
    const question = {
      path,
      headers: { ...json, 'content-length': '1000' },
      method: 'POST',
      body: '{"model":',
    }
    const exchange = rig.client.open(question, { isBodyOpen: true })
    await eventually('the gateway waits for the body', () => rig.seen === 1)
    exchange.leave()
    await exchange.over()

    await expectServed(rig, await rig.client.ask(chat()))
    await expectNothingUnderWay(rig)
  }),
]

/** A chat body of exactly so many bytes. */
function bodyOf(bytes: number): Buffer {
  const { length } = JSON.stringify(chatBody({ user: '' }))
  return Buffer.from(JSON.stringify(chatBody({ user: 'x'.repeat(bytes - length) })))
}

async function expectServed(rig: Rig, answer: Answer): Promise<void> {
  assert.equal(answer.status, 200, answer.text)
  const { choices } = answer.json() as { choices: readonly { message: { content: string } }[] }
  assert.match(choices[0]?.message.content ?? '', /^Simulated answer:/)
  const receipt = await rig.onlyReceipt()
  assert.ok(receipt.charged > 0n)
  assert.equal(receipt.charged, rig.simulator.served[0]?.costNanoUsd)
}

async function expectTooLarge(rig: Rig, answer: Answer): Promise<void> {
  await expectRefused(rig, answer, { status: 413, code: 'request_too_large' })
}

/** An error in OpenAI's shape, no money moved, and the server still answers. */
async function expectRefused(
  rig: Rig,
  answer: Answer,
  { status, code, param }: { readonly status: number; readonly code?: string; readonly param?: string },
): Promise<void> {
  assert.equal(answer.status, status, answer.text)
  assert.match(answer.headers['content-type'] ?? '', /^application\/json/)
  const { error } = answer.json() as { error: { message: string; code: string; param: string | null } }
  if (code !== undefined) assert.equal(error.code, code)
  assert.ok(error.message.length > 0)
  if (param !== undefined) assert.equal(error.param, param)
  assert.equal((await rig.balance()).held, 0n)
  assert.deepEqual(rig.receipts, [])
  assert.deepEqual(rig.simulator.requests, [])
  assert.equal((await rig.client.ask({ path: '/v1/models' })).status, 200)
}
