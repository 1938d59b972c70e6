import { expect, it } from 'vitest'
import type { GatewayEvent } from './events.ts'
import { createHardStops } from './hard-stops.ts'
import type { Insufficient } from './ledger/reserve.ts'
import { nano } from './money.ts'

const refusal: Insufficient = {
  outcome: 'insufficient',
  limit: 'credit',
  memberCap: null,
  keyCap: null,
  missing: nano(90n),
  spendable: nano(10n),
  held: nano(0n),
  planId: 'free',
  overageLimit: nano(0n),
  periodKey: '2026-11',
  resetsAtMs: 5,
}

function hardStops() {
  const events: GatewayEvent[] = []
  return { events, note: createHardStops((event) => events.push(event)) }
}

it('tells of the first refusal of each account in each period', () => {
  const { events, note } = hardStops()
  note('alice', refusal, nano(60n))
  note('alice', refusal, nano(60n))
  note('bob', refusal, nano(60n))
  note('alice', { ...refusal, periodKey: '2026-12' }, nano(60n))
  expect(events).toEqual([
    {
      kind: 'alert.hard-stop',
      accountId: 'alice',
      periodKey: '2026-11',
      missing: 50n,
      spendable: 10n,
      planId: 'free',
      resetsAtMs: 5,
    },
    expect.objectContaining({ accountId: 'bob' }),
    expect.objectContaining({ accountId: 'alice', periodKey: '2026-12' }),
  ])
})

it('takes no refusal for a stop when requests under way hold what is missing', () => {
  const { events, note } = hardStops()
  note('alice', { ...refusal, held: nano(50n) }, nano(60n))
  expect(events).toEqual([])
  note('alice', { ...refusal, held: nano(49n) }, nano(60n))
  expect(events).toHaveLength(1)
})

it('takes no refusal for a stop when it is a member or a key that has reached its cap', () => {
  const { events, note } = hardStops()
  note('alice', { ...refusal, limit: 'member-cap', memberCap: nano(100n) }, nano(60n))
  note('alice', { ...refusal, limit: 'key-cap', keyCap: { amount: nano(100n), per: 'period' } }, nano(60n))
  expect(events).toEqual([])
  note('alice', { ...refusal, memberCap: nano(100n) }, nano(60n))
  expect(events).toHaveLength(1)
})

it('remembers ten thousand accounts, and forgets the one told longest ago', () => {
  const { events, note } = hardStops()
  for (let index = 0; index <= 10_000; index += 1) note(`account-${index}`, refusal, nano(60n))
  events.length = 0
  note('account-10000', refusal, nano(60n))
  expect(events).toEqual([])
  note('account-0', refusal, nano(60n))
  expect(events).toHaveLength(1)
})
