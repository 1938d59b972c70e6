import { describe, expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import type { KeyStore } from '../ledger/key-store.ts'
import { memoryKeys } from '../ledger/memory-keys.ts'
import { OutcomeUnknown, Unavailable } from '../ledger/storage.ts'
import { type AccountDocument, createAccountDocuments } from './account-documents.ts'
import { changeSettings, settingsOf } from './account-settings.ts'
import { noOwnKeys } from './own-keys.ts'

/** Documents over a store whose reads can be counted, held back, and made to fail. */
function start(keys: KeyStore = memoryKeys()) {
  const clock = fakeClock(0)
  let reads = 0
  const watched: KeyStore = {
    ...keys,
    get(key) {
      reads += 1
      return keys.get(key)
    },
  }
  return {
    clock,
    keys,
    documents: createAccountDocuments({ keys: watched, clock, openKeys: () => noOwnKeys }),
    reads: () => reads,
  }
}

const disabling = (...providers: string[]) => ({ disabledProviders: providers })
const setTo = (document: AccountDocument) => () => document

describe('documents of accounts', () => {
  it('are read once, and then known without waiting', async () => {
    const { documents, reads } = start()
    await documents.change('alice', setTo(disabling('cerebras')))
    const before = reads()

    expect(documents.known('alice')).toBeUndefined()
    expect((await documents.load('alice')).document).toEqual(disabling('cerebras'))
    for (let round = 0; round < 5; round += 1)
      expect(documents.known('alice')?.document).toEqual(disabling('cerebras'))
    expect(reads()).toBe(before + 1)
  })

  it('are known to be empty for accounts that have set nothing', async () => {
    const { documents, reads } = start()
    expect((await documents.load('nobody')).document).toEqual({})
    expect(documents.known('nobody')?.document).toEqual({})
    expect(reads()).toBe(1)
  })

  it('are read once for many requests that come at the same time', async () => {
    const { documents, reads } = start()
    await Promise.all(Array.from({ length: 50 }, () => documents.load('alice')))
    expect(reads()).toBe(1)
  })

  it('are looked at again after ten seconds, so that other processes’ changes arrive', async () => {
    const { documents, clock, keys } = start()
    const other = createAccountDocuments({ keys, clock, openKeys: () => noOwnKeys })
    await documents.load('alice')
    await other.change('alice', setTo(disabling('together')))

    clock.advance(9_999)
    expect(documents.known('alice')?.document).toEqual({})
    clock.advance(2)
    expect(documents.known('alice')).toBeUndefined()
    expect((await documents.load('alice')).document).toEqual(disabling('together'))
  })

  it('change at once in the process that changes them', async () => {
    const { documents } = start()
    await documents.load('alice')
    await documents.change('alice', setTo(disabling('cerebras')))
    expect((documents.known('alice') ?? (await documents.load('alice'))).document).toEqual(
      disabling('cerebras'),
    )
  })

  it('are not remembered as they were when they change while they are read', async () => {
    const keys = memoryKeys()
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let isFirst = true
    const { documents } = start({
      ...keys,
      async get(key) {
        const found = await keys.get(key)
        if (isFirst) {
          isFirst = false
          await held
        }
        return found
      },
    })
    const early = documents.load('alice')
    await documents.change('alice', setTo(disabling('cerebras')))
    release()

    expect((await early).document).toEqual({})
    expect(documents.known('alice')).toBeUndefined()
    expect((await documents.load('alice')).document).toEqual(disabling('cerebras'))
  })

  it('lose no change when many change the same one at once', async () => {
    const { documents } = start()
    await Promise.all(
      ['a', 'b', 'c', 'd', 'e'].map((providerId) =>
        documents.change('alice', ({ disabledProviders = [] }) => ({
          disabledProviders: [...disabledProviders, providerId],
        })),
      ),
    )
    expect((await documents.read('alice')).disabledProviders?.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('are not written when nothing changes', async () => {
    const { documents, keys } = start()
    await documents.change('alice', (document) => document)
    expect(await keys.get('account:alice')).toBeUndefined()
  })

  it('are out of reach together with their store: nobody knows what the account forbids', async () => {
    const down: KeyStore = {
      ...memoryKeys(),
      get: async () => {
        throw new Unavailable('The store is down.')
      },
    }
    const { documents } = start(down)
    await expect(documents.load('alice')).rejects.toMatchObject({ code: 'store_unavailable', status: 503 })
    await expect(documents.change('alice', setTo({}))).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  it('are read again after a failure', async () => {
    const keys = memoryKeys()
    let isDown = true
    const { documents } = start({
      ...keys,
      get: async (key) => {
        if (isDown) throw new Unavailable('The store is down.')
        return keys.get(key)
      },
    })
    await expect(documents.load('alice')).rejects.toMatchObject({ code: 'store_unavailable' })
    isDown = false
    expect((await documents.load('alice')).document).toEqual({})
  })

  it('are changed once when the answer to the write is lost', async () => {
    const keys = memoryKeys()
    let isLost = true
    const { documents, clock } = start({
      ...keys,
      async put(...request) {
        const isWritten = await keys.put(...request)
        if (isLost) {
          isLost = false
          queueMicrotask(() => setImmediate(() => clock.advance(1_000)))
          throw new OutcomeUnknown('The connection broke.')
        }
        return isWritten
      },
    })
    await documents.change('alice', ({ disabledProviders = [] }) =>
      disabledProviders.includes('a') ? { disabledProviders } : { disabledProviders: ['a'] },
    )
    expect(await documents.read('alice')).toEqual(disabling('a'))
  })

  it('give up when others always come first', async () => {
    const { documents } = start({ ...memoryKeys(), put: async () => false })
    await expect(documents.change('alice', setTo({}))).rejects.toMatchObject({ code: 'store_unavailable' })
  })
})

describe('what an account has set', () => {
  const providerIds = ['cerebras', 'together']

  it('is nothing at first', async () => {
    const { documents } = start()
    expect(settingsOf(await documents.read('alice'))).toEqual({ disabledProviders: [], defaultPayer: null })
  })

  it('is changed member by member', async () => {
    const { documents } = start()
    const change = (members: object) =>
      changeSettings(documents, { accountId: 'alice', ...members }, providerIds)

    await change({ disabledProviders: ['cerebras', 'cerebras'] })
    expect(await change({ defaultPayer: 'acme' })).toEqual({
      disabledProviders: ['cerebras'],
      defaultPayer: 'acme',
    })
    expect(await change({ disabledProviders: [] })).toEqual({ disabledProviders: [], defaultPayer: 'acme' })
    expect(await change({ defaultPayer: null })).toEqual({ disabledProviders: [], defaultPayer: null })
  })

  it.each([
    [{ disabledProviders: ['cerebas'] }, /no provider "cerebas" to disable. There are: cerebras, together/],
    [{ disabledProviders: Array.from({ length: 65 }, () => 'cerebras') }, /at most 64/],
    [{ defaultPayer: '' }, /1 to 128/],
    [{ defaultPayer: 'x'.repeat(129) }, /1 to 128/],
    [{ accountId: '' }, /1 to 128/],
    [{ accountId: 'x'.repeat(129) }, /1 to 128/],
  ])('refuses %j', async (members, message) => {
    const { documents } = start()
    const request = { accountId: 'alice', ...members }
    await expect(async () => changeSettings(documents, request, providerIds)).rejects.toThrow(message)
  })
})
