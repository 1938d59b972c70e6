import assert from 'node:assert/strict'
import type { AdapterCase } from './adapter-host.ts'
import { chat } from './questions.ts'
import { accountId, adapterCase, authorization } from './rig.ts'

/** What proxies put into a request, and what anybody may put there who pretends to be one. */
const forwarded = {
  forwarded: 'for=203.0.113.7;host=proxy.example;proto=https',
  'x-forwarded-for': '203.0.113.7',
  'x-forwarded-host': 'proxy.example',
  'x-forwarded-prefix': '/elsewhere',
  'x-forwarded-proto': 'https',
  'x-forwarded-uri': '/v1/models',
  'x-http-method-override': 'GET',
  'x-original-url': '/ai/v1/models',
  'x-rewrite-url': '/ai/v1/models',
}

/** The address of a caller, as the frameworks tell it. */
interface Addressed {
  readonly ip?: string
}

/** Behind a proxy a request is what it says it is, and who asked is the host's to know. */
export const proxyCases: readonly AdapterCase[] = [
  adapterCase('takes neither path nor method nor payer from what a proxy adds', {}, async (rig) => {
    const answer = await rig.client.ask(chat({}, forwarded))
    const { headers } = await rig.client.ask({ path: '/v1/models', headers: forwarded })

    assert.equal(answer.status, 200)
    assert.match(answer.text, /"object":"chat.completion"/)
    assert.ok((await rig.onlyReceipt()).charged > 0n)
    assert.equal(headers['location'], undefined)
    for (const name of Object.keys(forwarded)) {
      assert.equal(rig.simulator.requests[0]?.headers[name], undefined, name)
    }
  }),

  ...[true, false].map((trustsProxy) =>
    adapterCase(
      trustsProxy
        ? 'shows authenticate the address of a caller behind a proxy that the host trusts'
        : 'shows authenticate the address of the connection where the host trusts no proxy',
      {
        mount: { trustsProxy },
        gateway: {
          authenticate: ({ host }) =>
            (host as Addressed).ip?.endsWith(trustsProxy ? '203.0.113.7' : '127.0.0.1')
              ? { accountId }
              : undefined,
        },
      },
      async (rig) => {
        const headers = { ...authorization, ...forwarded }
        assert.equal((await rig.client.ask({ path: '/v1/credits', headers })).status, 200)
      },
    ),
  ),
]
