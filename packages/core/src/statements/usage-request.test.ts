import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../errors.ts'
import { readUsageRequest } from './usage-request.ts'

const now = Date.UTC(2026, 10, 22, 13)
const read = (query: string | undefined) => readUsageRequest('alice', query, now)

describe('the query of GET /v1/usage', () => {
  it('is about this month so far when it says nothing', () => {
    expect(read(undefined)).toEqual({ accountId: 'alice', from: '2026-11-01', to: '2026-11-23', groupBy: [] })
    expect(read('to=2026-09-01')).toMatchObject({ from: '2026-08-01', to: '2026-09-01' })
    expect(read('from=2026-10-05')).toMatchObject({ from: '2026-10-05', to: '2026-11-23' })
  })

  it('reads days, groups, limit and cursor', () => {
    const query = 'from=2026-10-01&to=2026-11-01&group_by=day,model&limit=7&cursor=abc'
    expect(read(query)).toEqual({
      accountId: 'alice',
      from: '2026-10-01',
      to: '2026-11-01',
      groupBy: ['day', 'model'],
      limit: 7,
      cursor: 'abc',
    })
  })

  it.each([
    [
      'groupby=day',
      'groupby',
      'There is no parameter "groupby" here. Use from, to, group_by, limit, cursor.',
    ],
    ['limit=ten', 'limit', 'limit must be a whole number, not "ten".'],
    ['limit=-1', 'limit', 'limit must be a whole number, not "-1".'],
    ['from=2026-10-01&from=2026-10-02', 'from', 'from is given twice.'],
  ])('refuses %s and says why', (query, param, message) => {
    expect(() => read(query)).toThrow(
      expect.toSatisfy((error) => isGatewayError(error) && error.param === param),
    )
    expect(() => read(query)).toThrow(message)
  })
})
