import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ServerProcess, startServer } from './servers/child.ts'
import { allowedOrigin, exampleServers, type Place, scriptOf } from './servers/example-servers.ts'

describe.each(exampleServers.filter(({ isPossible }) => isPossible))('examples/$name', ({ script, open }) => {
  let place: Place
  let server: ServerProcess
  let home: string

  beforeAll(async () => {
    place = await open()
    server = await startServer(script, { STORAGE: place.setting, ALLOWED_ORIGIN: allowedOrigin })
    home = new URL(server.baseUrl).origin
  })
  afterAll(async () => {
    await server?.stop('SIGKILL')
    await place?.close()
  })

  const signIn = (email: string, password: string) =>
    fetch(`${home}/sign-in`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email, password }),
    })
  const ask = (key: string, body: object = {}, headers: Record<string, string> = {}) =>
    fetch(`${server.baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { ...headers, authorization: `Bearer ${key}` },
      body: JSON.stringify({
        model: 'openai/gpt-oss-120b',
        messages: [{ role: 'user', content: 'say 60 tokens' }],
        ...body,
      }),
    })

  it.each(['hf_demo_free', 'hf_demo_pro', 'hf_demo_team_ada', 'hf_demo_team_bob', 'hf_demo_byok'])(
    'the demo key %s works',
    async (key) => {
      expect((await ask(key)).status).toBe(200)
    },
  )

  it('bills a user who signed in to the account of their team', async () => {
    const session = await (await signIn('ada@team.example', 'demo-ada')).text()
    const answer = await ask(session)
    expect(answer.status).toBe(200)
    const receiptUrl = `${server.baseUrl}/receipts/${answer.headers.get('x-farebox-receipt')}`
    const receipt = await fetch(receiptUrl, { headers: { authorization: 'Bearer hf_demo_team_bob' } })
    expect(await receipt.json()).toMatchObject({ account: 'demo-team', member: 'ada' })
    const credit = await fetch(`${home}/credit`, { headers: { authorization: `Bearer ${session}` } })
    expect(await credit.json()).toMatchObject({ plan: 'team', held: '0.00' })
  })

  it('refuses a wrong password, and whoever it does not know', async () => {
    expect((await signIn('ada@team.example', 'wrong')).status).toBe(401)
    expect((await signIn('nobody@team.example', 'demo-ada')).status).toBe(401)
    expect((await fetch(`${home}/credit`)).status).toBe(401)
    for (const key of ['made-up', 'a.b.c', '__proto__']) {
      const answer = await ask(key)
      expect(answer.status).toBe(401)
      expect(await answer.json()).toMatchObject({ error: { code: 'invalid_api_key' } })
    }
  })

  it('lets the web app of another origin read its answers', async () => {
    const preflight = await fetch(`${server.baseUrl}/chat/completions`, {
      method: 'OPTIONS',
      headers: {
        origin: allowedOrigin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe(allowedOrigin)
    const whole = await ask('hf_demo_pro', {}, { origin: allowedOrigin })
    const stream = await ask('hf_demo_pro', { stream: true }, { origin: allowedOrigin })
    for (const answer of [whole, stream]) {
      expect(answer.headers.get('access-control-allow-origin')).toBe(allowedOrigin)
      expect(answer.headers.get('access-control-expose-headers')).toContain('x-farebox-cost')
    }
    await stream.text()
  })

  it('logs what a request was charged, and no key, whichever header it is in', async () => {
    await fetch(`${server.baseUrl}/models`, { headers: { 'x-api-key': 'hf_demo_pro' } })
    const answer = await ask('hf_demo_pro')
    const requestId = answer.headers.get('x-request-id')
    await expect
      .poll(() => server.output())
      .toMatch(new RegExp(`"requestId":"${requestId}","accountId":"demo-pro","charged":"0\\.0+[1-9]`))
    const logged = server
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{'))
    expect(logged.join('\n')).not.toMatch(/hf_demo_pro|Bearer/)
  })

  it('finishes and settles running requests when it is told to stop', async () => {
    const stream = await ask('hf_demo_pro', { stream: true })
    const stopped = server.stop('SIGINT')
    expect((await stream.text()).trimEnd().endsWith('data: [DONE]')).toBe(true)
    await stopped
    expect(server.process.exitCode).toBe(0)
    expect(server.output()).toContain('farebox stopped')
    expect(server.output()).toContain(
      `"requestId":"${stream.headers.get('x-request-id')}","accountId":"demo-pro"`,
    )
  })

  it('has the same credit after a restart, if it keeps it anywhere', async () => {
    const isKept = place.setting !== 'memory'
    const again = await startServer(script, { STORAGE: place.setting })
    try {
      const credits = await fetch(`${again.baseUrl}/credits`, {
        headers: { authorization: 'Bearer hf_demo_team_ada' },
      })
      expect(await credits.json()).toMatchObject({
        held: '0.00',
        charged_total: expect.stringMatching(isKept ? /[1-9]/ : /^0\.00$/),
      })
    } finally {
      await again.stop('SIGKILL')
    }
  })
})

it.each([
  ['PORT', 'abc', 'PORT is "abc". Use a number from 1 to 65535, or 0 for any that is free.'],
  ['LOG_LEVEL', 'loud', 'LOG_LEVEL is "loud". Use trace, debug, info, warn, error, silent.'],
  ['STORAGE', 'sqlite:', 'STORAGE is "sqlite:". Use memory, sqlite:FILE'],
])('an example with the %s %s says what is wrong with it', async (name, value, message) => {
  await expect(startServer(scriptOf('express'), { [name]: value })).rejects.toThrow(message)
})

it('an example says what settings it has, and which storage it does not know', async () => {
  await expect(startServer(scriptOf('express'), { STORAGE: 'mongodb://x' })).rejects.toThrow(
    'STORAGE is "mongodb://x". Use memory, sqlite:FILE, postgres://USER@HOST/DATABASE or redis://HOST:PORT.',
  )
})
