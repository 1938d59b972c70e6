import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { openaiChat } from '../dialects/openai-chat.ts'
import { randomNonces } from '../ids.ts'
import type { KeyStore } from '../ledger/key-store.ts'
import { memoryKeys } from '../ledger/memory-keys.ts'
import { cerebras } from '../providers/cerebras.ts'
import { openaiCompatible } from '../providers/openai-compatible.ts'
import type { Provider } from '../providers/provider.ts'
import { replicate } from '../providers/replicate.ts'
import { together } from '../providers/together.ts'
import { type AccountDocument, createAccountDocuments } from './account-documents.ts'
import { openKeys, type StoredProviderKey } from './own-keys.ts'
import { createProviderKeys } from './provider-keys.ts'
import { createSealer, type RingKey } from './sealer.ts'

const old: RingKey = { id: 'old', key: Buffer.alloc(32, 1) }
const fresh: RingKey = { id: 'fresh', key: Buffer.alloc(32, 2) }
const apiKey = 'csk-own-0123456789abcdef0123456789wxyz'

const fixed: Provider = { ...openaiCompatible({ id: 'fixed', baseUrl: 'http://127.0.0.1:9' }) }
delete (fixed as { withKey?: unknown }).withKey
const providers = new Map(
  [cerebras({ apiKey: 'gateway-key' }), together(), replicate({ apiKey: 'gateway-key' }), fixed].map(
    (provider) => [provider.id, provider],
  ),
)

function start(ring: readonly RingKey[] = [old], keys: KeyStore = memoryKeys()) {
  const clock = fakeClock(1_000_000)
  const sealer = createSealer(ring, randomNonces)
  const locked: string[] = []
  const onLocked = (accountId: string, key: StoredProviderKey) =>
    locked.push(`${accountId} ${key.providerId} ${key.sealed.keyId}`)
  const documents = createAccountDocuments({
    keys,
    clock,
    openKeys: (accountId, document) => openKeys(accountId, document, { sealer, providers, onLocked }),
  })
  const providerKeys = createProviderKeys({
    documents: () => documents,
    sealer: () => sealer,
    providers,
    clock,
  })
  return { keys, clock, documents, providerKeys, locked }
}

const call: InferenceCall = openaiChat.parse({
  value: { model: 'acme/m', messages: [{ role: 'user', content: 'Hi' }] },
  source: undefined,
  byteLength: 100,
})

/** What a provider would send as its key. */
function sentKey(provider: Provider | undefined): unknown {
  const target = {
    targetId: 't',
    providerId: 'p',
    providerModel: 'm/m',
    model: 'acme/m',
    operation: 'chat',
    price: {},
    limits: {},
    priceVersion: 'v',
    source: '',
    readOn: '',
  } as const
  return provider?.encode(call, { target, attemptId: 'r1.1', outputTokens: undefined }).headers[
    'authorization'
  ]
}

describe('an account’s own key', () => {
  it('is kept encrypted, and told by its last four characters only', async () => {
    const { providerKeys, keys } = start()
    const told = { providerId: 'cerebras', hint: 'wxyz', setAtMs: 1_000_000, ringKeyId: 'old' }

    expect(await providerKeys.set({ accountId: 'alice', providerId: 'cerebras', apiKey })).toEqual(told)
    expect(await providerKeys.list('alice')).toEqual([told])
    expect(await providerKeys.list('bob')).toEqual([])
    const stored = inspect((await keys.list('', null, 100)).documents, { depth: 20 })
    expect(stored).not.toContain(apiKey.slice(0, 12))
  })

  it('shows nothing of itself when it is short', async () => {
    const { providerKeys } = start()
    const short = { accountId: 'alice', providerId: 'cerebras', apiKey: '01234567890123456789012' }
    expect((await providerKeys.set(short)).hint).toBe('')
    expect((await providerKeys.set({ ...short, apiKey: `${short.apiKey}3` })).hint).toBe('0123')
  })

  it('pays its provider in place of the gateway’s, and no other', async () => {
    const { providerKeys, documents } = start()
    await providerKeys.set({ accountId: 'alice', providerId: 'cerebras', apiKey })
    await providerKeys.set({ accountId: 'alice', providerId: 'replicate', apiKey: 'r8_own-key' })
    const { ready, locked } = (await documents.load('alice')).ownKeys

    expect([...ready.keys()]).toEqual(['cerebras', 'replicate'])
    expect(sentKey(ready.get('cerebras')?.provider)).toBe(`Bearer ${apiKey}`)
    expect(sentKey(ready.get('replicate')?.provider)).toBe('Bearer r8_own-key')
    expect(sentKey(providers.get('cerebras'))).toBe('Bearer gateway-key')
    expect(locked).toEqual([])
    expect((await documents.load('bob')).ownKeys.ready.size).toBe(0)
  })

  it('also polls and cancels the jobs it paid for, and asks what they cost', () => {
    const costUrl = 'http://127.0.0.1:9/costs'
    const own = replicate({ apiKey: 'gateway-key', costUrl }).withKey?.('r8_own-key')
    const answer = {
      status: 201,
      headers: {},
      body: { id: 'abc', status: 'processing', output: null, error: null },
    }

    expect(own?.follow?.(answer, call)?.request.headers['authorization']).toBe('Bearer r8_own-key')
    expect(own?.cancel?.(answer)?.headers['authorization']).toBe('Bearer r8_own-key')
    expect(own?.costs?.encode(['r1.1']).headers['authorization']).toBe('Bearer r8_own-key')
    const compatible = cerebras({ apiKey: 'gateway-key', costUrl }).withKey?.(apiKey)
    expect(compatible?.costs?.encode(['r1.1']).headers['authorization']).toBe(`Bearer ${apiKey}`)
  })

  it('goes to the address of the provider, with its quirks', () => {
    const own = together({ baseUrl: 'http://127.0.0.1:9/v1' }).withKey?.(apiKey)
    expect(own).toMatchObject({ id: 'together' })
    expect(own?.operations).toEqual(together().operations)
    expect(sentKey(own)).toBe(`Bearer ${apiKey}`)
  })

  it('is replaced by a later one, and gone when it is removed', async () => {
    const { providerKeys, documents } = start()
    await providerKeys.set({ accountId: 'alice', providerId: 'cerebras', apiKey })
    await providerKeys.set({ accountId: 'alice', providerId: 'cerebras', apiKey: `${apiKey}2` })
    expect(sentKey((await documents.load('alice')).ownKeys.ready.get('cerebras')?.provider)).toBe(
      `Bearer ${apiKey}2`,
    )
    expect(await providerKeys.list('alice')).toHaveLength(1)

    expect(await providerKeys.remove({ accountId: 'alice', providerId: 'cerebras' })).toBe(true)
    expect(await providerKeys.remove({ accountId: 'alice', providerId: 'cerebras' })).toBe(false)
    expect((await documents.load('alice')).ownKeys.ready.size).toBe(0)
  })

  it('can be taken out of what a provider says, and cannot be read from what holds it', async () => {
    const { providerKeys, documents } = start()
    await providerKeys.set({ accountId: 'alice', providerId: 'cerebras', apiKey })
    const { ownKeys } = await documents.load('alice')

    expect(ownKeys.ready.get('cerebras')?.hide(`Bad key ${apiKey}, really ${apiKey}!`)).toBe(
      'Bad key [key], really [key]!',
    )
    expect(inspect(ownKeys, { depth: 10, showHidden: true })).not.toContain(apiKey)
    expect(JSON.stringify([...ownKeys.ready])).not.toContain(apiKey)
  })

  it('is useless to an account it is copied to', async () => {
    const { providerKeys, documents, locked } = start()
    await providerKeys.set({ accountId: 'alice', providerId: 'cerebras', apiKey })
    const stolen = await documents.read('alice')
    await documents.change('eve', () => stolen)

    expect((await documents.load('eve')).ownKeys).toMatchObject({ locked: ['cerebras'], ready: new Map() })
    expect(locked).toEqual(['eve cerebras old'])
  })

  it('is locked, not left out, when the ring has lost its key', async () => {
    const { keys, providerKeys } = start()
    await providerKeys.set({ accountId: 'alice', providerId: 'cerebras', apiKey })
    const { documents, locked } = start([fresh], keys)

    expect((await documents.load('alice')).ownKeys.locked).toEqual(['cerebras'])
    expect(locked).toEqual(['alice cerebras old'])
    // Told once for as long as it is remembered.
    documents.known('alice')
    expect(locked).toHaveLength(1)
  })
})

describe('a key that cannot be kept', () => {
  it.each([
    [
      'for an unknown provider',
      { providerId: 'openai' },
      /no provider "openai". There are: cerebras, together/,
    ],
    ['for a provider without other keys', { providerId: 'fixed' }, /"fixed" takes no keys/],
    ['for no account', { accountId: '' }, /1 to 128/],
    ['that is empty', { apiKey: '' }, /8 to 512/],
    ['that is short', { apiKey: '1234567' }, /8 to 512/],
    ['that is long', { apiKey: 'x'.repeat(513) }, /8 to 512/],
    ['with a space', { apiKey: 'sk-12345678 ' }, /8 to 512/],
    ['with a line break', { apiKey: 'sk-12345678\r\nx-evil: 1' }, /8 to 512/],
    ['with a quote', { apiKey: 'sk-"12345678' }, /8 to 512/],
    ['with other letters', { apiKey: 'sk-ä12345678' }, /8 to 512/],
    ['that is no text', { apiKey: 12345678 as unknown as string }, /8 to 512/],
  ])('%s is refused without quoting it', async (_what, members, message) => {
    const { providerKeys, keys } = start()
    const request = { accountId: 'alice', providerId: 'cerebras', apiKey, ...members }
    const refused = await providerKeys.set(request).catch((error: unknown) => error)

    expect(refused).toBeInstanceOf(RangeError)
    expect((refused as Error).message).toMatch(message)
    expect((refused as Error).message).not.toContain('sk-')
    expect((await keys.list('', null, 1)).documents).toEqual([])
  })

  it('is the 65th of an account', async () => {
    const { providerKeys, documents } = start()
    const others = Array.from({ length: 64 }, (_, index): StoredProviderKey => {
      const sealed = { keyId: 'old', nonce: '', text: '' }
      return { providerId: `p${index}`, sealed, hint: '', setAtMs: 0 }
    })
    await documents.change('alice', () => ({ providerKeys: others }))
    await expect(providerKeys.set({ accountId: 'alice', providerId: 'cerebras', apiKey })).rejects.toThrow(
      /at most 64/,
    )
  })
})

describe('rotation', () => {
  async function filled(accounts: number) {
    const before = start([old])
    for (let index = 0; index < accounts; index += 1) {
      const accountId = `account-${index}`
      await before.providerKeys.set({ accountId, providerId: 'cerebras', apiKey: `${apiKey}-${index}` })
      await before.providerKeys.set({ accountId, providerId: 'together', apiKey: `${apiKey}+${index}` })
      await before.documents.change(accountId, (document) => ({ ...document, disabledProviders: ['fixed'] }))
    }
    return before.keys
  }

  it('encrypts everything with the first key of the ring, so that the older one may leave it', async () => {
    const keys = await filled(120)
    const { providerKeys } = start([fresh, old], keys)

    expect(await providerKeys.rotate()).toEqual({ rotated: 240, unreadable: 0 })
    expect(await providerKeys.rotate()).toEqual({ rotated: 0, unreadable: 0 })
    const { documents } = start([fresh], keys)
    for (const index of [0, 57, 119]) {
      const { document, ownKeys } = await documents.load(`account-${index}`)
      expect(sentKey(ownKeys.ready.get('cerebras')?.provider)).toBe(`Bearer ${apiKey}-${index}`)
      expect(sentKey(ownKeys.ready.get('together')?.provider)).toBe(`Bearer ${apiKey}+${index}`)
      expect(document.disabledProviders).toEqual(['fixed'])
    }
  })

  it('leaves what it cannot read as it is, and counts it', async () => {
    const keys = await filled(2)
    const before = (await keys.get('account:account-0'))?.value
    const { providerKeys } = start([fresh], keys)

    expect(await providerKeys.rotate()).toEqual({ rotated: 0, unreadable: 4 })
    expect((await keys.get('account:account-0'))?.value).toEqual(before)
  })

  it('does not lose a key that is set meanwhile', async () => {
    const keys = await filled(1)
    let isFirst = true
    const { providerKeys, documents } = start([fresh, old], {
      ...keys,
      async put(key, value, version) {
        if (isFirst) {
          isFirst = false
          const other = start([old], keys)
          await other.providerKeys.set({
            accountId: 'account-0',
            providerId: 'replicate',
            apiKey: 'r8_own-key',
          })
        }
        return keys.put(key, value, version)
      },
    })

    expect(await providerKeys.rotate()).toEqual({ rotated: 3, unreadable: 0 })
    const stored = (await documents.read('account-0')) as AccountDocument
    expect(stored.providerKeys?.map(({ providerId, sealed }) => [providerId, sealed.keyId])).toEqual([
      ['cerebras', 'fresh'],
      ['together', 'fresh'],
      ['replicate', 'fresh'],
    ])
  })
})
