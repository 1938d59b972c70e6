import { describe, expect, it } from 'vitest'
import { checkOperation, doneBefore, fingerprintOf, issuedBy, operationKey } from './manual-operation.ts'
import type { Cut, Value } from './storage.ts'

const operation = { accountId: 'alice', opId: 'o1', actor: 'support', reason: 'outage' }

describe('what is done by hand', () => {
  it.each([
    ['opId', 400],
    ['actor', 200],
    ['reason', 1000],
  ])('has an %s of 1 to %s characters', (name, max) => {
    const check = (text: unknown) => () => checkOperation({ ...operation, [name]: text })
    expect(check('x')).not.toThrow()
    expect(check('x'.repeat(max))).not.toThrow()
    for (const text of ['', 'x'.repeat(max + 1), ['x'], undefined]) {
      expect(check(text)).toThrow(`"${name}" must be text of 1 to ${max} characters.`)
    }
  })

  it('answers the same request as before, and takes another one of its id for a conflict', () => {
    const fingerprint = fingerprintOf('void', operation)
    const done = { fingerprint, result: { outcome: 'voided' } }
    const records = new Map<string, Value>([[operationKey('o1'), done]])
    const cut: Cut = { head: null, records, due: [], moreDue: false, version: 1n, now: 0 }
    expect(doneBefore(cut, 'o1', fingerprint)).toEqual({ outcome: 'voided' })
    expect(doneBefore(cut, 'o2', fingerprint)).toBeUndefined()
    for (const other of [
      fingerprintOf('adjust', operation),
      fingerprintOf('void', { ...operation, reason: 'x' }),
    ])
      expect(doneBefore(cut, 'o1', other)).toEqual({ outcome: 'conflict' })
  })

  it('issues credit by ids that no other operation issues', () => {
    expect(issuedBy('1:o', 1)).not.toBe(issuedBy('o', 1))
    expect(issuedBy('o', 11)).not.toBe(issuedBy('1:o', 1))
  })
})
