import type { Quantities } from '@farebox/core'
import { accountId, chat, chatModel, type Question } from '@farebox/testkit/adapter'
import { describe, expect, it } from 'vitest'
import { onExpress } from './on-express.ts'

const replicateModel = 'meta-llama/Meta-Llama-3-8B-Instruct'

const completion = (members: object, model: string): Question => ({
  ...chat(),
  path: '/v1/completions',
  body: { model, prompt: 'say 7 tokens', ...members },
})

describe.each([
  { provider: 'cerebras', path: 'chat', model: `${chatModel}:cerebras` },
  { provider: 'together', path: 'chat', model: `${chatModel}:together` },
  { provider: 'replicate', path: 'chat', model: `${replicateModel}:replicate` },
  { provider: 'cerebras', path: 'completions', model: `${chatModel}:cerebras` },
  { provider: 'together', path: 'completions', model: `${chatModel}:together` },
] as const)('failure 9: $path of $provider', ({ provider, path, model }) => {
  const question = (members: object): Question =>
    path === 'chat' ? chat({ model, say: 7, ...members }) : completion(members, model)

  it.each([
    { caller: 'asked for usage', options: { stream_options: { include_usage: true } } },
    { caller: 'did not ask for usage', options: {} },
    { caller: 'asked for none', options: { stream_options: { include_usage: false } } },
  ])(
    'meters a stream as it meters the same answer in one piece, when the caller $caller',
    async ({ options }) => {
      await onExpress({}, async (rig) => {
        await rig.client.ask(question({}))
        await rig.client.ask(question({ stream: true, ...options }))
        await rig.quiet()

        const [whole, stream] = rig.receipts
        expect(rig.receipts).toHaveLength(2)
        expect(tokensOf(stream?.attempts[0]?.usage?.quantities)).toEqual(
          tokensOf(whole?.attempts[0]?.usage?.quantities),
        )
        expect(stream?.attempts[0]?.usage?.certainty).toBe('exact')
        expect(stream?.attempts[0]?.usage?.quantities.output_token).toBe(7n)
        expect([whole?.charged, stream?.charged]).toEqual(
          rig.simulator.served.map(({ costNanoUsd }) => costNanoUsd),
        )
        expect(rig.simulator.served.map((served) => served.provider)).toEqual([provider, provider])
      })
    },
  )
})

describe('failure 17: a job that is polled', () => {
  it.each([0, 1, 5])(
    'is held once, charged once and polled for free, when it takes %i polls',
    async (polls) => {
      await onExpress({}, async (rig) => {
        rig.simulator.fault('replicate', { kind: 'slow-job', polls })
        const answer = await rig.client.ask({
          ...chat(),
          path: '/v1/images/generations',
          body: { model: 'black-forest-labs/FLUX.1-schnell:replicate', prompt: 'a fare box' },
        })

        expect(answer.status).toBe(200)
        const asked = rig.simulator.requests.filter(({ method }) => method === 'GET')
        expect(asked.length).toBeGreaterThanOrEqual(polls)
        const receipt = await rig.onlyReceipt()
        expect(rig.simulator.served).toHaveLength(1)
        expect(receipt.charged).toBe(rig.simulator.served[0]?.costNanoUsd)
        const entries = await rig.gateway.accounts.journal({ accountId })
        expect(entries.filter(({ kind }) => kind === 'settled')).toHaveLength(1)
      })
    },
  )

  it('is charged once when it is looked at again after it was settled', async () => {
    await onExpress({}, async (rig) => {
      await rig.client.ask({
        ...chat(),
        path: '/v1/images/generations',
        body: { model: 'black-forest-labs/FLUX.1-schnell:replicate', prompt: 'a fare box' },
      })
      const receipt = await rig.onlyReceipt()
      const before = await rig.balance()

      for (let look = 0; look < 3; look += 1) {
        await rig.gateway.receipts.get({ accountId, requestId: receipt.requestId })
        await rig.gateway.reconcile()
      }
      expect(await rig.balance()).toEqual(before)
    })
  })
})

function tokensOf(quantities: Quantities | undefined) {
  const { input_token, cached_input_token, output_token } = quantities ?? {}
  return { input_token, cached_input_token, output_token }
}
