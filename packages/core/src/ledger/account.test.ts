import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nano, zero } from '../money.ts'
import { availableCredit, drawOrder, type Grant, isActive, isOpen } from './account.ts'

function grantOf(terms: Partial<Grant>): Grant {
  const issued = terms.issued ?? nano(10n)
  return {
    grantId: 'g',
    kind: 'purchased',
    priority: 50,
    effectiveAtMs: 0,
    expiresAtMs: null,
    issued,
    available: issued,
    held: zero,
    settled: zero,
    expired: zero,
    voided: zero,
    ...terms,
  }
}

/** Grants that are alike in most things, so that every rule of the order gets to decide. */
const anyGrant = fc
  .record({
    grantId: fc.constantFrom('a', 'b', 'B', 'aa', ''),
    kind: fc.constantFrom('included', 'promotional', 'courtesy', 'purchased'),
    priority: fc.constantFrom(0, 10, 20),
    effectiveAtMs: fc.constantFrom(0, 1),
    expiresAtMs: fc.constantFrom(null, 2, 3),
    issued: fc.constantFrom(
      nano(1n),
      nano(2n ** 53n),
      nano(2n ** 53n + 1n),
      nano(2n ** 63n),
      nano(2n ** 63n + 1n),
    ),
  })
  .map(grantOf)

describe('drawOrder', () => {
  it('is a strict total order: two grants with different ids never tie', () => {
    fc.assert(
      fc.property(anyGrant, anyGrant, (a, b) => {
        const [forth, back] = [Math.sign(drawOrder(a, b)), Math.sign(drawOrder(b, a))]
        expect(forth + back).toBe(0)
        if (a.grantId !== b.grantId) expect(forth).not.toBe(0)
      }),
    )
  })

  it('is transitive', () => {
    fc.assert(
      fc.property(anyGrant, anyGrant, anyGrant, (a, b, c) => {
        fc.pre(drawOrder(a, b) < 0 && drawOrder(b, c) < 0)
        expect(drawOrder(a, c)).toBeLessThan(0)
      }),
    )
  })

  it('sorts the same grants alike, in whichever order they came', () => {
    const grants = fc.uniqueArray(anyGrant, { selector: ({ grantId }) => grantId, minLength: 2 })
    fc.assert(
      fc.property(grants, fc.gen(), (all, gen) => {
        const shuffled = gen(fc.shuffledSubarray, all, { minLength: all.length })
        expect(shuffled.toSorted(drawOrder)).toEqual(all.toSorted(drawOrder))
      }),
    )
  })

  it('has its rules in order: priority, expiry, given before bought, size, age, and the id at last', () => {
    const ordered: Partial<Grant>[] = [
      { priority: 1, expiresAtMs: null, kind: 'purchased', issued: nano(9n), effectiveAtMs: 9, grantId: 'z' },
      { priority: 2, expiresAtMs: 8, kind: 'purchased', issued: nano(9n), effectiveAtMs: 9, grantId: 'z' },
      { priority: 2, expiresAtMs: 9, kind: 'courtesy', issued: nano(9n), effectiveAtMs: 9, grantId: 'z' },
      { priority: 2, expiresAtMs: 9, kind: 'purchased', issued: nano(8n), effectiveAtMs: 9, grantId: 'z' },
      { priority: 2, expiresAtMs: 9, kind: 'purchased', issued: nano(9n), effectiveAtMs: 8, grantId: 'z' },
      { priority: 2, expiresAtMs: 9, kind: 'purchased', issued: nano(9n), effectiveAtMs: 9, grantId: 'a' },
      { priority: 2, expiresAtMs: 9, kind: 'purchased', issued: nano(9n), effectiveAtMs: 9, grantId: 'b' },
      { priority: 2, expiresAtMs: null, kind: 'courtesy', issued: nano(1n), effectiveAtMs: 0, grantId: 'a' },
    ]
    const grants = ordered.map(grantOf)
    expect(grants.toReversed().toSorted(drawOrder)).toEqual(grants)
    for (const [index, grant] of grants.entries()) {
      for (const later of grants.slice(index + 1)) expect(drawOrder(grant, later)).toBeLessThan(0)
    }
  })

  it('does not depend on what was used of a grant', () => {
    fc.assert(
      fc.property(anyGrant, anyGrant, (a, b) => {
        const used: Grant = { ...a, available: zero, settled: a.issued }
        expect(drawOrder(used, b)).toBe(drawOrder(a, b))
      }),
    )
  })
})

describe('a grant', () => {
  it('is active from its start to just before its expiry', () => {
    const grant = grantOf({ effectiveAtMs: 10, expiresAtMs: 20 })
    expect([9, 10, 19, 20].map((atMs) => isActive(grant, atMs))).toEqual([false, true, true, false])
  })

  it('is active for ever without an expiry', () => {
    expect(isActive(grantOf({}), Number.MAX_SAFE_INTEGER)).toBe(true)
  })

  it('is open while it holds credit, for itself or for a request', () => {
    expect(isOpen(grantOf({}))).toBe(true)
    expect(isOpen(grantOf({ available: zero, held: nano(1n) }))).toBe(true)
    expect(isOpen(grantOf({ available: zero, settled: nano(10n) }))).toBe(false)
  })

  it('counts as available credit only while it is active, and never with what is held', () => {
    const grants = [
      grantOf({ grantId: 'now', available: nano(7n), held: nano(3n) }),
      grantOf({ grantId: 'soon', effectiveAtMs: 11 }),
      grantOf({ grantId: 'over', expiresAtMs: 10 }),
    ]
    const account = { grants, asOfMs: 10 } as unknown as Parameters<typeof availableCredit>[0]
    expect(availableCredit(account)).toBe(7n)
  })
})
