import { type Principal, usd } from '@farebox/core'

/** API keys that callers come with, and what may be spent with each. */
export const cappedKeys: ReadonlyMap<string, Pick<Principal, 'keyId' | 'keyCap'>> = new Map([
  ['little', { keyId: 'little', keyCap: { amount: usd('0.02'), per: 'period' } }],
  ['good', { keyId: 'good', keyCap: { amount: usd('0.05'), per: 'lifetime' } }],
])
