import { describe, expect, it } from 'vitest'
import { nano } from '../money.ts'
import { attemptId, putReservation, type Reservation } from './reservation.ts'

const held: Reservation = {
  reservationId: 'r1',
  state: 'held',
  amount: nano(1n),
  parts: [],
  periodKey: '2026-11',
  createdAtMs: 1000,
  expiresAtMs: 2000,
  extended: 0,
  fingerprint: '',
  subject: { model: 'model', costProviderIds: [], attemptsMax: 1 },
}

describe('the record of a reservation', () => {
  it('comes up half a minute after its expiry while it is held, and is never forgotten', () => {
    expect(putReservation(held, 'create', 1000)).toMatchObject({
      key: 'hold:r1',
      mode: 'create',
      dueAt: 32_000,
      keepUntil: undefined,
    })
  })

  it('comes up again half an hour later while it is unresolved', () => {
    const put = putReservation({ ...held, state: 'unresolved' }, 'replace', 32_000)
    expect([put.dueAt, put.keepUntil]).toEqual([32_000 + 30 * 60_000, undefined])
  })

  it.each(['settled', 'released'] as const)(
    'failure 16: is kept for forty days once it is %s, so that a repeat is recognised',
    (state) => {
      const put = putReservation({ ...held, state }, 'replace', 5000)
      expect([put.dueAt, put.keepUntil]).toEqual([undefined, 5000 + 40 * 24 * 3_600_000])
    },
  )

  it('is kept for eight hundred days once some of it was refunded, as long as more may be', () => {
    const refunds = [{ attemptId: 'r1.1', amount: nano(1n) }]
    const put = putReservation({ ...held, state: 'settled', refunds }, 'replace', 5000)
    expect(put.keepUntil).toBe(5000 + 800 * 24 * 3_600_000)
  })

  it('numbers the attempts of a request', () => {
    expect(attemptId('r1', 2)).toBe('r1.2')
  })
})
