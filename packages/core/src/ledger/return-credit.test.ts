import { describe, expect, it } from 'vitest'
import { nano, usd, zero } from '../money.ts'
import type { Grant } from './account.ts'
import { addGrant, type Draft } from './draft.ts'
import type { GrantRecord } from './grant.ts'
import { firstDraft } from './open-account.ts'
import { planPreset } from './plan-presets.ts'
import { giveBack, type Reissue } from './return-credit.ts'
import type { Value } from './storage.ts'

const now = Date.UTC(2026, 10, 10)
const endMs = Date.UTC(2026, 11, 1)

function grantOf(terms: Partial<Grant> = {}): Grant {
  return {
    grantId: 'g',
    kind: 'purchased',
    priority: 50,
    effectiveAtMs: 0,
    expiresAtMs: null,
    issued: nano(10n),
    available: nano(3n),
    held: zero,
    settled: nano(7n),
    expired: zero,
    voided: zero,
    ...terms,
  }
}

function draftWith(...grants: Grant[]): Draft {
  const cut = { head: null, records: new Map(), due: [], moreDue: false, version: 0n, now }
  const draft = firstDraft(cut, 'alice', planPreset('hf-latest'))
  for (const grant of grants) addGrant(draft, grant)
  return draft
}

const records = (grantId: string, record: GrantRecord) => new Map([[`grant:${grantId}`, record as Value]])

describe('credit that goes back to its grant', () => {
  it.each([
    ['usable again while the grant is', {}, 'available', [8n, 0n, 0n]],
    ['expired in the moment the grant expires', { expiresAtMs: now }, 'expired', [3n, 5n, 0n]],
    ['usable in the last moment before', { expiresAtMs: now + 1 }, 'available', [8n, 0n, 0n]],
    ['void when the grant is', { isVoid: true, expiresAtMs: now }, 'voided', [3n, 0n, 5n]],
  ] as const)('is %s', (_what, terms, to, counters) => {
    const draft = draftWith(grantOf(terms))
    const reissues: Reissue[] = []
    const returned = { source: 'grant:g', amount: nano(5n), expiredCredit: undefined } as const
    expect(giveBack(draft, new Map(), returned, reissues)).toEqual({
      source: 'grant:g',
      from: 'settled',
      to,
      amount: 5n,
    })
    const [grant] = draft.account.grants
    expect([grant?.available, grant?.expired, grant?.voided, grant?.settled]).toEqual([...counters, 2n])
    expect(reissues).toEqual([])
  })

  it('is courtesy credit when it has expired and that was asked for, and only then', () => {
    const courtesy = { source: 'grant:g', amount: nano(5n), expiredCredit: 'courtesy' } as const
    for (const [terms, expected] of [
      [{ expiresAtMs: now }, [{ kind: 'courtesy', priority: 20, expiresAtMs: null, amount: 5n }]],
      [{ expiresAtMs: now + 1 }, []],
      [{ expiresAtMs: now, isVoid: true as const }, []],
    ] as const) {
      const reissues: Reissue[] = []
      giveBack(draftWith(grantOf(terms)), new Map(), courtesy, reissues)
      expect(reissues).toEqual(expected)
    }
  })

  it('is never more than the grant has paid', () => {
    const draft = draftWith(grantOf())
    const back = (amount: bigint) =>
      ({ source: 'grant:g', amount: nano(amount), expiredCredit: undefined }) as const
    expect(() => giveBack(draft, new Map(), back(8n), [])).toThrow(/settled less/)
    giveBack(draft, new Map(), back(7n), [])
    expect(draft.account.grants[0]?.settled).toBe(0n)
  })
})

describe('credit of a grant that was forgotten', () => {
  const issued = grantOf({ kind: 'promotional', priority: 7, expiresAtMs: now + 1 })
  const onItsTerms = { kind: 'promotional', priority: 7, expiresAtMs: now + 1, amount: 5n }
  const courtesy = { kind: 'courtesy', priority: 20, expiresAtMs: null, amount: 5n }
  const tillPeriodEnd = { kind: 'courtesy', priority: 10, expiresAtMs: endMs, amount: 5n }

  it.each<[string, string, GrantRecord | undefined, Reissue | undefined, Reissue | undefined]>([
    ['it can still be used', 'g', { grant: issued }, onItsTerms as Reissue, onItsTerms as Reissue],
    [
      'it never expires',
      'g',
      { grant: { ...issued, expiresAtMs: null } },
      { ...onItsTerms, expiresAtMs: null } as Reissue,
      { ...onItsTerms, expiresAtMs: null } as Reissue,
    ],
    ['it has just expired', 'g', { grant: { ...issued, expiresAtMs: now } }, undefined, courtesy as Reissue],
    ['it was voided', 'g', { grant: issued, isVoid: true }, undefined, undefined],
    ['nothing is known of it', 'g', undefined, undefined, courtesy as Reissue],
    [
      'it was included in this period',
      'incl:2026-11:9',
      undefined,
      tillPeriodEnd as Reissue,
      tillPeriodEnd as Reissue,
    ],
    ['that was voided too', 'incl:2026-11:9', { isVoid: true }, undefined, undefined],
    ['it was included in an earlier period', 'incl:2026-10:9', undefined, undefined, courtesy as Reissue],
    [
      'it was included, whatever its record says',
      'g',
      { grant: { ...issued, kind: 'included' } },
      undefined,
      courtesy as Reissue,
    ],
  ])('is issued anew on the terms it has left, when %s', (_when, grantId, record, asExpired, asCourtesy) => {
    const known = record === undefined ? new Map() : records(grantId, record)
    for (const [expiredCredit, expected] of [
      ['expired', asExpired],
      [undefined, asExpired],
      ['courtesy', asCourtesy],
    ] as const) {
      const reissues: Reissue[] = []
      const returned = { source: `grant:${grantId}`, amount: nano(5n), expiredCredit } as const
      expect(giveBack(draftWith(), known, returned, reissues)).toMatchObject({ to: 'voided', amount: 5n })
      expect(reissues).toEqual(expected === undefined ? [] : [expected])
    }
  })

  it('is one grant for each of its terms', () => {
    const reissues: Reissue[] = []
    const known = new Map<string, Value>()
    const terms: [string, Partial<Grant>][] = [
      ['a', { priority: 7 }],
      ['b', { priority: 8 }],
      ['c', { priority: 7, expiresAtMs: now + 2 }],
      ['d', { priority: 7, kind: 'courtesy' }],
      ['e', { priority: 7 }],
    ]
    for (const [grantId, each] of terms) {
      known.set(`grant:${grantId}`, { grant: { ...issued, grantId, ...each } } as Value)
      const returned = { source: `grant:${grantId}`, amount: usd('0.01'), expiredCredit: undefined } as const
      giveBack(draftWith(), known, returned, reissues)
    }
    expect(reissues.map(({ priority, kind, amount }) => [priority, kind, amount])).toEqual([
      [7, 'promotional', usd('0.02')],
      [8, 'promotional', usd('0.01')],
      [7, 'promotional', usd('0.01')],
      [7, 'courtesy', usd('0.01')],
    ])
  })
})
