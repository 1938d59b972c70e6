import { hash, timingSafeEqual } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Secrets } from '../ids.ts'

/**
 * The text of an API key: `fb_`, 16 characters that name it, `_`, 40 characters that nobody can guess (200 bits), and 7 that
 * tell a mistyped key from a wrong one without asking anybody. All are digits and small letters without i, l, o and u.
 */
export interface KeyText {
  readonly text: string
  readonly keyId: string
}

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
const shape = /^fb_([0-9a-hjkmnp-tv-z]{16})_[0-9a-hjkmnp-tv-z]{40}([0-9a-hjkmnp-tv-z]{7})$/

/** Bytes that fill their characters exactly, so that no character is likelier than another. */
const idBytes = 10
const secretBytes = 25

export function createKeyText(secrets: Secrets): KeyText {
  const keyId = base32(secrets(idBytes))
  const start = `fb_${keyId}_${base32(secrets(secretBytes))}`
  return { text: start + checksum(start), keyId }
}

/** The id in the text of a key; `undefined` when it is no key of Farebox, or was not copied whole. */
export function keyIdOf(text: string): string | undefined {
  const match = shape.exec(text)
  return match?.[2] === checksum(text.slice(0, -7)) ? match[1] : undefined
}

/**
 * What is kept of a key. One round of SHA-256 is enough, unlike for a password: nobody can try out 200 bits, with or without
 * the hash.
 */
export function hashKey(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}

/** Takes as long for every wrong key. */
export function isKey(text: string, kept: Buffer): boolean {
  return timingSafeEqual(hashKey(text), kept)
}

function checksum(text: string): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32(text))
  return base32(bytes)
}

function base32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let count = 0
  for (const byte of bytes) {
    bits = (bits << 8) | byte
    count += 8
    while (count >= 5) {
      count -= 5
      text += alphabet[(bits >>> count) & 31]
    }
    bits &= (1 << count) - 1
  }
  return count === 0 ? text : text + alphabet[(bits << (5 - count)) & 31]
}
