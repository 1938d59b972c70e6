import { createDecipheriv, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { randomNonces } from '../ids.ts'
import { createSealer, type RingKey, type Sealed } from './sealer.ts'

const first: RingKey = { id: 'first', key: Buffer.alloc(32, 1).toString('base64') }
const second: RingKey = { id: 'second', key: Buffer.alloc(32, 2) }
const place = ['provider-key', 'alice', 'cerebras']
const secret = 'csk-0123456789abcdef0123456789abcdef'

const sealer = createSealer([first, second], randomNonces)

describe('a sealed secret', () => {
  it('opens in its place, with any key of the ring', () => {
    const sealed = sealer.seal(secret, place)
    expect(sealed.keyId).toBe('first')
    expect(sealer.open(sealed, place)).toBe(secret)
    // After the ring has changed, the older key opens and no longer encrypts.
    const rotated = createSealer([second, first], randomNonces)
    expect(rotated.open(sealed, place)).toBe(secret)
    expect(rotated.seal(secret, place).keyId).toBe('second')
    for (const text of ['', 'ä😀', 'x'.repeat(10_000)]) {
      expect(sealer.open(sealer.seal(text, place), place)).toBe(text)
    }
  })

  it('is AES-256-GCM with the place as additional data', () => {
    const { nonce, text } = sealer.seal(secret, place)
    const bytes = Buffer.from(text, 'base64')
    const decipher = createDecipheriv('aes-256-gcm', Buffer.alloc(32, 1), Buffer.from(nonce, 'base64'))
    decipher.setAAD(Buffer.from('["farebox","provider-key","alice","cerebras"]'))
    decipher.setAuthTag(bytes.subarray(-16))
    expect(Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString()).toBe(secret)
  })

  it('does not open in any other place', () => {
    const sealed = sealer.seal(secret, place)
    for (const other of [
      ['provider-key', 'bob', 'cerebras'],
      ['provider-key', 'alice', 'together'],
      ['other', 'alice', 'cerebras'],
      ['provider-key', 'alice","cerebras'],
      ['provider-key', 'alicecerebras', ''],
      [],
    ]) {
      expect(sealer.open(sealed, other)).toBeUndefined()
    }
  })

  it('does not open when a single bit of it was changed, or it was cut', () => {
    const sealed = sealer.seal(secret, place)
    const flipped = (name: 'nonce' | 'text', index: number): Sealed => {
      const bytes = Buffer.from(sealed[name], 'base64')
      bytes[index] = (bytes[index] ?? 0) ^ 1
      return { ...sealed, [name]: bytes.toString('base64') }
    }
    for (const index of [0, 20, secret.length, secret.length + 15]) {
      expect(sealer.open(flipped('text', index), place)).toBeUndefined()
    }
    expect(sealer.open(flipped('nonce', 0), place)).toBeUndefined()
    const cut = Buffer.from(sealed.text, 'base64')
    for (const length of [0, 1, 15, 16, cut.length - 1]) {
      expect(
        sealer.open({ ...sealed, text: cut.subarray(0, length).toString('base64') }, place),
      ).toBeUndefined()
    }
    expect(sealer.open({ ...sealed, nonce: '' }, place)).toBeUndefined()
    expect(sealer.open({ ...sealed, keyId: 'second' }, place)).toBeUndefined()
    expect(sealer.open({ ...sealed, keyId: 'unknown' }, place)).toBeUndefined()
  })

  it('never looks the same twice, and shows nothing of the secret', () => {
    const sealed = Array.from({ length: 100 }, () => sealer.seal(secret, place))
    expect(new Set(sealed.map(({ nonce }) => nonce)).size).toBe(100)
    expect(new Set(sealed.map(({ text }) => text)).size).toBe(100)
    expect(JSON.stringify(sealed)).not.toContain(secret.slice(0, 8))
  })
})

describe('a ring', () => {
  it.each([
    ['no key', [], /no key/],
    ['an id twice', [first, { ...second, id: 'first' }], /"first" is there twice/],
    ['an empty id', [{ ...first, id: '' }], /1 to 64/],
    ['a long id', [{ ...first, id: 'x'.repeat(65) }], /1 to 64/],
    ['a short key', [{ id: 'a', key: randomBytes(31) }], /"a" must be 32 bytes/],
    ['a long key', [{ id: 'a', key: randomBytes(33).toString('base64') }], /"a" must be 32 bytes/],
    ['a password', [{ id: 'a', key: 'correct horse battery staple' }], /openssl rand -base64 32/],
    ['an empty key', [{ id: 'a', key: '' }], /32 bytes/],
    ['an absent key', [{ id: 'a', key: undefined as unknown as string }], /32 bytes/],
  ])('with %s is refused', (_what, ring, message) => {
    expect(() => createSealer(ring, randomNonces)).toThrow(message)
    expect(() => createSealer(ring, randomNonces)).toThrow(RangeError)
  })

  it('does not quote a key that it refuses', () => {
    expect(() => createSealer([{ id: 'a', key: 'correct horse' }], randomNonces)).not.toThrow(/correct/)
  })

  it('is not to be read from what it made', () => {
    expect(inspect(sealer, { depth: 10, showHidden: true })).not.toContain(String(first.key))
  })
})
