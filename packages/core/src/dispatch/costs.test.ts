import { describe, expect, it } from 'vitest'
import { ByteStream } from '../http/byte-stream.ts'
import { huggingFaceCosts } from '../providers/cost-lookup.ts'
import { openaiCompatible } from '../providers/openai-compatible.ts'
import { lookUpCosts } from './costs.ts'
import { type Transport, TransportError } from './transport.ts'

const costs = huggingFaceCosts({ url: 'https://example.com/billing', headers: {} })
const provider = { ...openaiCompatible({ id: 'p', baseUrl: 'https://example.com/v1' }), costs }

/** Answers each question with a status and a body made from the ids that were asked for. */
function transportOf(answer: (ids: readonly string[]) => readonly [number, string]) {
  const asked: (readonly string[])[] = []
  const transport: Transport = {
    async send(request) {
      const { requestIds } = JSON.parse(String(request.body)) as { requestIds: string[] }
      asked.push(requestIds)
      const [status, text] = answer(requestIds)
      const body = new ByteStream({ onResume: () => undefined, onCancel: () => undefined })
      body.write(Buffer.from(text))
      body.end()
      return { status, headers: {}, body }
    },
    close: async () => undefined,
  }
  return { transport, asked }
}

const allCostOne = (ids: readonly string[]) =>
  [200, JSON.stringify({ requests: ids.map((requestId) => ({ requestId, costNanoUsd: 1 })) })] as const

describe('looking up costs', () => {
  it('gives what the provider knows, and leaves out what it does not', async () => {
    const { transport } = transportOf(() => [200, '{"requests":[{"requestId":"a","costNanoUsd":5}]}'])
    expect([...(await lookUpCosts(provider, ['a', 'b'], transport))]).toEqual([['a', 5n]])
  })

  it('takes no word on an id that was not asked for', async () => {
    const { transport } = transportOf(() => allCostOne(['a', 'someone-elses']))
    expect([...(await lookUpCosts(provider, ['a'], transport)).keys()]).toEqual(['a'])
  })

  it('asks for 10,000 at a time', async () => {
    const ids = Array.from({ length: 20_001 }, (_, index) => `r${index}.1`)
    const { transport, asked } = transportOf(allCostOne)
    expect((await lookUpCosts(provider, ids, transport)).size).toBe(20_001)
    expect(asked.map(({ length }) => length)).toEqual([10_000, 10_000, 1])
  })

  it.each([
    ['an error', [500, '{"requests":[{"requestId":"a","costNanoUsd":5}]}']],
    ['no JSON', [200, '<html>']],
    ['another shape', [200, '[]']],
  ] as const)('knows nothing after %s, which is not a fault', async (_case, answer) => {
    const { transport } = transportOf(() => answer)
    expect((await lookUpCosts(provider, ['a'], transport)).size).toBe(0)
  })

  it('knows nothing when the provider is out of reach, and goes on with the next batch', async () => {
    const { transport, asked } = transportOf((ids) => {
      if (ids.length > 1) throw new TransportError('reset', undefined)
      return allCostOne(ids)
    })
    const ids = Array.from({ length: 10_001 }, (_, index) => `r${index}`)
    expect([...(await lookUpCosts(provider, ids, transport)).keys()]).toEqual(['r10000'])
    expect(asked).toHaveLength(2)
  })

  it('asks nobody without a look-up, and nothing without ids', async () => {
    const { transport, asked } = transportOf(allCostOne)
    const { costs: _costs, ...mute } = provider
    expect((await lookUpCosts(mute, ['a'], transport)).size).toBe(0)
    expect((await lookUpCosts(provider, [], transport)).size).toBe(0)
    expect(asked).toEqual([])
  })
})
