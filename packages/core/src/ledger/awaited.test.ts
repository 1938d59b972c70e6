import { describe, expect, it } from 'vitest'
import { nano } from '../money.ts'
import { awaitedAttempts } from './awaited.ts'
import type { LateAttempt } from './late.ts'
import type { Reservation } from './reservation.ts'

const reservation: Reservation = {
  reservationId: 'r1',
  state: 'held',
  amount: nano(1n),
  parts: [],
  periodKey: '2026-11',
  createdAtMs: 1000,
  expiresAtMs: 2000,
  extended: 0,
  fingerprint: '',
  subject: { model: 'model', costProviderIds: ['one', 'two'], attemptsMax: 3 },
}

function late(attemptId: string, providerId: string): LateAttempt {
  return {
    attemptId,
    providerId,
    providerModel: 'model',
    outcome: 'served',
    payer: 'customer',
    costSource: 'estimate',
    estimate: nano(1n),
    held: nano(1n),
  }
}

const everyone = ['one', 'two']

describe('what the providers are asked about', () => {
  it('is every attempt that a process which died could have made, of everyone it could have asked', () => {
    expect(awaitedAttempts({ ...reservation, state: 'unresolved' })).toEqual([
      { attemptId: 'r1.1', providerIds: everyone },
      { attemptId: 'r1.2', providerIds: everyone },
      { attemptId: 'r1.3', providerIds: everyone },
    ])
  })

  it('is each attempt whose cost comes late, of the provider it went to', () => {
    const attempts = [late('r1.2', 'two'), late('r1.3', 'one')]
    const waiting = { attempts, untilMs: 5000, policy: 'waive' } as const
    expect(awaitedAttempts({ ...reservation, state: 'provisional', late: waiting })).toEqual([
      { attemptId: 'r1.2', providerIds: ['two'] },
      { attemptId: 'r1.3', providerIds: ['one'] },
    ])
  })

  it('is what a settlement left open of a request whose process died', () => {
    const untold = { attemptIds: ['r1.3'], untilMs: 5000 }
    expect(awaitedAttempts({ ...reservation, state: 'settled', untold })).toEqual([
      { attemptId: 'r1.3', providerIds: everyone },
    ])
  })

  it('is nothing while a request is under way, and once it is settled', () => {
    expect(awaitedAttempts(reservation)).toEqual([])
    expect(awaitedAttempts({ ...reservation, state: 'settled' })).toEqual([])
  })
})
