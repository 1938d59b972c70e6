import { AssertionError } from 'node:assert/strict'
import { nano, type ReceiptAttempt } from '@farebox/core'
import { describe, expect, it } from 'vitest'
import { checkPayers, emptyBooks, explain, type RequestFacts } from './truth.ts'

const attempt = (attemptId: string, charged: bigint, absorbed = 0n): ReceiptAttempt => ({
  attemptId,
  providerId: 'telling',
  providerModel: 'm',
  outcome: 'aborted',
  costSource: 'provider',
  cost: nano(charged + absorbed),
  charged: nano(charged),
  absorbed: nano(absorbed),
})

const facts: RequestFacts = {
  wasAbandoned: true,
  isResolved: true,
  wasClockSteady: true,
  couldBeTold: true,
  hasCallerLeft: false,
  evened: 0n,
  latePolicy: 'waive',
}

const served = {
  attemptId: 'p1.1-1.1',
  providerId: 'telling',
  tokens: { prompt: 1, cached: 0, output: 0 },
  cost: 7n,
  surcharge: 0n,
  isOver: true,
  costFromMs: 0,
  told: undefined,
  isToldFinally: false,
} as const

describe('the truth', () => {
  it('is that a customer pays for one attempt of a request at most', () => {
    const books = emptyBooks()
    books.attempts.set('p1.1-1.1', attempt('p1.1-1.1', 0n, 5n)).set('p1.1-1.2', attempt('p1.1-1.2', 7n))
    books.attempts.set('p1.1-2.1', attempt('p1.1-2.1', 7n))
    checkPayers(books)
    books.attempts.set('p1.1-1.3', attempt('p1.1-1.3', 1n))
    expect(() => checkPayers(books)).toThrow('p1.1-1 was charged for two attempts')
  })

  it('is that what a provider tells is booked, also when the process has died', () => {
    expect(() => explain('p1.1-1.1', served, undefined, facts)).toThrow(AssertionError)
    expect(explain('p1.1-1.1', served, undefined, { ...facts, couldBeTold: false })).toBe('never told')
    expect(explain('p1.1-1.1', served, attempt('p1.1-1.1', 0n, 7n), facts)).toBe('exact')
  })

  it('is that a failed attempt whose provider tells its cost is not taken for unknown', () => {
    const failed: ReceiptAttempt = { ...attempt('p1.1-1.1', 0n), outcome: 'failed', cost: null }
    expect(() => explain('p1.1-1.1', served, failed, facts)).toThrow(AssertionError)
    expect(explain('p1.1-1.1', served, failed, { ...facts, couldBeTold: false })).toBe('failed attempt')
  })

  it('is that a cost is waived only where that is the rule, and nobody could tell it in time', () => {
    const later = { ...served, providerId: 'later' } as const
    const waived: ReceiptAttempt = { ...attempt('p1.1-1.1', 0n), cost: null, state: 'provisional' }
    const untold = { ...facts, couldBeTold: false }
    expect(explain('p1.1-1.1', later, waived, untold)).toBe('waived')
    expect(() => explain('p1.1-1.1', later, waived, facts)).toThrow(AssertionError)
    expect(() => explain('p1.1-1.1', later, waived, { ...untold, latePolicy: 'charge-estimate' })).toThrow(
      AssertionError,
    )
    expect(() => explain('p1.1-1.1', later, { ...waived, state: undefined as never }, untold)).toThrow(
      AssertionError,
    )
  })
})
