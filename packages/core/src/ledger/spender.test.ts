import { describe, expect, it } from 'vitest'
import { nano } from '../money.ts'
import type { KeyCap } from './key-cap.ts'
import type { PlanTable } from './plan.ts'
import { reserve } from './reserve.ts'
import { hasSpender, spenderKeys } from './spender.ts'
import type { Cut, Put, Value } from './storage.ts'

const now = Date.UTC(2026, 10, 10)
const plan = {
  planId: 'plan',
  subscriptionPrice: undefined,
  includedCredit: { amount: nano(100n), per: 'account' },
  overage: 'hard-stop',
} as const
const plans: PlanTable = { plans: [plan], defaultPlanId: 'plan', spendingLimit: nano(0n) }
const each: KeyCap = { amount: nano(50n), per: 'period' }
const inAll: KeyCap = { amount: nano(50n), per: 'lifetime' }

/** What is written as something is asked for with a key. */
function putsOf(keyCap: KeyCap | undefined, records: Cut['records']): readonly Put[] {
  const subject = { model: 'm', keyId: 'k1', costProviderIds: [], attemptsMax: 1 }
  const request = {
    accountId: 'alice',
    reservationId: 'r1',
    amount: nano(10n),
    timeToLiveMs: 0,
    subject: keyCap === undefined ? subject : { ...subject, keyCap },
  }
  const cut = { head: null, records, due: [], moreDue: false, version: 0n, now }
  return reserve(request, plans)(cut).write?.put ?? []
}

const recordOf = (puts: readonly Put[]) => puts.find(({ key }) => key.startsWith('key:'))

describe('the records of who spends', () => {
  it('are those of the member and of the key with a cap, and none for a key without one', () => {
    expect(spenderKeys({})).toEqual([])
    expect(spenderKeys({ keyId: 'k1' })).toEqual([])
    expect(spenderKeys({ memberId: '', keyId: 'k1' })).toEqual(['member:'])
    expect(spenderKeys({ keyId: 'k1', keyCap: each })).toEqual(['key:period:k1'])
    expect(spenderKeys({ memberId: 'ada', keyId: 'k1', keyCap: inAll })).toEqual([
      'member:ada',
      'key:lifetime:k1',
    ])
  })

  it('are there for whoever is counted', () => {
    expect([{}, { keyId: 'k1' }].map(hasSpender)).toEqual([false, false])
    expect([{ memberId: '' }, { keyId: 'k1', keyCap: each }].map(hasSpender)).toEqual([true, true])
  })

  it('of a key without a cap are neither read nor written', () => {
    expect(putsOf(undefined, new Map()).map(({ key }) => key)).not.toContainEqual(
      expect.stringMatching(/^key:/),
    )
  })

  it('of a key may be forgotten seventy days after its last request, and never under a cap for good', () => {
    const none = new Map<string, Value>([
      ['key:period:k1', null],
      ['key:lifetime:k1', null],
    ])
    expect([each, inAll].map((cap) => recordOf(putsOf(cap, none))?.keepUntil)).toEqual([
      now + 70 * 24 * 3_600_000,
      undefined,
    ])
  })

  it('keep two periods, of which the earlier one goes', () => {
    const line = (periodKey: string) => ({ periodKey, held: nano(0n), used: nano(1n) })
    const before = { keyId: 'k1', lines: [line('2026-09'), line('2026-10')] }
    const put = recordOf(putsOf(each, new Map([['key:period:k1', before]])))
    expect(put?.value).toEqual({
      keyId: 'k1',
      lines: [line('2026-10'), { periodKey: '2026-11', held: 10n, used: 0n }],
    })
  })
})
