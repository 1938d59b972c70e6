import { describe, expect, it } from 'vitest'
import { type GatewayError, isGatewayError } from '../errors.ts'
import type { GatewayRequest } from '../http/exchange.ts'
import { authenticatePayer } from './authenticate.ts'
import { choosePayer } from './payer.ts'
import type { Principal } from './principal.ts'

function request(billTo?: string | readonly string[]): GatewayRequest {
  return {
    method: 'POST',
    path: '/v1/chat/completions',
    headers: billTo === undefined ? {} : { 'x-hf-bill-to': billTo },
    body: { kind: 'drained' },
    signal: new AbortController().signal,
  }
}

function refusal(principal: Principal, billTo?: string | readonly string[]): GatewayError {
  try {
    choosePayer(principal, request(billTo))
  } catch (error) {
    if (isGatewayError(error)) return error
    throw error
  }
  throw new Error('Somebody pays.')
}

const ada: Principal = {
  accountId: 'ada',
  memberId: 'laptop',
  preferredProviders: ['cerebras'],
  payers: [
    'acme',
    { accountId: 'org:17', name: 'beta', memberId: 'ada@beta', preferredProviders: ['together'] },
  ],
}

describe('without a header', () => {
  it('the caller pays', () => {
    expect(choosePayer(ada, request())).toEqual({
      accountId: 'ada',
      name: 'ada',
      memberId: 'laptop',
      preferredProviders: ['cerebras'],
    })
  })

  it('the default payer pays, by account id or by name', () => {
    expect(choosePayer({ ...ada, defaultPayer: 'acme' }, request()).accountId).toBe('acme')
    expect(choosePayer({ ...ada, defaultPayer: 'beta' }, request()).accountId).toBe('org:17')
    expect(choosePayer({ ...ada, defaultPayer: 'ada' }, request()).accountId).toBe('ada')
  })

  it('nobody pays when the default may not be billed: the caller is not billed in its place', () => {
    const error = refusal({ ...ada, defaultPayer: 'gone' })
    expect(error).toMatchObject({ code: 'payer_not_allowed', status: 403, facts: { payer: 'gone' } })
    expect(error.message).toMatch(/'gone'.*default payer.*'ada'/)
    expect(refusal({ ...ada, defaultPayer: '' }).code).toBe('invalid_request')
  })
})

describe('with a header', () => {
  it('the account it names pays, and the member in it is the caller’s own account', () => {
    expect(choosePayer(ada, request('acme'))).toEqual({
      accountId: 'acme',
      name: 'acme',
      memberId: 'ada',
      preferredProviders: ['cerebras'],
    })
  })

  it('an account is known by its id and by its name, with its own member and preferences', () => {
    const beta = {
      accountId: 'org:17',
      name: 'beta',
      memberId: 'ada@beta',
      preferredProviders: ['together'],
    }
    expect(choosePayer(ada, request('beta'))).toEqual(beta)
    expect(choosePayer(ada, request('org:17'))).toEqual(beta)
  })

  it('it wins over the default payer, also when it names the caller', () => {
    const defaulting = { ...ada, defaultPayer: 'acme' }
    expect(choosePayer(defaulting, request('beta')).accountId).toBe('org:17')
    expect(choosePayer(defaulting, request('ada'))).toMatchObject({ accountId: 'ada', memberId: 'laptop' })
  })

  it.each(['other', 'ACME', 'acme ', 'acme, ada', 'org', '__proto__'])(
    '%j is refused, and named',
    (billTo) => {
      const error = refusal(ada, billTo)
      expect(error).toMatchObject({ code: 'payer_not_allowed', status: 403, facts: { payer: billTo } })
      expect(error.message).toContain(`You may not bill '${billTo}'.`)
      expect(error.message).toContain("You may also bill 'acme', 'beta'.")
    },
  )

  it('several of them name nobody', () => {
    expect(refusal(ada, ['acme', 'beta']).code).toBe('payer_not_allowed')
    expect(choosePayer(ada, request(['acme'])).accountId).toBe('acme')
  })

  it('an empty one is refused, because somebody meant somebody', () => {
    expect(refusal(ada, '')).toMatchObject({ code: 'invalid_request', status: 400 })
  })

  it('is refused for a caller without further accounts', () => {
    expect(refusal({ accountId: 'eve' }, 'acme').message).toMatch(/no other account you may bill/)
    expect(choosePayer({ accountId: 'eve' }, request('eve')).accountId).toBe('eve')
  })

  it('quotes at most 128 characters of it, and lists at most ten accounts', () => {
    const payers = Array.from({ length: 30 }, (_, index) => `org${index}`)
    const error = refusal({ accountId: 'ada', payers }, 'x'.repeat(10_000))
    expect(error.message.length).toBeLessThan(400)
    expect(error.message).toContain("'org9', …")
    expect(error.message).not.toContain('org10')
  })
})

describe('a host that gives an account id out of bounds', () => {
  it.each(['', 'x'.repeat(129)])('is at fault itself: %j', async (accountId) => {
    await expect(authenticatePayer(() => ({ accountId }), request())).rejects.toThrow(RangeError)
    const principal = { accountId: 'ada', payers: [{ accountId, name: 'acme' }] }
    await expect(authenticatePayer(() => principal, request('acme'))).rejects.toThrow(RangeError)
  })
})
