import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Simulator, type SimulatorOptions, startSimulator } from './index.ts'

let directory: string
let open: Simulator[]
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'simulator-'))
  open = []
})
afterEach(async () => {
  for (const simulator of open) await simulator.close()
  rmSync(directory, { recursive: true })
})

async function start(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator(options)
  open.push(simulator)
  return simulator
}

async function ask(
  simulator: Simulator,
  body: object = {},
  { requestId, signal, key = 'key' }: { requestId?: string; signal?: AbortSignal; key?: string } = {},
): Promise<Response> {
  const messages = [{ role: 'user', content: 'say 36 tokens' }]
  return fetch(`${simulator.baseUrl('cerebras')}/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      ...(requestId === undefined ? {} : { 'x-request-id': requestId }),
    },
    body: JSON.stringify({ model: 'gpt-oss-120b', messages, ...body }),
    ...(signal === undefined ? {} : { signal }),
  })
}

async function askCosts(simulator: Simulator, requestIds: readonly string[]): Promise<unknown> {
  const request = { method: 'POST', body: JSON.stringify({ requestIds }) }
  return (await fetch(simulator.costUrl('cerebras'), request)).json()
}

describe('the count of what was served', () => {
  it('prices 74 tokens in and 36 out of gpt-oss-120b at 52,900 nano-USD', async () => {
    const simulator = await start()
    const content = `say 36 tokens${'.'.repeat(74 * 4 - 13)}`
    await (await ask(simulator, { messages: [{ role: 'user', content }] })).text()
    expect(simulator.served).toEqual([
      {
        provider: 'cerebras',
        requestId: expect.stringMatching(/^chatcmpl-/),
        providerRequestId: expect.stringMatching(/^chatcmpl-/),
        model: 'gpt-oss-120b',
        operation: 'chat',
        keyHash: expect.stringMatching(/^[0-9a-f]{16}$/),
        usage: { prompt_tokens: 74, completion_tokens: 36, total_tokens: 110 },
        costNanoUsd: 52_900n,
        outcome: 'complete',
      },
    ])
  })

  it('survives a restart in its file, with amounts as digits', async () => {
    const truthFile = join(directory, 'truth.jsonl')
    const first = await start({ truthFile })
    await (await ask(first, {}, { requestId: 'r-1' })).text()
    const served = [...first.served]
    await first.close()
    expect(JSON.parse(readFileSync(truthFile, 'utf8'))).toMatchObject({
      requestId: 'r-1',
      costNanoUsd: '28400',
    })

    const second = await start({ truthFile })
    expect(second.served).toEqual(served)
    expect(await askCosts(second, ['r-1'])).toEqual({ requests: [{ requestId: 'r-1', costNanoUsd: 28_400 }] })
    const next = (await (await ask(second)).json()) as { readonly id: string }
    expect(next.id).not.toBe(served[0]?.providerRequestId)
    expect(second.served).toHaveLength(2)
  })

  it('drops a line that a crash left unfinished', async () => {
    const truthFile = join(directory, 'truth.jsonl')
    const first = await start({ truthFile })
    await (await ask(first)).text()
    await first.close()
    appendFileSync(truthFile, '{"provider":"cere')
    const second = await start({ truthFile })
    expect(second.served).toHaveLength(1)
    await (await ask(second)).text()
    expect(readFileSync(truthFile, 'utf8').trimEnd().split('\n')).toHaveLength(2)
  })

  it('uses the prices it is given and keeps the others', async () => {
    const simulator = await start({ prices: { cerebras: { 'sim/ok': { input: '1', output: '2' } } } })
    await (await ask(simulator, { model: 'sim/ok' })).text()
    await (await ask(simulator)).text()
    expect(simulator.served.map(({ costNanoUsd }) => costNanoUsd)).toEqual([76_000n, 28_400n])
  })

  it('bills a paced answer that the client left for the tokens generated so far', async () => {
    const simulator = await start({ pace: { firstTokenMs: 1, tokenMs: 60_000 } })
    const controller = new AbortController()
    const asked = ask(simulator, {}, { signal: controller.signal })
    await expect.poll(() => simulator.requests.length).toBe(1)
    controller.abort()
    await expect(asked).rejects.toThrow()
    await simulator.idle()
    expect(simulator.served).toMatchObject([
      { outcome: 'aborted', usage: { prompt_tokens: 4, completion_tokens: 0 } },
    ])
    expect(simulator.served[0]?.costNanoUsd).toBe(1400n)
  })

  it('bills a paced stream that the client left for the tokens written so far', async () => {
    const simulator = await start({ pace: { tokenMs: 5 } })
    const controller = new AbortController()
    const response = await ask(simulator, { stream: true }, { signal: controller.signal })
    const reader = response.body?.getReader()
    await reader?.read()
    controller.abort()
    await simulator.idle()
    const { completion_tokens: tokens = 0 } = simulator.served[0]?.usage ?? {}
    expect(simulator.served).toMatchObject([
      { outcome: 'aborted', costNanoUsd: 1400n + 750n * BigInt(tokens) },
    ])
    expect(tokens).toBeLessThan(36)
  })

  it('counts a stream before its client can know that it is over', async () => {
    const simulator = await start()
    const response = await ask(simulator, { stream: true })
    const decoder = new TextDecoder()
    let text = ''
    for await (const part of response.body ?? []) {
      text += decoder.decode(part as Uint8Array, { stream: true })
      if (text.includes('"finish_reason":"stop"')) expect(simulator.served).toHaveLength(1)
    }
    expect(simulator.served).toMatchObject([{ outcome: 'complete' }])
  })

  it('waits for a client that does not read, and bills only what was written when it leaves', async () => {
    const simulator = await start()
    const controller = new AbortController()
    const messages = [{ role: 'user', content: 'say 900000 tokens' }]
    await ask(simulator, { messages, stream: true }, { signal: controller.signal })
    controller.abort()
    await simulator.idle()
    expect(simulator.served).toMatchObject([{ outcome: 'aborted' }])
    const { completion_tokens: tokens } = simulator.served[0]?.usage ?? {}
    expect(tokens).toBeLessThan(900_000)
  })
})

describe('the billing look-up', () => {
  it('finds by either id, leaves out unknown ones, and says null when it knows none', async () => {
    const simulator = await start()
    const { id } = (await (await ask(simulator, {}, { requestId: 'r-1' })).json()) as { readonly id: string }
    const found = { costNanoUsd: 28_400 }
    expect(await askCosts(simulator, ['r-1', 'nope', id])).toEqual({
      requests: [
        { requestId: 'r-1', ...found },
        { requestId: id, ...found },
      ],
    })
    expect(await askCosts(simulator, ['nope'])).toEqual({ requests: null })
    expect(await askCosts(simulator, [])).toEqual({ requests: null })
  })

  it('leaves out a request that is still running', async () => {
    const simulator = await start()
    const controller = new AbortController()
    await ask(
      simulator,
      { model: 'sim/stall-1', stream: true },
      { requestId: 'r-1', signal: controller.signal },
    )
    expect(await askCosts(simulator, ['r-1'])).toEqual({ requests: null })
    controller.abort()
    await expect
      .poll(() => askCosts(simulator, ['r-1']))
      .toEqual({ requests: [{ requestId: 'r-1', costNanoUsd: 2150 }] })
  })

  it('sums two requests of the same id, and does not mix providers', async () => {
    const simulator = await start()
    for (let count = 0; count < 2; count += 1) await (await ask(simulator, {}, { requestId: 'r-1' })).text()
    expect(await askCosts(simulator, ['r-1'])).toEqual({
      requests: [{ requestId: 'r-1', costNanoUsd: 56_800 }],
    })
    const request = { method: 'POST', body: '{"requestIds":["r-1"]}' }
    expect(await (await fetch(simulator.costUrl('together'), request)).json()).toEqual({ requests: null })
  })

  it('takes 10,000 ids and refuses one more', async () => {
    const simulator = await start()
    const status = async (length: number): Promise<number> => {
      const body = JSON.stringify({ requestIds: Array.from({ length }, (_, index) => `r-${index}`) })
      return (await fetch(simulator.costUrl('cerebras'), { method: 'POST', body })).status
    }
    expect(await status(10_000)).toBe(200)
    expect(await status(10_001)).toBe(400)
  })
})

describe('the server', () => {
  it('gives the same content for the same seed, another for another', async () => {
    const text = async (seed: number): Promise<string> => {
      const body = (await (await ask(await start({ seed }))).json()) as {
        readonly choices: readonly [{ readonly message: { readonly content: string } }]
      }
      return body.choices[0].message.content
    }
    const first = await text(1)
    expect(await text(1)).toBe(first)
    expect(await text(2)).not.toBe(first)
  })

  it('accepts only the key it is given', async () => {
    const simulator = await start({ apiKeys: { cerebras: 'right' } })
    expect((await ask(simulator, {}, { key: 'wrong' })).status).toBe(401)
    expect((await ask(simulator, {}, { key: 'right' })).status).toBe(200)
  })

  it('accepts each of several keys, and counts for each of them by itself', async () => {
    const simulator = await start({ apiKeys: { cerebras: ['one', 'other'] } })
    expect((await ask(simulator, {}, { key: 'none' })).status).toBe(401)
    await (await ask(simulator, {}, { key: 'one', requestId: 'r-1' })).text()
    await (await ask(simulator, {}, { key: 'other', requestId: 'r-2' })).text()
    await (await ask(simulator, {}, { key: 'other', requestId: 'r-3' })).text()

    const ids = (key: string) => simulator.servedTo(key).map(({ requestId }) => requestId)
    expect([ids('one'), ids('other'), ids('none')]).toEqual([['r-1'], ['r-2', 'r-3'], []])
    expect(JSON.stringify(simulator.served, (_, value) => String(value))).not.toContain('other')
  })

  it('tells the costs of a key’s requests to nobody who asks with another key', async () => {
    const simulator = await start()
    await (await ask(simulator, {}, { key: 'one', requestId: 'r-1' })).text()
    const costs = async (key: string) => {
      const request = { method: 'POST', body: JSON.stringify({ requestIds: ['r-1'] }) }
      const headers = { authorization: `Bearer ${key}` }
      return (await fetch(simulator.costUrl('cerebras'), { ...request, headers })).json()
    }

    expect(await costs('one')).toMatchObject({ requests: [{ requestId: 'r-1' }] })
    expect(await costs('other')).toEqual({ requests: null })
  })

  it('remembers the newest requests with headers and body', async () => {
    const simulator = await start()
    await (await ask(simulator, {}, { requestId: 'r-1' })).text()
    expect(simulator.requests).toMatchObject([
      {
        provider: 'cerebras',
        method: 'POST',
        path: '/cerebras/v1/chat/completions',
        headers: { 'x-request-id': 'r-1' },
      },
    ])
    expect(JSON.parse(simulator.requests[0]?.body ?? '')).toMatchObject({ model: 'gpt-oss-120b' })
  })

  it('refuses bodies that are not JSON objects, and paths that are not its own', async () => {
    const simulator = await start()
    const headers = { authorization: 'Bearer key' }
    for (const body of ['', '[]', '{', 'null']) {
      const request = { method: 'POST', headers, body }
      expect((await fetch(`${simulator.baseUrl('cerebras')}/chat/completions`, request)).status).toBe(400)
      expect((await fetch(`${simulator.baseUrl('together')}/chat/completions`, request)).status).toBe(400)
    }
    expect((await fetch(`${simulator.url}/`)).status).toBe(404)
    expect((await fetch(`${simulator.url}/together/v1/%zz`, { headers })).status).toBe(404)
  })

  it('closes with requests open, counts what they had, and frees the port', async () => {
    const simulator = await start()
    const hung = ask(simulator, { model: 'sim/hang' }).catch((error: unknown) => error)
    const stalled = await ask(simulator, { model: 'sim/stall-2', stream: true })
    await expect.poll(() => simulator.requests.length).toBe(2)
    expect(simulator.openSockets()).toBe(2)
    await simulator.close()
    expect(await hung).toBeInstanceOf(Error)
    await expect(stalled.text()).rejects.toThrow()
    expect(simulator.served).toMatchObject([{ outcome: 'aborted', usage: { completion_tokens: 2 } }])
    expect(simulator.openSockets()).toBe(0)
    const again = await start({ port: Number(new URL(simulator.url).port) })
    expect((await ask(again)).status).toBe(200)
  })
})
