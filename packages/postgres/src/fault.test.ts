import { isOutcomeUnknown, isUnavailable } from '@farebox/core'
import { expect, it } from 'vitest'
import { isRefused, unavailable, writeFault } from './fault.ts'

function told(code: string, severity = 'ERROR'): Error {
  return Object.assign(new Error('INSERT INTO secret: failed'), { code, severity })
}

it.each([
  ['40001', 'serialization failure'],
  ['57014', 'statement timeout'],
  ['25006', 'read-only standby'],
  ['53100', 'disk full'],
  ['55P03', 'lock timeout'],
  ['23505', 'unique violation'],
  ['42P01', 'missing table'],
  ['XX000', 'internal error'],
])('knows that nothing was applied when the server answers %s (%s)', (code) => {
  expect(isRefused(told(code))).toBe(true)
  expect(isUnavailable(writeFault(told(code)))).toBe(true)
})

it.each([
  ['40003', 'ERROR'],
  ['08007', 'ERROR'],
  ['08006', 'ERROR'],
  ['08P01', 'FATAL'],
  ['57P01', 'FATAL'],
  ['57P02', 'FATAL'],
  ['25P04', 'FATAL'],
  ['53100', 'PANIC'],
  ['58030', 'PANIC'],
  // A server that speaks another language: what it says may be the end of it.
  ['53100', 'PANIK'],
  ['XX000', 'FEHLER'],
])('does not know the outcome of a write that was answered with %s (%s)', (code, severity) => {
  expect(isOutcomeUnknown(writeFault(told(code, severity)))).toBe(true)
})

it.each([
  Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }),
  new Error('Connection terminated unexpectedly'),
  new Error('timeout: the database did not answer within 10000 ms.'),
])('does not know the outcome of a write whose connection was lost: %s', (error) => {
  expect(isOutcomeUnknown(writeFault(error))).toBe(true)
})

it('tells the reason in words of its own and quotes no statement', () => {
  for (const error of [told('53100'), told('99999'), new Error('INSERT INTO secret: failed')]) {
    for (const fault of [unavailable(error), writeFault(error)]) {
      expect(fault.message).not.toContain('secret')
      expect(fault.cause).toBe(error)
    }
  }
  expect(unavailable(told('53100')).message).toBe('The disk of the database is full.')
})

it('tells the reason of a host name whose addresses all refuse', () => {
  const each = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })

  expect(unavailable(new AggregateError([each, each])).message).toBe('The database refuses connections.')
})
