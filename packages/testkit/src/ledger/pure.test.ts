import {
  type Cut,
  decodeValue,
  encodeValue,
  type LedgerStore,
  memoryStorage,
  type Reduce,
  type Storage,
  type Value,
} from '@farebox/core'
import { describe, expect, it } from 'vitest'
import { registerLedgerCases } from './index.ts'

describe('the ledger on a store that runs every reducer twice, on frozen values that were text', () => {
  registerLedgerCases(it, { createStore: async (clock) => strict(memoryStorage({ clock })) })
})

/** Shows that reducers are pure: they give the same decision again, and change nothing they are given. */
function strict({ ledger }: Storage): Storage {
  const transact: LedgerStore['transact'] = (accountId, keys, reduce, options) => {
    const twice: typeof reduce = (cut) => {
      const decision = reduce(frozen(cut))
      expect(inWords(reduce(frozen(cut)))).toBe(inWords(decision))
      return decision
    }
    return ledger.transact(accountId, keys, twice, options)
  }
  return { ledger: { ...ledger, transact } }
}

function frozen(cut: Cut): Cut {
  const copy = (value: Value): Value => freeze(decodeValue(encodeValue(value)))
  return {
    ...cut,
    head: copy(cut.head),
    records: new Map([...cut.records].map(([key, value]) => [key, copy(value)])),
    due: cut.due.map(({ key, value }) => ({ key, value: copy(value) })),
  }
}

function freeze(value: Value): Value {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value) as Value[]) freeze(member)
  }
  return Object.freeze(value)
}

function inWords({ write }: ReturnType<Reduce<unknown>>): string {
  return encodeValue((write ?? null) as Value)
}
