import assert from 'node:assert/strict'
import type { AdapterCase } from './adapter-host.ts'
import { chat } from './questions.ts'
import { adapterCase, apiKey, authorization } from './rig.ts'

/** The gateway answers its own paths below the mount, and leaves every other to the host. */
export const pathCases: readonly AdapterCase[] = [
  adapterCase('answers below a longer prefix', { mount: { prefix: '/api/ai' } }, async ({ client }) => {
    assert.equal((await client.ask(chat())).status, 200)
  }),

  adapterCase('answers at the root', { mount: { prefix: '' } }, async ({ client }) => {
    assert.equal((await client.ask(chat())).status, 200)
  }),

  adapterCase('takes double and closing slashes for single and none', {}, async ({ client }) => {
    for (const path of ['//v1/chat/completions', '/v1//chat/completions', '/v1/chat/completions/']) {
      assert.equal((await client.ask({ ...chat(), path })).status, 200, path)
    }
  }),

  adapterCase('does not mind a query', {}, async ({ client }) => {
    assert.equal((await client.ask({ ...chat(), path: '/v1/chat/completions?api-version=1' })).status, 200)
    assert.equal((await client.ask({ path: '/v1/models?limit=1' })).status, 200)
  }),

  adapterCase('finds a model whose slash is written as %2F', {}, async ({ client }) => {
    for (const path of ['/v1/models/openai/gpt-oss-120b', '/v1/models/openai%2Fgpt-oss-120b']) {
      const answer = await client.ask({ path })
      assert.equal(answer.status, 200, path)
      assert.equal((answer.json() as { id: string }).id, 'openai/gpt-oss-120b')
    }
  }),

  adapterCase('leaves paths that are not its own to the host', {}, async (rig) => {
    const paths = [
      '/',
      '/v1',
      '/v1/nothing',
      '/V1/chat/completions',
      '/v1/chat/completions/more',
      '/v2/models',
    ]
    for (const path of paths) {
      const answer = await rig.client.ask({ ...chat(), path })
      assert.equal(answer.status, 404, path)
      assert.equal(answer.headers['x-answered-by'], 'host', path)
    }
    assert.equal(rig.seen, 0)
  }),

  adapterCase('leaves OPTIONS to the host, whose CORS middleware may answer it', {}, async ({ client }) => {
    const answer = await client.ask({ method: 'OPTIONS', path: '/v1/chat/completions' })
    assert.equal(answer.status, 204)
    assert.equal(answer.headers['x-answered-by'], 'host')
  }),

  adapterCase(
    'leaves a preflight to the host, with the headers that it sets',
    { mount: { headers: { 'access-control-allow-origin': 'https://app.example' } } },
    async (rig) => {
      const headers = {
        origin: 'https://app.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization, content-type',
      }
      for (const path of ['/v1/chat/completions', '/v1/models', '/v1/nothing']) {
        const answer = await rig.client.ask({ method: 'OPTIONS', path, headers })
        assert.equal(answer.status, 204, path)
        assert.equal(answer.headers['access-control-allow-origin'], 'https://app.example', path)
      }
      assert.equal(rig.seen, 0)
    },
  ),

  adapterCase(
    'failure 28: charges every request that it answers, however its path is written',
    {},
    async (rig) => {
      const spellings = [
        '/v1/chat/completions',
        '//v1///chat/completions',
        '/v1/chat/completions/',
        '/v1/chat/completions?model=free',
        '/v1/./chat/completions',
        '/x/../v1/chat/completions',
        '/v1/chat%2Fcompletions',
        '/v1/%63hat/completions',
        '/V1/Chat/Completions',
        '/v1/chat/completions%00',
        '/v1/chat/completions;free',
      ]
      let answered = 0
      for (const path of spellings) {
        const { status } = await rig.client.ask({ ...chat(), path })
        if (status === 200) answered += 1
        else assert.equal(status, 404, path)
      }
      await rig.quiet()

      assert.ok(answered >= 4)
      assert.equal(rig.simulator.served.length, answered)
      assert.deepEqual(
        rig.receipts.map(({ charged }) => charged),
        rig.simulator.served.map(({ costNanoUsd }) => costNanoUsd),
      )
    },
  ),

  adapterCase('answers HEAD like GET, without the body', {}, async ({ client }) => {
    const whole = await client.ask({ path: '/v1/models' })
    const head = await client.ask({ method: 'HEAD', path: '/v1/models' })

    assert.equal(head.status, 200)
    assert.equal(head.text, '')
    assert.equal(head.headers['content-length'], String(Buffer.byteLength(whole.text)))
    assert.equal(head.headers['content-type'], whole.headers['content-type'])
  }),

  adapterCase(
    'lists models to everybody, but not to a wrong key, whichever header it is in',
    {},
    async (rig) => {
      assert.equal((await rig.client.ask({ path: '/v1/models' })).status, 200)
      for (const name of ['authorization', 'x-api-key']) {
        const key = name === 'authorization' ? authorization.authorization : apiKey
        const right = await rig.client.ask({ path: '/v1/models', headers: { [name]: key } })
        assert.equal(right.status, 200, name)
        const wrong = await rig.client.ask({ path: '/v1/models', headers: { [name]: `${key}-not` } })
        assert.equal(wrong.status, 401, name)
        assert.equal(wrong.headers['x-error-code'], 'invalid_api_key')
      }
    },
  ),

  adapterCase('refuses a method its path does not have, naming the right one', {}, async (rig) => {
    const wrong = [
      { method: 'GET', path: '/v1/chat/completions' },
      { method: 'HEAD', path: '/v1/chat/completions' },
      { method: 'PUT', path: '/v1/embeddings' },
      { method: 'POST', path: '/v1/models' },
      { method: 'DELETE', path: '/v1/credits' },
    ]
    for (const { method, path } of wrong) {
      const answer = await rig.client.ask({ method, path, headers: authorization })
      assert.equal(answer.status, 405, `${method} ${path}`)
      assert.equal(answer.headers['x-error-code'], 'method_not_allowed')
      if (method === 'HEAD') continue
      const { error } = answer.json() as { error: { message: string } }
      assert.match(error.message, /Use (POST|GET)/)
    }
    assert.deepEqual(rig.simulator.requests, [])
  }),
]
