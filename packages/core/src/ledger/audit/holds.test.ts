import { describe, expect, it } from 'vitest'
import { nano } from '../../money.ts'
import type { Account, Source } from '../account.ts'
import type { Reservation } from '../reservation.ts'
import type { Cut, Value } from '../storage.ts'
import { compareHolds } from './holds.ts'
import { createFindings } from './report.ts'

type Part = Reservation['parts'][number]
type Hold = Pick<Reservation, 'reservationId' | 'state' | 'amount' | 'parts'>

const part = (amount: bigint, source: Source = 'grant:g1'): Part => ({ source, amount: nano(amount) })

const hold = (reservationId: string, amount: bigint, change: Partial<Hold> = {}): Hold => ({
  reservationId,
  state: 'held',
  amount: nano(amount),
  parts: [part(amount)],
  ...change,
})

/** What is found when the head says that so much is held of `g1` and of November's line, and waits for late costs. */
function compare(
  holds: readonly (Hold | Value)[],
  inHead: { grant?: bigint; line?: bigint; provisional?: bigint | undefined } = {},
  cut: Partial<Cut> = {},
) {
  const { grant = 0n, line = 0n, ...rest } = inHead
  const account = {
    grants: [{ grantId: 'g1', held: grant }],
    overage: [{ periodKey: '2026-11', held: line }],
    provisional: 0n,
    ...rest,
  } as unknown as Account
  const due = holds.map((value, index) => ({ key: `hold:r${index + 1}`, value: value as Value }))
  const findings = createFindings('alice', 100)
  const reading: Cut = { head: null, records: new Map(), due, moreDue: false, version: 1n, now: 0, ...cut }
  const result = compareHolds(account, reading, findings)
  expect(findings.list.every(({ kind, seq }) => kind === 'wrong-hold' && seq === null)).toBe(true)
  const found = findings.list.map(
    ({ accountId: _accountId, kind: _kind, seq: _seq, message: _message, ...where }) => where,
  )
  return { found, result, messages: findings.list.map(({ message }) => message) }
}

const line = 'overage:2026-11'

describe('the open holds of an account', () => {
  it('are what its grants and its pay-as-you-go have as held', () => {
    const split = hold('r2', 9n, { parts: [part(4n), part(5n, line)] })
    expect(compare([hold('r1', 3n), split], { grant: 7n, line: 5n })).toEqual({
      found: [],
      messages: [],
      result: { compared: 2, isComplete: true },
    })
    expect(compare([])).toMatchObject({ found: [], result: { compared: 0 } })
  })

  it('are found to hold more, less or something else than the head says', () => {
    expect(compare([hold('r1', 3n)], { grant: 2n }).found).toStrictEqual([{ source: 'grant:g1' }])
    expect(compare([hold('r1', 3n)], { grant: 4n }).found).toEqual([{ source: 'grant:g1' }])
    expect(compare([], { line: 1n }).found).toEqual([{ source: line }])
    expect(compare([hold('r1', 3n, { parts: [part(3n, 'grant:gx')] })])).toMatchObject({
      found: [{ source: 'grant:gx' }],
      messages: ['Open holds hold $0.000000003 of grant:gx, which the head does not have.'],
    })
  })

  it('are found to be of another amount than their parts', () => {
    for (const amount of [2n, 4n]) {
      const { found } = compare([hold('r1', amount, { parts: [part(3n)] })], { grant: 3n })
      expect(found).toEqual([{ requestId: 'r1' }])
    }
    const { found } = compare([hold('r1', 5n, { parts: [part(3n), part(4n)] })], { grant: 7n })
    expect(found).toEqual([{ requestId: 'r1' }])
  })

  it('are found to have a part of nothing, or of less', () => {
    expect(compare([hold('r1', 3n, { parts: [part(3n), part(0n)] })], { grant: 3n }).found).toHaveLength(1)
    expect(compare([hold('r1', 3n, { parts: [part(4n), part(-1n)] })], { grant: 3n }).found).toHaveLength(1)
    expect(compare([hold('r1', 1n)], { grant: 1n }).found).toEqual([])
  })

  it.each(['settled', 'released'] as const)(
    'hold nothing once they are %s, whatever their amount was',
    (state) => {
      expect(compare([hold('r1', 3n, { state, parts: [] })]).found).toEqual([])
      const { found, messages } = compare([hold('r1', 3n, { state })], { grant: 3n })
      expect(found).toEqual([{ requestId: 'r1' }])
      expect(messages).toEqual([`The hold of r1 is ${state} and still holds money.`])
    },
  )

  it('are found where they can not be read, and the others are compared', () => {
    const forged: Value[] = [
      'hold',
      null,
      { ...hold('r1', 3n), amount: 3 } as unknown as Value,
      { ...hold('r1', 3n), state: undefined } as unknown as Value,
      { ...hold('r1', 3n), reservationId: undefined } as unknown as Value,
      { ...hold('r1', 3n), parts: 'all' } as unknown as Value,
      { ...hold('r1', 3n), parts: [{ source: 'grant:g1' }] } as unknown as Value,
      { ...hold('r1', 3n), parts: [{ amount: 3n }] } as unknown as Value,
    ]
    const { messages, result } = compare([...forged, hold('r9', 2n)], { grant: 2n })
    expect(messages).toEqual(
      forged.map((_, index) => `The record "hold:r${index + 1}" can not be read as a hold.`),
    )
    expect(result.compared).toBe(9)
  })

  it('are all there is, of records that are due', () => {
    const due = [{ key: 'other:r1', value: 'anything' }]
    expect(compare([], {}, { due })).toMatchObject({ found: [], result: { compared: 0 } })
  })
})

describe('holds that wait for late costs', () => {
  const waiting = (amount: bigint) => hold('r1', amount, { state: 'provisional' })

  it('are what the head says', () => {
    const others = [hold('r2', 1n), hold('r3', 2n, { state: 'unresolved' })]
    const all = [waiting(5n), waiting(6n), ...others]
    expect(compare(all, { grant: 14n, provisional: 11n }).found).toEqual([])
    for (const provisional of [10n, 12n, 14n]) {
      expect(compare(all, { grant: 14n, provisional }).found).toStrictEqual([{}])
    }
  })

  it('are none where the head was written before there were any', () => {
    expect(compare([hold('r1', 5n)], { grant: 5n, provisional: undefined }).found).toEqual([])
    expect(compare([waiting(5n)], { grant: 5n, provisional: undefined }).messages).toEqual([
      'The head says $0.00 waits for late costs; the open holds say $0.000000005.',
    ])
  })
})

describe('holds of which not all could be read', () => {
  const cut = { moreDue: true }

  it('may hold less than the head says, never more', () => {
    expect(compare([hold('r1', 3n)], { grant: 4n }, cut)).toMatchObject({
      found: [],
      result: { compared: 1, isComplete: false },
    })
    expect(compare([hold('r1', 3n)], { grant: 3n }, cut).found).toEqual([])
    expect(compare([hold('r1', 3n)], { grant: 2n }, cut).found).toEqual([{ source: 'grant:g1' }])
  })

  it('may wait for less than the head says, never for more', () => {
    const waiting = hold('r1', 3n, { state: 'provisional' })
    expect(compare([waiting], { grant: 3n, provisional: 4n }, cut).found).toEqual([])
    expect(compare([waiting], { grant: 3n, provisional: 3n }, cut).found).toEqual([])
    expect(compare([waiting], { grant: 3n, provisional: 2n }, cut).found).toEqual([{}])
  })
})

describe('the leases of an account', () => {
  const lease = (reservationId: string, state: Hold['state'] = 'held') => ({
    ...hold(reservationId, 1n, { state, parts: [] }),
    amount: nano(0n),
    lease: { untilMs: 0 },
  })

  /** What is found when the head lists these leases. */
  function listed(leases: unknown, holds: readonly unknown[], moreDue = false) {
    const account = {
      grants: [],
      overage: [],
      ...(leases === undefined ? {} : { leases }),
    } as unknown as Account
    const due = holds.map((value, index) => ({ key: `hold:r${index + 1}`, value: value as Value }))
    const findings = createFindings('alice', 100)
    compareHolds(account, { head: null, records: new Map(), due, moreDue, version: 1n, now: 0 }, findings)
    return findings.list.map(({ kind, requestId, message }) => [kind, requestId ?? message])
  }

  it('are the ones that the head lists', () => {
    const leases = [{ leaseId: 'a' }, { leaseId: 'b' }]
    expect(listed(leases, [lease('b'), lease('a'), hold('r3', 0n, { parts: [] })])).toEqual([])
    expect(listed(undefined, [])).toEqual([])
  })

  it('are found where the head does not list them, unless they are over', () => {
    expect(listed(undefined, [lease('a')])).toEqual([['wrong-hold', 'a']])
    expect(listed([{ leaseId: 'b' }], [lease('a'), lease('b')])).toEqual([['wrong-hold', 'a']])
    for (const state of ['settled', 'released', 'unresolved'] as const)
      expect(listed(undefined, [lease('a', state)])).toEqual([])
  })

  it('are found where the head lists one that no open hold has, unless not all holds could be read', () => {
    const leases = [{ leaseId: 'a' }, { leaseId: 'b' }]
    expect(listed(leases, [lease('b')])).toEqual([['wrong-hold', 'a']])
    expect(listed(leases, [lease('b'), lease('a', 'released')])).toEqual([['wrong-hold', 'a']])
    expect(listed(leases, [lease('b')], true)).toEqual([])
    expect(listed(leases, [lease('c')], true)).toEqual([['wrong-hold', 'c']])
  })

  it('are found where their list can not be read, and then each of them', () => {
    const message = 'The list of leases can not be read.'
    for (const leases of ['a', [{ leaseId: 1 }], [null]])
      expect(listed(leases, [])).toEqual([['wrong-head', message]])
    expect(listed(null, [lease('a')])).toEqual([
      ['wrong-head', message],
      ['wrong-hold', 'a'],
    ])
  })

  it('are compared also where another hold can not be read', () => {
    const message = 'The record "hold:r1" can not be read as a hold.'
    expect(listed([{ leaseId: 'a' }], [null, lease('a')])).toEqual([['wrong-hold', message]])
  })
})
