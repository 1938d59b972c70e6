import { describe, expect, it } from 'vitest'
import { createGateway } from './gateway.ts'
import type { GatewayOptions } from './options.ts'
import { cerebras } from './providers/cerebras.ts'
import { openaiCompatible } from './providers/openai-compatible.ts'
import { replicate } from './providers/replicate.ts'

/** What a host in JavaScript may hand over, whatever the types say. */
function open(options: unknown): unknown {
  return createGateway(options as GatewayOptions)
}

const baseUrl = 'https://example.com/v1'
const custom = (options: object) => () =>
  openaiCompatible({ id: 'own', baseUrl, ...options } as Parameters<typeof openaiCompatible>[0])

describe('a wrong option is refused with an error that names it', () => {
  it.each<[string, unknown, RegExp]>([
    ['no options', undefined, /createGateway needs options/],
    ['no providers', {}, /at least one provider/],
    ['providers that are no list', { providers: cerebras() }, /^providers must be/],
    ['a provider that is none', { providers: [undefined] }, /^providers must be/],
    ['a provider that nobody has called', { providers: [cerebras] }, /^providers must be/],
  ])('%s', (_case, options, message) => {
    expect(() => open(options)).toThrow(RangeError)
    expect(() => open(options)).toThrow(message)
  })

  it.each<[string, unknown]>([
    ['authenticate', 'x'],
    ['storage', {}],
    ['storage', Promise.resolve()],
    ['keyRing', {}],
    ['plans', 'hf-latest'],
    ['plans', {}],
    ['catalog', {}],
    ['policy', 'cheapest'],
    ['onEvent', 'log'],
    ['clock', Date],
    ['ids', 'x'],
    ['transport', fetch],
    ['limits', { requestBytesMaxx: 5 }],
    ['limits', 'x'],
    ['timeouts', { totalMs: '5' }],
    ['authentication', () => undefined],
  ])('%s: %s', (name, value) => {
    const options = { providers: [cerebras()], [name]: value }
    expect(() => open(options)).toThrow(RangeError)
    expect(() => open(options)).toThrow(name)
  })

  it.each(['connectMs', 'firstByteMs', 'replyMs', 'idleMs', 'totalMs', 'closeMs'])(
    'timeouts.%s that no timer can wait, and that would be over at once',
    (name) => {
      const options = { providers: [cerebras()], timeouts: { [name]: 2 ** 31 } }
      expect(() => open(options)).toThrow(`timeouts.${name}`)
    },
  )

  it('lateCosts.everyMs that no timer can wait', () => {
    expect(() => open({ providers: [cerebras()], lateCosts: { everyMs: 2 ** 31 } })).toThrow(
      /lateCosts\.everyMs/,
    )
  })

  it.each(['', 'a b', 'a:b', 'a/b', 'fastest', 'é', 'a'.repeat(64)])('a provider with the id "%s"', (id) => {
    expect(() => open({ providers: [openaiCompatible({ id, baseUrl })] })).toThrow(
      /^providers: ".*" is no id/,
    )
  })
})

describe('a provider is refused', () => {
  it.each<[string, () => unknown, string]>([
    ['without an address', custom({ baseUrl: undefined }), 'own: baseUrl'],
    ['at what is no address', custom({ baseUrl: 'example.com/v1' }), 'own: baseUrl'],
    ['at an address of another protocol', custom({ baseUrl: 'ftp://example.com' }), 'own: baseUrl'],
    [
      'at an address with a query, which would be lost',
      custom({ baseUrl: `${baseUrl}?a=1` }),
      'own: baseUrl',
    ],
    ['at an address with a user', custom({ baseUrl: 'https://user:SECRET@example.com' }), 'own: baseUrl'],
    ['with costs at no address', custom({ costUrl: '/costs' }), 'own: costUrl'],
    ['with a key of two lines', custom({ apiKey: 'SECRET\n' }), 'own: apiKey'],
    ['with an empty key', custom({ apiKey: '' }), 'own: apiKey'],
    ['with a key that is no text', custom({ apiKey: 5 }), 'own: apiKey'],
    ['with an operation nobody knows', custom({ operations: ['chats'] }), 'own: operations'],
    ['of a known kind at no address', () => cerebras({ baseUrl: 'x' }), 'cerebras: baseUrl'],
    ['of another known kind at no address', () => replicate({ baseUrl: 'x' }), 'replicate: baseUrl'],
    [
      'of another known kind with a key of two lines',
      () => replicate({ apiKey: 'SECRET\n' }),
      'replicate: apiKey',
    ],
  ])('%s, in an error that names the option and quotes no secret', (_case, make, name) => {
    expect(make).toThrow(RangeError)
    expect(make).toThrow(name)
    expect(make).not.toThrow('SECRET')
  })
})
