import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Simulator, startSimulator } from './index.ts'

interface Prediction {
  readonly id: string
  readonly status: string
  readonly output: readonly string[] | null
  readonly urls: { readonly get: string; readonly cancel: string; readonly stream: string }
  readonly metrics?: { readonly predict_time: number; readonly output_token_count?: number }
}

const headers = { authorization: 'Bearer r8_key', 'content-type': 'application/json' }
const language = 'meta/meta-llama-3-8b-instruct'
const flux = 'black-forest-labs/flux-schnell'

let simulator: Simulator
beforeEach(async () => {
  simulator = await startSimulator()
})
afterEach(() => simulator.close())

async function create(model: string, input: object, more: Record<string, string> = {}): Promise<Response> {
  return fetch(`${simulator.baseUrl('replicate')}/models/${model}/predictions`, {
    method: 'POST',
    headers: { ...headers, ...more },
    body: JSON.stringify({ input }),
  })
}

async function run(model: string, input: object = { prompt: 'a cat' }): Promise<Prediction> {
  return (await (await create(model, input, { prefer: 'wait=5' })).json()) as Prediction
}

async function poll(prediction: Prediction): Promise<Prediction> {
  return (await (await fetch(prediction.urls.get, { headers })).json()) as Prediction
}

describe('replicate predictions', () => {
  it('answers at once when the caller waits', async () => {
    const response = await create(flux, { prompt: 'a cat', num_outputs: 2 }, { prefer: 'wait' })
    const body = (await response.json()) as Prediction
    expect(response.status).toBe(201)
    expect(response.headers.get('location')).toBe(body.urls.get)
    expect(body).toMatchObject({
      model: flux,
      version: 'hidden',
      status: 'succeeded',
      error: null,
      metrics: { predict_time: expect.any(Number), total_time: expect.any(Number), image_count: 2 },
    })
    expect(body.id).toMatch(/^[a-z0-9]{26}$/)
    expect((await fetch(body.output?.[1] ?? '')).headers.get('content-type')).toBe('image/png')
    // 2 x 0.003 USD.
    expect(simulator.served).toMatchObject([
      { operation: 'images', costNanoUsd: 6_000_000n, outcome: 'complete' },
    ])
  })

  it('starts, and shows metrics only when it is polled to its end', async () => {
    const response = await create(flux, { prompt: 'a cat' })
    const started = (await response.json()) as Prediction
    expect(response.status).toBe(201)
    expect(started).toMatchObject({ status: 'starting', output: null })
    expect(started).not.toHaveProperty('metrics')
    expect(await poll(started)).toMatchObject({ status: 'succeeded', metrics: { image_count: 1 } })
    expect(simulator.served).toHaveLength(1)
  })

  it('answers a prompt in pieces and bills the tokens', async () => {
    const body = await run(language, { prompt: 'say 8 tokens', system_prompt: 'abcd', max_tokens: 5 })
    expect(body.output?.join('')).toMatch(/^Simulated answer: /)
    expect(body.output).toHaveLength(5)
    expect(body.metrics).toMatchObject({ input_token_count: 4, output_token_count: 5 })
    // 4 x 0.05 + 5 x 0.25 USD per million tokens.
    expect(simulator.served.at(-1)).toMatchObject({ operation: 'chat', costNanoUsd: 1450n })
  })

  it('bills a time priced model by its seeded predict time', async () => {
    const body = await run('stability-ai/sdxl')
    const time = body.metrics?.predict_time ?? 0
    expect(await run('stability-ai/sdxl')).toMatchObject({ metrics: { predict_time: time } })
    expect(String(time)).toMatch(/^\d\.\d{1,6}$/)
    const micros = BigInt(Math.round(time * 1_000_000))
    expect(simulator.served[0]?.costNanoUsd).toBe((micros * 975n + 999n) / 1000n)
  })

  it('takes a version in each of its forms', async () => {
    const list = (await (await fetch(`${simulator.baseUrl('replicate')}/models`, { headers })).json()) as {
      readonly results: readonly { readonly name: string; readonly latest_version: { readonly id: string } }[]
    }
    const version = list.results.find(({ name }) => name === 'sdxl')?.latest_version.id ?? ''
    const post = (body: object) =>
      fetch(`${simulator.baseUrl('replicate')}/predictions`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      })
    for (const form of [version, `stability-ai/sdxl:${version}`, 'stability-ai/sdxl']) {
      expect((await post({ version: form, input: { prompt: 'x' } })).status).toBe(201)
    }
    const refused = await post({ model: 'stability-ai/sdxl', input: { prompt: 'x' } })
    expect(refused.status).toBe(422)
    expect(await refused.json()).toMatchObject({ invalid_fields: [{ field: 'model' }] })
    expect((await post({ version: 'f'.repeat(64), input: { prompt: 'x' } })).status).toBe(422)
  })

  it('refuses in the form of problems', async () => {
    expect((await create('no/model', { prompt: 'x' })).status).toBe(404)
    expect((await create(flux, {})).status).toBe(422)
    expect((await create(flux, { prompt: 'x', num_outputs: 5 })).status).toBe(422)
    expect((await create(flux, { prompt: 'x' }, { authorization: '' })).status).toBe(401)
    simulator.script('replicate', [
      { kind: 'status', status: 402 },
      { kind: 'status', status: 429 },
    ])
    expect(await (await create(flux, { prompt: 'x' })).json()).toMatchObject({
      title: 'Insufficient credit',
      status: 402,
    })
    const throttled = await create(flux, { prompt: 'x' })
    expect(throttled.headers.get('retry-after')).toBe('1')
    expect(await throttled.json()).toMatchObject({ status: 429, retry_after: 1 })
    expect(simulator.served).toHaveLength(0)
  })

  it('lets a slow job be polled as often as it says, even when the caller waits', async () => {
    const started = await run('sim/slow-job-2')
    expect(started.status).toBe('processing')
    expect((await poll(started)).status).toBe('processing')
    expect((await poll(started)).status).toBe('processing')
    expect(simulator.served).toHaveLength(0)
    expect((await poll(started)).status).toBe('succeeded')
    expect((await poll(started)).status).toBe('succeeded')
    expect(simulator.served).toHaveLength(1)
  })

  it('gives up waiting after the seconds the caller named', async () => {
    await simulator.close()
    simulator = await startSimulator({ pace: { firstTokenMs: 60_000 } })
    const body = (await (await create(flux, { prompt: 'x' }, { prefer: 'wait=1' })).json()) as Prediction
    expect(body.status).toBe('processing')
  })

  it('bills a canceled job for its compute time, and no images', async () => {
    simulator.script('replicate', [
      { kind: 'slow-job', polls: 3 },
      undefined,
      undefined,
      { kind: 'slow-job', polls: 3 },
    ])
    const timed = await run('stability-ai/sdxl')
    await poll(timed)
    const cancel = async (prediction: Prediction) =>
      (await (await fetch(prediction.urls.cancel, { method: 'POST', headers })).json()) as Prediction
    const canceled = await cancel(timed)
    expect(canceled).toMatchObject({ status: 'canceled', output: null })
    const micros = BigInt(Math.round((canceled.metrics?.predict_time ?? 0) * 1_000_000))
    expect(micros).toBeGreaterThan(0n)
    expect(simulator.served.at(-1)).toMatchObject({
      costNanoUsd: (micros * 975n + 999n) / 1000n,
      outcome: 'aborted',
    })
    const perImage = await run(flux)
    expect(await cancel(perImage)).toMatchObject({ status: 'canceled' })
    expect(simulator.served.at(-1)).toMatchObject({ costNanoUsd: 0n, outcome: 'aborted' })
    expect(await cancel(perImage)).toMatchObject({ status: 'canceled' })
    expect(simulator.served).toHaveLength(2)
  })

  it('shows output before metrics when told to, once', async () => {
    const early = await run('sim/output-before-metrics')
    expect(early).toMatchObject({ status: 'processing', output: expect.any(Array) })
    expect(early).not.toHaveProperty('metrics')
    expect(early).not.toHaveProperty('completed_at')
    expect(await poll(early)).toMatchObject({
      status: 'succeeded',
      metrics: { output_token_count: expect.any(Number) },
    })
  })

  it('fails a job with status 201 and bills only compute time', async () => {
    expect(await run('sim/job-failed')).toMatchObject({
      status: 'failed',
      output: null,
      error: expect.any(String),
    })
    expect(simulator.served).toMatchObject([{ outcome: 'failed', costNanoUsd: 0n }])
    simulator.fault('replicate', { kind: 'job-failed' })
    await run('stability-ai/sdxl')
    expect(simulator.served.at(-1)?.costNanoUsd).toBeGreaterThan(0n)
  })

  it('leaves metrics out, or sets them to zero or null, when told to', async () => {
    expect(await run('sim/no-usage')).not.toHaveProperty('metrics')
    expect((await run('sim/usage-null')).metrics).toBeNull()
    expect((await run('sim/zero-usage')).metrics).toMatchObject({ output_token_count: 0, predict_time: 0 })
    expect(simulator.served.every(({ costNanoUsd }) => costNanoUsd > 0n)).toBe(true)
  })

  it('plays a scripted fault on the poll it is meant for', async () => {
    simulator.script('replicate', [undefined, { kind: 'status', status: 503 }])
    const started = (await (await create(flux, { prompt: 'x' })).json()) as Prediction
    expect((await fetch(started.urls.get, { headers })).status).toBe(503)
    expect((await poll(started)).status).toBe('succeeded')
  })

  it('counts under the request id of the create call', async () => {
    await (await create(flux, { prompt: 'x' }, { 'x-request-id': 'r-1' })).text()
    expect(simulator.served).toMatchObject([
      { requestId: 'r-1', providerRequestId: expect.stringMatching(/^\w{26}$/) },
    ])
  })

  it('holds many slow jobs without a warning', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => void warnings.push(warning)
    process.on('warning', onWarning)
    await Promise.all(Array.from({ length: 30 }, () => run('sim/slow-job-9')))
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })
})

it('shows and cancels a prediction only with the key it was created with', async () => {
  const started = await run('sim/slow-job-5')
  const other = { authorization: 'Bearer other' }

  expect((await fetch(started.urls.get, { headers: other })).status).toBe(404)
  const cancelling = await fetch(`${started.urls.get}/cancel`, { method: 'POST', headers: other })
  expect(cancelling.status).toBe(404)
  expect(await poll(started)).toMatchObject({ id: started.id, status: 'processing' })
})

describe('replicate streams', () => {
  it('streams the pieces as plain text and ends a slow job when read to the end', async () => {
    const started = await run('sim/slow-job-5', { prompt: 'say 3 tokens' })
    const response = await fetch(started.urls.stream, {
      headers: { ...headers, accept: 'text/event-stream' },
    })
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    const events = (await response.text()).trimEnd().split('\n\n')
    expect(events[0]).toBe('event: output\nid: 1700000000:0\ndata: Simulated')
    expect(events[1]).toBe('event: output\nid: 1700000001:0\ndata:  answer:')
    expect(events.at(-1)).toBe('event: done\ndata: {}')
    expect(simulator.served).toMatchObject([{ usage: { output_token_count: 3 }, outcome: 'complete' }])
    expect(await poll(started)).toMatchObject({ status: 'succeeded' })
  })

  it('streams the addresses of images', async () => {
    const done = await run(flux)
    const text = await (await fetch(done.urls.stream, { headers })).text()
    expect(text).toContain(`data: ${done.output?.[0]}\n\n`)
  })

  it('ends a failed job with an error and a reason', async () => {
    const failed = await run('sim/job-failed')
    const text = await (await fetch(failed.urls.stream, { headers })).text()
    expect(text).toBe(
      'event: error\ndata: {"detail":"An error occurred."}\n\nevent: done\ndata: {"reason":"error"}\n\n',
    )
  })

  it('plays a scripted fault on the stream and goes on with the job', async () => {
    const done = await run(language)
    simulator.script('replicate', [{ kind: 'truncate', afterChunks: 2 }])
    await expect(fetch(done.urls.stream, { headers }).then((response) => response.text())).rejects.toThrow()
    expect(simulator.served).toHaveLength(1)
  })
})
