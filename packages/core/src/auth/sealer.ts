import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import type { Nonces } from '../ids.ts'

/** A key that secrets are encrypted with before they are stored. */
export interface RingKey {
  /** Stands beside everything it encrypted, so that it is found again. 1 to 64 characters. */
  readonly id: string
  /** 32 bytes, as they are or in base64: `openssl rand -base64 32`. */
  readonly key: string | Uint8Array
}

/** A secret as it is stored: nobody can read it without the ring, and it opens only in the place it was made for. */
export type Sealed = {
  readonly keyId: string
  readonly nonce: string
  /** Ciphertext and tag, in base64. */
  readonly text: string
}

/** Encrypts secrets with the first key of a ring, and opens what any of its keys encrypted. */
export interface Sealer {
  /** The key that encrypts. */
  readonly currentId: string
  /** `place` says what the secret belongs to. A sealed text that is moved to another place does not open there. */
  seal(secret: string, place: readonly string[]): Sealed
  /** `undefined` when the key is not in the ring, or the text was changed or moved. */
  open(sealed: Sealed, place: readonly string[]): string | undefined
}

/**
 * AES-256-GCM with a fresh random nonce of 96 bits for each secret (NIST SP 800-38D: good for 2³² secrets a key), and the
 * place as additional authenticated data.
 *
 * @throws RangeError for a ring that is empty, has an id twice, or a key that is not 32 bytes.
 */
export function createSealer(ring: readonly RingKey[], nonces: Nonces): Sealer {
  const keys = new Map<string, KeyObject>()
  for (const { id, key } of ring) {
    if (typeof id !== 'string' || id.length === 0 || id.length > 64) {
      throw new RangeError('keyRing: the id of a key has 1 to 64 characters.')
    }
    if (keys.has(id)) throw new RangeError(`keyRing: the id "${id}" is there twice.`)
    keys.set(id, createSecretKey(keyBytes(id, key)))
  }
  const [current] = keys
  if (current === undefined) throw new RangeError('keyRing: there is no key in it.')
  const [currentId, currentKey] = current
  return {
    currentId,
    seal(secret, place) {
      const nonce = nonces()
      const cipher = createCipheriv(algorithm, currentKey, nonce, { authTagLength: tagBytes })
      cipher.setAAD(placeBytes(place))
      const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return {
        keyId: currentId,
        nonce: Buffer.from(nonce).toString('base64'),
        text: text.toString('base64'),
      }
    },
    open({ keyId, nonce, text }, place) {
      const key = keys.get(keyId)
      const bytes = Buffer.from(text, 'base64')
      if (key === undefined || bytes.length < tagBytes) return undefined
      const end = bytes.length - tagBytes
      try {
        const options = { authTagLength: tagBytes }
        const decipher = createDecipheriv(algorithm, key, Buffer.from(nonce, 'base64'), options)
        decipher.setAAD(placeBytes(place))
        decipher.setAuthTag(bytes.subarray(end))
        return decipher.update(bytes.subarray(0, end), undefined, 'utf8') + decipher.final('utf8')
      } catch {
        // Not authentic. What is wrong with it must not be told more exactly.
        return undefined
      }
    },
  }
}

const algorithm = 'aes-256-gcm'
const keyBytesCount = 32
const tagBytes = 16

function keyBytes(id: string, key: string | Uint8Array): Uint8Array {
  const bytes = typeof key === 'string' ? Buffer.from(key, 'base64') : key
  if (!(bytes instanceof Uint8Array) || bytes.length !== keyBytesCount) {
    throw new RangeError(
      `keyRing: the key "${id}" must be ${keyBytesCount} bytes, or their base64: openssl rand -base64 32.`,
    )
  }
  return bytes
}

/** As JSON, because joined names can read the same when they are not. */
function placeBytes(place: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(['farebox', ...place]))
}
