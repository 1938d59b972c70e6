import { describe, expect, it } from 'vitest'
import { usd } from '../money.ts'
import type { Entry } from './entry.ts'
import { periodAt } from './period.ts'
import { planPreset } from './plan-presets.ts'
import { addTerms, historyFrom, subscriptionOf, type TermsHistory } from './terms-history.ts'

const november = periodAt(Date.UTC(2026, 10, 1), null)
const plans = planPreset('hf-2026-02-04')

function configured(atMs: number, planId: string, seats = 1): Entry {
  return {
    kind: 'configured',
    opId: `configure:${atMs}`,
    recordedAtMs: atMs,
    effectiveAtMs: atMs,
    postings: [],
    terms: { planId, seats, spendingLimit: null, anchorDay: null },
  }
}

const history = (...entries: Entry[]): TermsHistory => entries.reduce(addTerms, [] as TermsHistory)

describe('the terms of an account over time', () => {
  it('are told by what was configured and by what was included', () => {
    const included: Entry = {
      ...configured(1, 'free'),
      kind: 'granted',
      terms: { kind: 'included', planId: 'free', seats: 1 },
    }
    expect(history(included, configured(2, 'pro'), configured(3, 'pro'))).toEqual([
      { atMs: 1, planId: 'free', seats: 1, anchorDay: null },
      { atMs: 2, planId: 'pro', seats: 1, anchorDay: null },
    ])
  })

  it('keep the anchor day when credit is included', () => {
    const anchored: Entry = { ...configured(1, 'pro'), terms: { planId: 'pro', seats: 1, anchorDay: 15 } }
    const included: Entry = {
      ...configured(2, 'pro'),
      kind: 'granted',
      terms: { kind: 'included', planId: 'pro', seats: 2 },
    }
    expect(history(anchored, included).at(-1)).toMatchObject({ seats: 2, anchorDay: 15 })
  })

  it('are bounded, and keep the most seats of what they join', () => {
    const many = history(
      ...Array.from({ length: 1000 }, (_, index) => configured(index, 'team', 1 + (index % 7))),
    )
    expect(many).toHaveLength(256)
    expect(many[0]).toMatchObject({ atMs: 0, seats: 7 })
    expect(many.at(-1)).toMatchObject({ atMs: 999 })
  })

  it('join the first neighbours on one plan, and the oldest two when there are none', () => {
    const changes = (plans: readonly string[]) =>
      plans.map((planId, index) => configured(index, planId, 1 + index))
    const apart = Array.from({ length: 255 }, (_, index) => (index % 2 === 0 ? 'pro' : 'team'))
    const joined = history(...changes(['free', 'free', ...apart]))
    expect(joined).toHaveLength(256)
    expect(joined.slice(0, 2)).toMatchObject([
      { atMs: 0, planId: 'free', seats: 2 },
      { atMs: 2, planId: 'pro', seats: 3 },
    ])
    const later = history(...changes(['free', 'pro', 'pro', ...apart.slice(1)]))
    expect(later.slice(0, 3)).toMatchObject([
      { planId: 'free', seats: 1 },
      { atMs: 1, planId: 'pro', seats: 3 },
      { atMs: 3, planId: 'team', seats: 4 },
    ])
    expect(history(...changes(['free', ...apart, 'team'])).slice(0, 2)).toMatchObject([
      { atMs: 0, planId: 'free', seats: 2 },
      { atMs: 2, planId: 'team', seats: 3 },
    ])
  })

  it('keep the last terms from before a moment', () => {
    const all = history(configured(1, 'free'), configured(5, 'pro'), configured(9, 'team'))
    expect(historyFrom(all, 5).map(({ planId }) => planId)).toEqual(['free', 'pro', 'team'])
    expect(historyFrom(all, 6).map(({ planId }) => planId)).toEqual(['pro', 'team'])
    expect(historyFrom(all, 0).map(({ planId }) => planId)).toEqual(['free', 'pro', 'team'])
  })
})

describe('the subscription of a period', () => {
  it.each([
    ['nothing was configured', history(), undefined],
    ['the plan is free', history(configured(november.startMs, 'free')), undefined],
    ['the plan is on terms of its own', history(configured(november.startMs, 'enterprise')), undefined],
    ['it was configured before', history(configured(november.startMs - 9, 'pro')), usd('9.00')],
    ['it was configured in the last moment', history(configured(november.endMs - 1, 'pro')), usd('9.00')],
    ['it was configured after it', history(configured(november.endMs, 'pro')), undefined],
    ['it left a better plan before it', history(configured(1, 'pro'), configured(2, 'free')), undefined],
    [
      'it left a better plan as it began',
      history(configured(1, 'pro'), configured(november.startMs, 'free')),
      undefined,
    ],
    [
      'it left a better plan within it',
      history(configured(1, 'team', 3), configured(november.startMs + 1, 'pro')),
      usd('60.00'),
    ],
    ['its plan has left the table', history(configured(1, 'gone')), undefined],
  ] as const)('when %s', (_when, terms, amount) => {
    expect(subscriptionOf(terms, november, plans)?.amount).toBe(amount)
  })
})
