import { randomBytes, randomUUID } from 'node:crypto'

/** The only source of identity: a new unique id, at most 64 characters of letters, digits and dashes. */
export type Ids = () => string

export const randomIds: Ids = () => randomUUID()

/** Ids `prefix-1`, `prefix-2`, … for tests that must repeat exactly. */
export function countedIds(prefix: string): Ids {
  let last = 0
  return () => {
    last += 1
    return `${prefix}-${last}`
  }
}

/** The only source of what must never repeat under one key: 12 random bytes. */
export type Nonces = () => Uint8Array

export const randomNonces: Nonces = () => randomBytes(12)

/** The only source of secrets: so many random bytes. */
export type Secrets = (bytes: number) => Uint8Array

export const randomSecrets: Secrets = (bytes) => randomBytes(bytes)
