import { describe, expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import type { GatewayRequest } from '../http/exchange.ts'
import { randomSecrets } from '../ids.ts'
import type { KeyStore } from '../ledger/key-store.ts'
import { memoryKeys } from '../ledger/memory-keys.ts'
import { Unavailable } from '../ledger/storage.ts'
import { createApiKeys } from './api-keys.ts'

const request = (key: string | undefined): GatewayRequest => ({
  method: 'POST',
  path: '/v1/chat/completions',
  headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
  body: { kind: 'drained' },
  signal: new AbortController().signal,
})

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
    here: createApiKeys({ keys: watched, clock, secrets: randomSecrets }),
    there: createApiKeys({ keys: store, clock, secrets: randomSecrets }),
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
  const keys = createApiKeys({ keys: undefined, clock: fakeClock(0), secrets: randomSecrets })

  await expect(keys.create({ accountId: 'acme' })).rejects.toThrow('API keys need a storage with `keys`')
  expect(keys.authenticate(request('any'))).toBeUndefined()
})
