import { expect, it } from 'vitest'
import { nano } from '../money.ts'
import { planPreset } from './plan-presets.ts'
import type { Reservation, ReservationSubject } from './reservation.ts'
import { reserve } from './reserve.ts'

/** How a hold remembers what it was asked for. */
function fingerprintOf(subject: Partial<ReservationSubject>): string | undefined {
  const records = new Map([['member:ada', null]])
  const cut = { head: null, records, due: [], moreDue: false, version: 0n, now: 0 }
  const request = {
    accountId: 'alice',
    reservationId: 'r1',
    amount: nano(60n),
    minimum: nano(1n),
    timeToLiveMs: 1000,
    subject: { model: 'model', costProviderIds: ['provider'], attemptsMax: 3, ...subject },
  }
  const result = reserve(request, planPreset('hf-2026-02-04'))(cut).result
  return (result as { readonly reservation?: Reservation }).reservation?.fingerprint
}

it('writes what a hold was asked for always alike, so that a repeat is recognised by the next release too', () => {
  expect(fingerprintOf({})).toBe('["60|1","model",null,["provider"],3]')
  expect(fingerprintOf({ memberId: 'ada' })).toBe('["60|1","model","ada",["provider"],3]')
  expect(fingerprintOf({ keyId: 'key' })).toBe('["60|1","model",null,["provider"],3,"key"]')
})
