import assert from 'node:assert/strict'
import type { Clock, Storage } from '@farebox/core'

/**
 * A kind of store that is opened again and again, here and in processes of their own.
 *
 * What opens it is a module that plain Node can load. It exports `open(address, options)`, which gives an `OpenedStorage` with
 * a connection and a memory of its own.
 */
export interface StorePlace {
  readonly module: URL
  /** Whether another process can see it. */
  readonly isShared: boolean
  /** Makes an empty store. Gives its address: whatever `open` needs to find it. */
  create(): Promise<string>
  /** Whatever the store can prove about its own files. Rejects when they are not as they should be. */
  check?(address: string): Promise<void>
}

export interface OpenedStorage {
  readonly storage: Storage
  /** Closes the storage and what it was opened on. */
  close(): Promise<void>
}

export interface OpenOptions {
  /** Only where the caller's process has the clock. @default the store's own */
  readonly clock?: Clock
}

/** Opens a store in this process, as another one would have it. */
export async function openStorage(
  module: URL,
  address: string,
  options: OpenOptions = {},
): Promise<OpenedStorage> {
  const loaded = (await import(module.href)) as { readonly open?: unknown }
  assert.equal(typeof loaded.open, 'function', `${module.pathname} exports no open(address)`)
  return (loaded.open as (address: string, options: OpenOptions) => Promise<OpenedStorage>)(address, options)
}
