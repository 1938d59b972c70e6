import { describe, expect, it } from 'vitest'
import { type GatewayError, isGatewayError } from '../errors.ts'
import type { GatewayRequest } from '../http/exchange.ts'
import { nano, usd } from '../money.ts'
import { type AccountDocument, noAccountSetups } from './account-documents.ts'
import { authenticatePayer } from './authenticate.ts'
import { noOwnKeys } from './own-keys.ts'
import { billTo, choosePayer, type Payer, payerOf } from './payer.ts'
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

/** Who pays, given what the caller and everybody else have set. */
function pay(principal: Principal, header?: string | readonly string[], set: AccountDocument = {}): Payer {
  return payerOf(principal, choosePayer(principal, billTo(request(header)), set.defaultPayer), {
    document: set,
    ownKeys: noOwnKeys,
  })
}

function refusal(
  principal: Principal,
  header?: string | readonly string[],
  set?: AccountDocument,
): GatewayError {
  try {
    pay(principal, header, set)
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
    expect(pay(ada)).toEqual({
      accountId: 'ada',
      name: 'ada',
      memberId: 'laptop',
      preferredProviders: ['cerebras'],
      disabledProviders: [],
      ownKeys: noOwnKeys,
    })
  })

  it('the default payer pays, by account id or by name', () => {
    expect(pay({ ...ada, defaultPayer: 'acme' }).accountId).toBe('acme')
    expect(pay({ ...ada, defaultPayer: 'beta' }).accountId).toBe('org:17')
    expect(pay({ ...ada, defaultPayer: 'ada' }).accountId).toBe('ada')
  })

  it('the payer that the account has set pays, unless the host gives a default', () => {
    expect(pay(ada, undefined, { defaultPayer: 'beta' }).accountId).toBe('org:17')
    expect(pay({ ...ada, defaultPayer: 'acme' }, undefined, { defaultPayer: 'beta' }).accountId).toBe('acme')
    expect(refusal(ada, undefined, { defaultPayer: 'gone' }).code).toBe('payer_not_allowed')
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
    expect(pay(ada, 'acme')).toEqual({
      accountId: 'acme',
      name: 'acme',
      memberId: 'ada',
      preferredProviders: ['cerebras'],
      disabledProviders: [],
      ownKeys: noOwnKeys,
    })
  })

  it('an account is known by its id and by its name, with its own member and preferences', () => {
    const beta = {
      accountId: 'org:17',
      name: 'beta',
      memberId: 'ada@beta',
      preferredProviders: ['together'],
      disabledProviders: [],
      ownKeys: noOwnKeys,
    }
    expect(pay(ada, 'beta')).toEqual(beta)
    expect(pay(ada, 'org:17')).toEqual(beta)
  })

  it('it wins over the default payer, also when it names the caller', () => {
    const defaulting = { ...ada, defaultPayer: 'acme' }
    expect(pay(defaulting, 'beta').accountId).toBe('org:17')
    expect(pay(defaulting, 'ada')).toMatchObject({ accountId: 'ada', memberId: 'laptop' })
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
    expect(pay(ada, ['acme']).accountId).toBe('acme')
  })

  it('an empty one is refused, because somebody meant somebody', () => {
    expect(refusal(ada, '')).toMatchObject({ code: 'invalid_request', status: 400 })
  })

  it('is refused for a caller without further accounts', () => {
    expect(refusal({ accountId: 'eve' }, 'acme').message).toMatch(/no other account you may bill/)
    expect(pay({ accountId: 'eve' }, 'eve').accountId).toBe('eve')
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
    await expect(authenticatePayer(() => ({ accountId }), noAccountSetups, request())).rejects.toThrow(
      RangeError,
    )
    const principal = { accountId: 'ada', payers: [{ accountId, name: 'acme' }] }
    await expect(authenticatePayer(() => principal, noAccountSetups, request('acme'))).rejects.toThrow(
      RangeError,
    )
  })
})

describe('what a request must not go to', () => {
  const disabledProviders = ['cerebras']

  it('is what the host says of the caller, what it says of the payer, and what the payer has set', () => {
    const eve: Principal = {
      accountId: 'eve',
      disabledProviders: ['a'],
      payers: [{ accountId: 'acme', disabledProviders: ['b'] }],
    }
    expect(pay(eve, 'acme', { disabledProviders: ['c'] }).disabledProviders.toSorted()).toEqual([
      'a',
      'b',
      'c',
    ])
    expect(pay(eve, 'eve', { disabledProviders: ['c'] }).disabledProviders.toSorted()).toEqual(['a', 'c'])
    expect(pay(eve, 'acme').disabledProviders.toSorted()).toEqual(['a', 'b'])
  })

  it('is one list without a copy where there is only one', () => {
    expect(pay({ accountId: 'eve' }, undefined, { disabledProviders }).disabledProviders).toBe(
      disabledProviders,
    )
    expect(pay({ accountId: 'eve', disabledProviders }).disabledProviders).toBe(disabledProviders)
    expect(
      pay({ accountId: 'eve', disabledProviders: [] }, undefined, { disabledProviders }).disabledProviders,
    ).toBe(disabledProviders)
  })
})

describe('authentication', () => {
  function documents(set: Readonly<Record<string, AccountDocument>>) {
    const loaded: string[] = []
    return {
      loaded,
      known: () => undefined,
      load: async (accountId: string) => {
        loaded.push(accountId)
        return { document: set[accountId] ?? {}, ownKeys: noOwnKeys }
      },
    }
  }

  it('looks only at what the accounts concerned have set', async () => {
    const set = documents({ ada: { defaultPayer: 'acme' }, acme: { disabledProviders: ['together'] } })

    expect(await authenticatePayer(() => ada, set, request())).toMatchObject({
      accountId: 'acme',
      memberId: 'ada',
      disabledProviders: ['together'],
    })
    expect(set.loaded).toEqual(['ada', 'acme'])
    await authenticatePayer(() => ada, set, request('beta'))
    expect(set.loaded.slice(2)).toEqual(['org:17'])
    await authenticatePayer(() => ({ accountId: 'eve' }), set, request())
    expect(set.loaded.slice(3)).toEqual(['eve'])
    await authenticatePayer(() => ada, set, request('ada'))
    expect(set.loaded.slice(4)).toEqual(['ada'])
  })

  it('does not look at what an account has set for a caller who may not bill it', async () => {
    const set = documents({})
    await expect(authenticatePayer(() => ada, set, request('other'))).rejects.toMatchObject({ status: 403 })
    expect(set.loaded).toEqual([])
  })
})

describe('the limits of a payer', () => {
  it('are those of the caller and of the key, by names of their own in the account that pays', () => {
    const principal = {
      accountId: 'alice',
      memberId: 'ada',
      payers: ['acme'],
      limits: { requestsPerMinute: 5 },
      keyId: 'k1',
      keyLimits: { tokensPerMinute: 7 },
    }

    for (const payer of [pay(principal), pay(principal, 'acme')]) {
      expect(payer.keyId).toBe('k1')
      expect(payer.limits).toEqual([
        { who: 'caller', name: 'caller:["alice","ada"]', limits: { requestsPerMinute: 5 } },
        { who: 'key', name: 'key:k1', limits: { tokensPerMinute: 7 } },
      ])
    }
  })

  it('have the cap of the key besides, whoever pays', () => {
    const keyCap = { amount: usd('5.00'), per: 'lifetime' } as const
    const principal = { accountId: 'alice', payers: ['acme'], keyId: 'k1', keyCap }

    for (const payer of [pay(principal), pay(principal, 'acme')]) expect(payer.keyCap).toBe(keyCap)
    expect(pay({ accountId: 'alice', keyId: 'k1' }).keyCap).toBeUndefined()
  })

  it('that bound a key the host has not named, or by less than nothing, are the host’s fault', () => {
    const capped = (amount: bigint, keyId?: string) => () =>
      pay({
        accountId: 'alice',
        ...(keyId !== undefined && { keyId }),
        keyCap: { amount: nano(amount), per: 'period' },
      })
    expect(capped(1n)).toThrow('keyCap needs the keyId that it is for.')
    expect(capped(-1n, 'k')).toThrow('The cap of a key is an amount of nano-USD from 0 on')
  })

  it('are none where nobody said any, or nothing is in them', () => {
    expect(pay({ accountId: 'alice' }).limits).toBeUndefined()
    expect(pay({ accountId: 'alice', limits: {} }).limits).toEqual([])
  })

  it.each([
    [{ limits: { requestsPerMinute: 0 } }, 'The limits that authenticate gave.requestsPerMinute must be'],
    [
      { keyId: 'k', keyLimits: { tokensPerMinute: 0.5 } },
      'The keyLimits that authenticate gave.tokensPerMinute',
    ],
    [{ keyLimits: { requestsPerMinute: 1 } }, 'keyLimits need the keyId that they are for.'],
    [{ keyId: '' }, 'A key id has 1 to 128 characters, not 0.'],
    [{ keyId: 'k'.repeat(129) }, 'A key id has 1 to 128 characters, not 129.'],
  ])('that cannot be meant are the host’s fault: %j', (members, message) => {
    expect(() => pay({ accountId: 'alice', ...members })).toThrow(message)
  })
})
