import { describe, expect, it } from 'vitest'
import { huggingFaceCosts } from './cost-lookup.ts'

const lookup = huggingFaceCosts({
  url: 'https://example.com/billing',
  headers: { authorization: 'Bearer key' },
})

function decode(...requests: object[]): [string, bigint][] {
  return [...lookup.decode({ requests })]
}

describe('asking for costs', () => {
  it('posts the ids to the configured address', () => {
    const request = lookup.encode(['r.1', 'r.2'])
    expect(request).toMatchObject({
      method: 'POST',
      headers: { authorization: 'Bearer key', 'content-type': 'application/json' },
      body: '{"requestIds":["r.1","r.2"]}',
    })
    expect(request.url.href).toBe('https://example.com/billing')
  })

  it('knows a cost that is told, and an explicit zero', () => {
    expect(decode({ requestId: 'a', costNanoUsd: 52_900 }, { requestId: 'b', costNanoUsd: 0 })).toEqual([
      ['a', 52_900n],
      ['b', 0n],
    ])
  })

  it('rounds a fraction of a nano-USD up', () => {
    expect(decode({ requestId: 'a', costNanoUsd: 0.1 }, { requestId: 'b', costNanoUsd: 7.5 })).toEqual([
      ['a', 1n],
      ['b', 8n],
    ])
  })

  it.each([-1, -0.5, -1e-9, 2 ** 53, 1e300])('does not know a cost of %d', (costNanoUsd) => {
    expect(decode({ requestId: 'a', costNanoUsd })).toEqual([])
  })

  it('knows the others when one cost is missing, null or no number', () => {
    const known = { requestId: 'a', costNanoUsd: 5 }
    for (const odd of [
      { requestId: 'b' },
      { requestId: 'b', costNanoUsd: null },
      { requestId: 'b', costNanoUsd: '5' },
      {},
    ]) {
      expect(decode(odd, known)).toEqual([['a', 5n]])
    }
  })

  it.each([[undefined], [null], ['none'], [{}], [{ requests: null }], [{ requests: {} }]])(
    'knows nothing from %j',
    (body) => {
      expect(lookup.decode(body).size).toBe(0)
    },
  )
})
