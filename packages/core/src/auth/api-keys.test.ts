import { describe, expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import type { GatewayRequest } from '../http/exchange.ts'
import { randomSecrets } from '../ids.ts'
import type { KeyBalance } from '../ledger/key-balance.ts'
import type { KeyCap } from '../ledger/key-cap.ts'
import type { KeyStore } from '../ledger/key-store.ts'
import { memoryKeys } from '../ledger/memory-keys.ts'
import { Unavailable } from '../ledger/storage.ts'
import { nano, usd } from '../money.ts'
import { createApiKeys } from './api-keys.ts'
import type { ReadKeyBalances } from './key-spent.ts'

const request = (key: string | undefined): GatewayRequest => ({
  method: 'POST',
  path: '/v1/chat/completions',
  headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
  body: { kind: 'drained' },
  signal: new AbortController().signal,
})

const noBalances: ReadKeyBalances = async () => []

const cap: KeyCap = { amount: usd('5.00'), per: 'period' }

/** Two processes on one store. Of one of them it is counted what it reads, and a key that it reads can be held up. */
function start() {
  const clock = fakeClock(1_000_000)
  const store = memoryKeys()
  const seen = { reads: [] as string[], isDown: false }
  let held: Promise<void> | undefined
  const watched: KeyStore = {
    ...store,
    async get(key) {
      seen.reads.push(key)
      if (seen.isDown) throw new Unavailable('down')
      const found = await store.get(key)
      if (key.startsWith('api-key:')) await held
      return found
    },
  }
  return {
    clock,
    store,
    seen,
    here: createApiKeys({ keys: watched, clock, secrets: randomSecrets, balances: noBalances }),
    there: createApiKeys({ keys: store, clock, secrets: randomSecrets, balances: noBalances }),
    /** Keeps what was read of a key from arriving until it is let go. */
    hold() {
      let letGo = () => {}
      held = new Promise((resolve) => {
        letGo = () => {
          held = undefined
          resolve()
        }
      })
      return letGo
    },
  }
}

describe('a key', () => {
  it('says who asks, with which key, and what may be asked for', async () => {
    const { here } = start()
    const { key, keyId } = await here.create({
      accountId: 'acme',
      memberId: 'ada',
      limits: { requestsPerMinute: 5 },
      models: ['openai/*'],
    })

    expect(key).toMatch(new RegExp(`^fb_${keyId}_`))
    expect(await here.authenticate(request(key))).toEqual({
      accountId: 'acme',
      memberId: 'ada',
      keyId,
      keyLimits: { requestsPerMinute: 5 },
      models: ['openai/*'],
    })
  })

  it('is told once: neither the store nor a list has more than its hash', async () => {
    const { here, store } = start()
    const { key, keyId } = await here.create({ accountId: 'acme', name: 'ci' })
    const { documents } = await store.list('', null, 100)
    const kept = JSON.stringify(documents, (_, value) => (typeof value === 'bigint' ? String(value) : value))

    expect(kept).toContain(keyId)
    expect(kept).not.toContain(key.slice(20, 50))
    expect(await here.list('acme')).toEqual([
      { keyId, accountId: 'acme', name: 'ci', createdAtMs: 1_000_000 },
    ])
  })

  it('is known without waiting once it was used, for a second', async () => {
    const { here, clock, seen } = start()
    const { key } = await here.create({ accountId: 'acme' })
    await here.authenticate(request(key))
    const before = seen.reads.length
    clock.advance(999)
    const again = here.authenticate(request(key))

    expect(again).toMatchObject({ accountId: 'acme' })
    expect(seen.reads.length).toBe(before)
  })

  it('costs one look a second, however many keys are used', async () => {
    const { here, clock, seen } = start()
    const keys = await Promise.all(Array.from({ length: 5 }, () => here.create({ accountId: 'acme' })))
    await Promise.all(keys.map(({ key }) => here.authenticate(request(key))))
    clock.advance(1_000)
    seen.reads.length = 0
    await Promise.all(keys.map(({ key }) => here.authenticate(request(key))))

    expect(seen.reads).toEqual(['api-key-epoch'])
  })

  it('is nobody’s when it is unknown, of another scheme, or has the id of another', async () => {
    const { here, seen } = start()
    const { key } = await here.create({ accountId: 'acme' })
    const before = seen.reads.length
    for (const wrong of [undefined, 'sk-something', `${key}x`, key.slice(0, -1)]) {
      expect(here.authenticate(request(wrong))).toBeUndefined()
    }
    expect(seen.reads.length).toBe(before)

    const other = createApiKeys({
      keys: memoryKeys(),
      clock: fakeClock(0),
      secrets: randomSecrets,
      balances: noBalances,
    })
    expect(await here.authenticate(request((await other.create({ accountId: 'eve' })).key))).toBeUndefined()
  })

  it('is refused from its end on, and says so', async () => {
    const { here, clock } = start()
    const { key } = await here.create({ accountId: 'acme', expiresAtMs: 1_005_000 })
    clock.advance(4_999)
    expect(await here.authenticate(request(key))).toMatchObject({ accountId: 'acme' })
    clock.advance(1)

    expect(() => here.authenticate(request(key))).toThrow('This API key has expired.')
  })

  it('is not let through when the store cannot say whether it was revoked', async () => {
    const { here, clock, seen } = start()
    const { key } = await here.create({ accountId: 'acme' })
    await here.authenticate(request(key))
    seen.isDown = true
    expect(here.authenticate(request(key))).toMatchObject({ accountId: 'acme' })
    clock.advance(1_000)

    await expect(here.authenticate(request(key))).rejects.toMatchObject({ code: 'store_unavailable' })
  })
})

describe('a revoked key', () => {
  it('is refused at once in the process that revoked it', async () => {
    const { here } = start()
    const { key, keyId } = await here.create({ accountId: 'acme' })
    await here.authenticate(request(key))

    expect(await here.revoke({ accountId: 'acme', keyId })).toBe(true)
    expect(await here.authenticate(request(key))).toBeUndefined()
    expect(await here.list('acme')).toEqual([])
    expect(await here.revoke({ accountId: 'acme', keyId })).toBe(false)
  })

  it('is refused in other processes a second later at most', async () => {
    const { here, there, clock } = start()
    const { key, keyId } = await here.create({ accountId: 'acme' })
    await there.authenticate(request(key))
    await here.revoke({ accountId: 'acme', keyId })
    clock.advance(1_000)

    expect(await there.authenticate(request(key))).toBeUndefined()
  })

  it('is not remembered by who was reading it just then', async () => {
    const { here, there, clock, hold } = start()
    const [used, other] = [
      await there.create({ accountId: 'acme' }),
      await there.create({ accountId: 'acme' }),
    ]
    await here.authenticate(request(other.key))
    const letGo = hold()
    const reading = here.authenticate(request(used.key))
    await there.revoke({ accountId: 'acme', keyId: used.keyId })
    clock.advance(1_000)
    // Hears of the revocation while the key that it read before is still on its way.
    const hearing = here.authenticate(request(other.key))
    await new Promise((resolve) => setImmediate(resolve))
    letGo()
    await Promise.all([reading, hearing])

    expect(await here.authenticate(request(used.key))).toBeUndefined()
  })

  it('is refused after a minute also when its revocation broke off half-way', async () => {
    const { here, there, clock, store } = start()
    const { key, keyId } = await here.create({ accountId: 'acme' })
    await there.authenticate(request(key))
    const found = await store.get(`api-key:${keyId}`)
    await store.delete(`api-key:${keyId}`, found?.version ?? 0n)
    clock.advance(60_001)

    expect(await there.authenticate(request(key))).toBeUndefined()
    // Repeating it finishes it.
    expect(await here.revoke({ accountId: 'acme', keyId })).toBe(true)
  })
})

describe('a key with a cap', () => {
  it('says so with each request, and is listed with it and with what was spent', async () => {
    const { store, clock } = start()
    const asked: unknown[] = []
    const balances: ReadKeyBalances = async (accountId, keys) => {
      asked.push([accountId, keys])
      const balance = {
        accountId,
        used: nano(3n),
        held: nano(2n),
        left: nano(1n),
        spendable: nano(0n),
        resetsAtMs: 0,
      }
      return keys.map((key): KeyBalance => ({ ...balance, ...key }))
    }
    const keys = createApiKeys({ keys: store, clock, secrets: randomSecrets, balances })
    const { key, keyId } = await keys.create({ accountId: 'acme', cap })
    const free = await keys.create({ accountId: 'acme' })

    expect(await keys.authenticate(request(key))).toEqual({ accountId: 'acme', keyId, keyCap: cap })
    expect(await keys.authenticate(request(free.key))).toEqual({ accountId: 'acme', keyId: free.keyId })
    const listed = new Map((await keys.list('acme')).map((each) => [each.keyId, each]))
    expect(listed.get(keyId)).toMatchObject({ cap, spent: { used: 3n, held: 2n, left: 1n } })
    expect(Object.keys(listed.get(keyId)?.spent ?? {})).toEqual(['used', 'held', 'left'])
    expect(listed.get(free.keyId)).not.toHaveProperty('spent')
    expect(asked).toEqual([['acme', [{ keyId, cap }]]])
  })

  it('is listed with all others, however many there are, a hundred at a time', async () => {
    const { store, clock } = start()
    const sizes: number[] = []
    const balances: ReadKeyBalances = async (accountId, keys) => {
      sizes.push(keys.length)
      const balance = { accountId, held: nano(0n), left: nano(0n), spendable: nano(0n), resetsAtMs: 0 }
      return keys.map(
        (key): KeyBalance => ({
          ...balance,
          ...key,
          used: nano(BigInt(`0x${Buffer.from(key.keyId).toString('hex')}`)),
        }),
      )
    }
    const keys = createApiKeys({ keys: store, clock, secrets: randomSecrets, balances })
    for (let index = 0; index < 201; index += 1) await keys.create({ accountId: 'acme', cap })
    const listed = await keys.list('acme')

    expect(sizes).toEqual([100, 100, 1])
    for (const { keyId, spent } of listed) {
      expect(spent?.used).toBe(BigInt(`0x${Buffer.from(keyId).toString('hex')}`))
    }
  })

  it('asks no ledger where no key has one', async () => {
    const { here } = start()
    await here.create({ accountId: 'acme' })
    const asked = createApiKeys({
      keys: memoryKeys(),
      clock: fakeClock(0),
      secrets: randomSecrets,
      balances: () => Promise.reject(new Error('asked')),
    })
    await asked.create({ accountId: 'acme' })

    expect(await asked.list('acme')).toHaveLength(1)
  })

  it('goes by another one at once here, and elsewhere a second later', async () => {
    const { here, there, clock } = start()
    const { key, keyId } = await here.create({ accountId: 'acme', name: 'ci', cap })
    await here.authenticate(request(key))
    await there.authenticate(request(key))
    const higher: KeyCap = { amount: usd('9.00'), per: 'lifetime' }

    expect(await here.cap({ accountId: 'acme', keyId, cap: higher })).toBe(true)
    expect(await here.authenticate(request(key))).toMatchObject({ keyCap: higher })
    clock.advance(1_000)
    expect(await there.authenticate(request(key))).toMatchObject({ keyCap: higher })
    expect(await there.cap({ accountId: 'acme', keyId, cap: null })).toBe(true)
    expect(await there.authenticate(request(key))).toEqual({ accountId: 'acme', keyId })
    expect(await there.list('acme')).toEqual([
      { keyId, accountId: 'acme', name: 'ci', createdAtMs: 1_000_000 },
    ])
  })

  it('gets none through another account, nor when it was revoked, and is not made anew by it', async () => {
    const { here } = start()
    const { key, keyId } = await here.create({ accountId: 'acme', cap })
    expect(await here.cap({ accountId: 'bob', keyId, cap: null })).toBe(false)
    expect(await here.authenticate(request(key))).toMatchObject({ keyCap: cap })
    await here.revoke({ accountId: 'acme', keyId })

    expect(await here.cap({ accountId: 'acme', keyId, cap })).toBe(false)
    expect(await here.list('acme')).toEqual([])
  })

  it('has the last of many caps that come at once, and of each one it is told', async () => {
    const { here, there } = start()
    const { keyId } = await here.create({ accountId: 'acme' })
    const results = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        (index % 2 === 0 ? here : there).cap({
          accountId: 'acme',
          keyId,
          cap: { amount: nano(BigInt(index)), per: 'period' },
        }),
      ),
    )

    expect(results).toEqual(Array(6).fill(true))
    expect((await here.list('acme'))[0]?.cap?.per).toBe('period')
  })

  it.each([
    ['less than nothing', { amount: nano(-1n), per: 'period' }, 'from 0 on'],
    ['a number', { amount: 5, per: 'period' }, 'from 0 on'],
    ['another time', { amount: nano(5n), per: 'month' }, `per 'period' or per 'lifetime', not "month"`],
  ])('gets none that cannot be meant: %s', async (_what, wrong, message) => {
    const { here } = start()
    const { keyId } = await here.create({ accountId: 'acme' })

    await expect(here.create({ accountId: 'acme', cap: wrong as KeyCap })).rejects.toThrow(message)
    await expect(here.cap({ accountId: 'acme', keyId, cap: wrong as KeyCap })).rejects.toThrow(message)
    expect(await here.list('acme')).toHaveLength(1)
  })
})

describe('the keys of an account', () => {
  it('are neither listed nor revoked through another', async () => {
    const { here, clock } = start()
    const mine = await here.create({ accountId: 'acme' })
    clock.advance(1)
    const second = await here.create({ accountId: 'acme' })
    for (const accountId of ['acme/', 'acm', 'bob']) {
      expect(await here.list(accountId)).toEqual([])
      expect(await here.revoke({ accountId, keyId: mine.keyId })).toBe(false)
    }

    expect((await here.list('acme')).map(({ keyId }) => keyId)).toEqual([mine.keyId, second.keyId])
    expect(await here.authenticate(request(mine.key))).toMatchObject({ accountId: 'acme' })
  })

  it('are all listed, however many there are', async () => {
    const { here } = start()
    const made = await Promise.all(Array.from({ length: 250 }, () => here.create({ accountId: 'acme' })))
    const listed = await here.list('acme')

    expect(listed.map(({ keyId }) => keyId).toSorted()).toEqual(made.map(({ keyId }) => keyId).toSorted())
  })

  it('are a thousand at most', async () => {
    const { here } = start()
    await Promise.all(Array.from({ length: 1_000 }, () => here.create({ accountId: 'acme' })))

    await expect(here.create({ accountId: 'acme' })).rejects.toThrow('An account has at most 1000 API keys.')
    expect(await here.create({ accountId: 'bob' })).toBeDefined()
  })
})

it.each([
  [{ accountId: '' }, 'An account id has 1 to 128 characters'],
  [{ accountId: 'a', memberId: '' }, 'A member id has'],
  [{ accountId: 'a', name: '' }, 'The name of a key has 1 to 128 characters'],
  [{ accountId: 'a', name: 'n'.repeat(129) }, 'The name of a key has 1 to 128 characters, not 129.'],
  [{ accountId: 'a', expiresAtMs: 1_000_000 }, 'A key expires at a time to come'],
  [{ accountId: 'a', expiresAtMs: Number.NaN }, 'A key expires at a time to come'],
  [{ accountId: 'a', limits: { requestsPerMinute: 0 } }, 'limits.requestsPerMinute must be'],
  [{ accountId: 'a', models: [] }, 'A key is for 1 to 64 models, not 0.'],
  [{ accountId: 'a', models: Array(65).fill('m') }, 'A key is for 1 to 64 models, not 65.'],
  [
    { accountId: 'a', models: ['openai/gpt-oss-120b:fastest'] },
    '"openai/gpt-oss-120b:fastest" names no model',
  ],
  [{ accountId: 'a', models: [''] }, '"" names no model'],
  [{ accountId: 'a', models: ['a*b'] }, '"a*b" names no model'],
])('refuses %j', async (asked, message) => {
  await expect(start().here.create(asked)).rejects.toThrow(message)
})

it('says what it needs where the storage keeps no documents, and knows nobody', async () => {
  const keys = createApiKeys({
    keys: undefined,
    clock: fakeClock(0),
    secrets: randomSecrets,
    balances: noBalances,
  })

  await expect(keys.create({ accountId: 'acme' })).rejects.toThrow('API keys need a storage with `keys`')
  expect(keys.authenticate(request('any'))).toBeUndefined()
})
