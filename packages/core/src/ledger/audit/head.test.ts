import { describe, expect, it } from 'vitest'
import { nano, zero } from '../../money.ts'
import type { Account, Grant } from '../account.ts'
import type { Value } from '../storage.ts'
import { emptyFold, type Fold, type FoldedSource } from './fold.ts'
import { compareHead, isHead } from './head.ts'
import { createFindings } from './report.ts'

const period = { key: '2026-11', startMs: 1000, endMs: 2000 }

const included: Grant = {
  grantId: 'included:2026-11',
  kind: 'included',
  priority: 10,
  effectiveAtMs: 1000,
  expiresAtMs: 2000,
  issued: nano(100n),
  available: nano(100n),
  held: zero,
  settled: zero,
  expired: zero,
  voided: zero,
}

const account: Account = {
  accountId: 'alice',
  asOfMs: 1500,
  seq: 3n,
  chain: 'abc',
  planId: 'pro',
  seats: 1,
  spendingLimit: null,
  memberCap: null,
  anchorDay: null,
  period,
  includedIssued: nano(100n),
  includedTarget: nano(100n),
  includedRest: 0n,
  includedPools: null,
  grants: [included],
  overage: [],
  charged: nano(7n),
  absorbed: nano(5n),
  refunded: nano(3n),
  provisional: zero,
  closedThrough: '2026-10',
  carry: nano(2n),
  alerted: null,
}

const none = { issued: 0n, available: 0n, settled: 0n, expired: 0n, voided: 0n, limit: 0n, used: 0n }
const terms = { kind: 'included', planId: 'pro', target: 100n, expiresAtMs: 2000, priority: 10 }
const source: FoldedSource = {
  source: 'grant:included:2026-11',
  buckets: { ...none, issued: -100n, available: 100n },
  effectiveAtMs: 1000,
  terms,
  movedAtMs: 1500,
}

/** What a journal adds up to that tells the same as the head. */
function fold(change: Partial<Fold> = {}, ...sources: FoldedSource[]): Fold {
  const totals = { charged: 7n, absorbed: 5n, refunded: 3n, recordedAtMs: 1500 }
  const closed = { periodKey: '2026-10', carryOut: 2n, invoiced: 0n }
  const all = sources.length === 0 ? [source] : sources
  return {
    ...emptyFold(),
    ...totals,
    closed,
    included: terms,
    sources: new Map(all.map((each) => [each.source, each])),
    ...change,
  }
}

function found(head: Account, journal = fold(), defaultPlanId: string | null = 'free'): readonly string[] {
  const findings = createFindings('alice', 100)
  compareHead(head, journal, defaultPlanId, findings)
  expect(findings.list.every(({ kind, seq }) => kind === 'wrong-head' && seq === null)).toBe(true)
  return findings.list.map(({ message }) => message)
}

const head = (change: Partial<Account>) => ({ ...account, ...change })
/** A head as it was written before there was this. */
const without = (name: keyof Account) => ({ ...account, [name]: undefined }) as unknown as Account
const once = (text: string) => [expect.stringContaining(text)]

describe('the sums of a head', () => {
  it('are those of the journal', () => {
    expect(found(account)).toEqual([])
  })

  it.each<[string, Partial<Account>]>([
    ['charged in all', { charged: nano(8n) }],
    ['absorbed in all', { absorbed: nano(4n) }],
    ['refunded in all', { refunded: zero }],
    ['carried on by invoices', { carry: zero }],
    ['closed through 2026-11; the journal says 2026-10', { closedThrough: '2026-11' }],
    ['closed through null', { closedThrough: null }],
    ['of an earlier time', { asOfMs: 1499 }],
  ])('are found wrong: %s', (message, change) => {
    expect(found(head(change))).toEqual(once(message))
  })

  it('may be missing where they were written before there were any, and are zero then', () => {
    const journal = fold({ refunded: 0n, closed: undefined })
    const old = { ...account, refunded: undefined, carry: undefined, closedThrough: undefined }
    expect(found(old as unknown as Account, journal)).toEqual([])
    expect(found(without('refunded'))).toEqual(once('refunded in all'))
    expect(found(without('carry'))).toEqual(once('carried on by invoices'))
    expect(found(without('closedThrough'))).toEqual(once('closed through'))
    expect(found(account, journal)).toHaveLength(3)
  })

  it('may be of a later time than the last entry', () => {
    expect(found(head({ asOfMs: 9999 }))).toEqual([])
  })
})

it('a finding about a head names the source that it is about, and nothing where it is about none', () => {
  const findings = createFindings('alice', 100)
  const forged = {
    ...account,
    charged: nano(8n),
    overage: [{ periodKey: '2026-11', held: zero, used: nano(1n) }],
  }
  compareHead(forged, fold(), 'free', findings)
  const where = { accountId: 'alice', kind: 'wrong-head', seq: null }
  expect(findings.list).toStrictEqual([
    { ...where, message: 'The head says $0.000000008 charged in all; the journal says $0.000000007.' },
    {
      ...where,
      source: 'overage:2026-11',
      message: 'The head says $0.000000001 used of overage:2026-11; the journal says $0.00.',
    },
  ])
})

describe('the terms of a head', () => {
  const configured = { planId: 'team', seats: 3, anchorDay: 5, memberCap: 9n, spendingLimit: 8n }
  const same = { ...configured, memberCap: nano(9n), spendingLimit: nano(8n) }

  it('are those that were configured last', () => {
    expect(found(head(same), fold({ configured }))).toEqual([])
  })

  it.each<[string, Partial<Account>]>([
    ['the plan "pro"; the journal says "team"', { planId: 'pro' }],
    ['2 seats; the journal says 3', { seats: 2 }],
    ['the anchor day 6; the journal says 5', { anchorDay: 6 }],
    ['the anchor day null; the journal says 5', { anchorDay: null }],
    ['a member cap of $0.00000001; the journal says $0.000000009', { memberCap: nano(10n) }],
    ['a member cap of the plan', { memberCap: null }],
    ['a spending limit of $0.000000009; the journal says $0.000000008', { spendingLimit: nano(9n) }],
    ['a spending limit of the plan; the journal says $0.000000008', { spendingLimit: null }],
  ])('are found wrong: %s', (message, change) => {
    expect(found(head({ ...same, ...change }), fold({ configured }))).toEqual(once(message))
  })

  it('are one seat, calendar months and no limits where nothing was configured', () => {
    expect(found(head({ seats: 2 }))).toEqual(once('2 seats; the journal says 1'))
    expect(found(head({ anchorDay: 1 }))).toEqual(once('the journal says null'))
    expect(found(head({ memberCap: nano(1n) }))).toEqual(once('the journal says the plan'))
    expect(found(head({ spendingLimit: nano(1n) }))).toEqual(once('the journal says the plan'))
    expect(found(without('anchorDay'))).toEqual([])
    expect(found(without('memberCap'))).toEqual([])
  })

  it('have the plan of the first included credit, or today’s, where nothing was configured', () => {
    expect(found(head({ planId: 'free' }))).toEqual([])
    expect(found(head({ planId: 'team' }))).toEqual(once('"team"; the journal says "pro"'))
    const unknown = fold({ included: undefined })
    expect(found(head({ planId: 'team' }), unknown)).toEqual(once('the journal says "free"'))
    expect(found(head({ planId: 'free' }), unknown)).toEqual([])
  })

  it('have any plan where nobody knows which it should be, and no other than was configured', () => {
    expect(found(head({ planId: 'team' }), fold({ included: undefined }), null)).toEqual([])
    expect(found(head({ planId: 'team' }), fold(), null)).toEqual(once('the journal says "pro"'))
    expect(found(head({ planId: 'free' }), fold({ configured: { planId: 'team' } }))).toEqual(
      once('the journal says "team"'),
    )
  })
})

describe('what a head has issued of included credit', () => {
  it.each<[string, Partial<Account>]>([
    ['included credit issued in 2026-11', { includedIssued: nano(99n) }],
    ['included credit aimed at in 2026-11', { includedTarget: nano(99n) }],
    ['included credit aimed at in 2026-11', { includedTarget: nano(101n) }],
  ])('is found wrong: %s', (message, change) => {
    expect(found(head(change))).toEqual(once(message))
  })

  it('is found wrong by the end of its period', () => {
    expect(found(head({ period: { ...period, endMs: 2001 } }))).toEqual(once('another end of the period'))
  })

  it('is found wrong by its beginning, after which it would be issued again', () => {
    expect(found(head({ period: { ...period, startMs: 1001 } }))).toEqual(
      once('included credit issued in 2026-11'),
    )
  })

  it('may have no target where it was written before there was one', () => {
    expect(found(without('includedTarget'))).toEqual(once('says $0.00 included credit aimed at'))
    const { target: _target, ...old } = terms
    const journal = fold({ included: old }, { ...source, terms: old })
    for (const written of [head({ includedTarget: zero }), account, without('includedTarget')]) {
      expect(found(written, journal)).toEqual([])
    }
    const text = { ...source, terms: { ...terms, target: '200' } }
    expect(found(without('includedTarget'), fold({}, text))).toEqual([])
  })

  it('counts what was issued in parts, up to the highest target, and no credit of other kinds or periods', () => {
    const second: FoldedSource = {
      source: 'grant:second',
      buckets: { ...none, issued: -40n, available: 40n },
      effectiveAtMs: 1000,
      terms: { ...terms, target: 140n },
      movedAtMs: 1500,
    }
    const third = { ...second, source: 'grant:third' as const, terms: { ...terms, target: 120n } }
    const earlier = { ...second, source: 'grant:earlier' as const, effectiveAtMs: 999 }
    const bought = { ...second, source: 'grant:bought' as const, terms: { kind: 'purchased' } }
    const all = [source, second, third, earlier, bought]
    const grants = all.map(({ source: name, effectiveAtMs, buckets, terms: { kind, ...rest } }) => ({
      ...included,
      grantId: name.slice('grant:'.length),
      kind: kind as Grant['kind'],
      effectiveAtMs,
      issued: nano(-buckets.issued),
      available: nano(buckets.available),
      expiresAtMs: (rest as { expiresAtMs?: number }).expiresAtMs as number,
    }))
    const right = head({ grants, includedIssued: nano(180n), includedTarget: nano(140n) })
    expect(found(right, fold({}, ...all))).toEqual([])
    expect(found({ ...right, includedTarget: nano(120n) }, fold({}, ...all))).toEqual(once('aimed at'))
    expect(found({ ...right, includedIssued: nano(220n) }, fold({}, ...all))).toEqual(once('issued in'))
  })
})

describe('what an audit takes for a head', () => {
  const line = { periodKey: '2026-11', held: zero, used: zero }
  const whole = { ...account, overage: [line] }

  it('is an account with its grants and lines, whatever else it has', () => {
    expect(isHead(whole as Value)).toBe(true)
    expect(isHead({ ...whole, grants: [], overage: [], more: 1 } as Value)).toBe(true)
  })

  it.each<[string, unknown]>([
    ['nothing', null],
    ['a text', 'alice'],
    ['a list', [whole]],
    ...['seq', 'chain', 'asOfMs', 'charged', 'absorbed', 'includedIssued', 'period', 'grants', 'overage'].map(
      (name): [string, unknown] => [`one without ${name}`, { ...whole, [name]: undefined }],
    ),
    ...['key', 'startMs', 'endMs'].map((name): [string, unknown] => [
      `one whose period has no ${name}`,
      { ...whole, period: { ...period, [name]: undefined } },
    ]),
    ...['grantId', 'issued', 'available', 'held', 'settled', 'expired', 'voided'].map(
      (name): [string, unknown] => [
        `one with a grant without ${name}`,
        { ...whole, grants: [included, { ...included, [name]: undefined }] },
      ],
    ),
    ...['periodKey', 'held', 'used'].map((name): [string, unknown] => [
      `one with a line without ${name}`,
      { ...whole, overage: [line, { ...line, [name]: undefined }] },
    ]),
  ])('is not %s', (_what, value) => {
    expect(isHead(value as Value)).toBe(false)
  })
})
