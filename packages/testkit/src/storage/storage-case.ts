import assert from 'node:assert/strict'
import {
  type Clock,
  type FakeClock,
  fakeClock,
  type KeyStore,
  type LedgerStore,
  type Storage,
} from '@farebox/core'

/** One rule that every store keeps. `run` rejects when the store breaks it. */
export interface StorageCase {
  /** The rule, in a sentence. */
  readonly name: string
  run(subject: StorageSubject): Promise<void>
}

/** A kind of store, as the cases make new ones of it. */
export interface StorageSubject {
  /** An empty store that takes its time from `clock`, apart from every other one. */
  create(clock: Clock): Promise<CreatedStorage>
}

export interface CreatedStorage {
  readonly storage: Storage
  /** Closes it and removes what it kept. */
  dispose(): Promise<void>
}

/** One rule that a store keeps whose state outlives the process. */
export interface DurableStorageCase {
  readonly name: string
  run(subject: DurableStorageSubject): Promise<void>
}

export interface DurableStorageSubject {
  create(clock: Clock): Promise<CreatedDurableStorage>
}

export interface CreatedDurableStorage extends CreatedStorage {
  /** Closes the store and opens what it kept anew. */
  reopen(): Promise<Storage>
}

export interface CaseContext {
  readonly ledger: LedgerStore
  /** Stands at 1,000,000 until a case moves it. */
  readonly clock: FakeClock
}

export interface DurableCaseContext extends CaseContext {
  reopen(): Promise<LedgerStore>
}

export function storageCase(name: string, check: (context: CaseContext) => Promise<void>): StorageCase {
  return {
    name,
    async run(subject) {
      const clock = fakeClock(1_000_000)
      const { storage, dispose } = await subject.create(clock)
      try {
        await check({ ledger: storage.ledger, clock })
      } finally {
        await dispose()
      }
    },
  }
}

export function durableStorageCase(
  name: string,
  check: (context: DurableCaseContext) => Promise<void>,
): DurableStorageCase {
  return {
    name,
    async run(subject) {
      const clock = fakeClock(1_000_000)
      const created = await subject.create(clock)
      try {
        const reopen = async (): Promise<LedgerStore> => (await created.reopen()).ledger
        await check({ ledger: created.storage.ledger, clock, reopen })
      } finally {
        await created.dispose()
      }
    },
  }
}

export interface KeyCaseContext {
  readonly keys: KeyStore
  readonly ledger: LedgerStore
}

/** A case for the documents of a store that has them. */
export function keyCase(name: string, check: (context: KeyCaseContext) => Promise<void>): StorageCase {
  return {
    name,
    async run(subject) {
      const { storage, dispose } = await subject.create(fakeClock(1_000_000))
      try {
        await check({ keys: keysOf(storage), ledger: storage.ledger })
      } finally {
        await dispose()
      }
    },
  }
}

export function durableKeyCase(
  name: string,
  check: (context: { readonly keys: KeyStore; reopen(): Promise<KeyStore> }) => Promise<void>,
): DurableStorageCase {
  return {
    name,
    async run(subject) {
      const created = await subject.create(fakeClock(1_000_000))
      try {
        const reopen = async (): Promise<KeyStore> => keysOf(await created.reopen())
        await check({ keys: keysOf(created.storage), reopen })
      } finally {
        await created.dispose()
      }
    },
  }
}

function keysOf({ keys }: Storage): KeyStore {
  assert.ok(keys, 'the storage has no documents: leave these cases out, or give it `keys`')
  return keys
}
