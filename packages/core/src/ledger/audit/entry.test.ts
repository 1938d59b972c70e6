import { describe, expect, it } from 'vitest'
import type { Value } from '../storage.ts'
import { isEntry } from './entry.ts'
import { hasMembers, isListOf } from './shape.ts'

const posting = { source: 'grant:g1', from: 'available', to: 'settled', amount: 5n }
const attempt = {
  attemptId: 'r1.1',
  providerId: 'p',
  providerModel: 'm',
  cost: 5n,
  charged: 5n,
  absorbed: 0n,
}
const entry = { kind: 'settled', opId: 'o', recordedAtMs: 1, effectiveAtMs: 2, postings: [posting] }

const withPosting = (change: object): Value => ({ ...entry, postings: [posting, { ...posting, ...change }] })
const withAttempt = (change: object): Value => ({ ...entry, attempts: [attempt, { ...attempt, ...change }] })

describe('what an audit takes for an entry', () => {
  it.each<[string, Value]>([
    ['without attempts', entry],
    ['with attempts', { ...entry, attempts: [attempt] }],
    ['with neither postings nor attempts', { ...entry, postings: [], attempts: [] }],
    ['of pay-as-you-go', withPosting({ source: 'overage:2026-11' })],
    ['with an attempt of which nobody knows the cost', withAttempt({ cost: null })],
  ])('is one %s', (_what, value) => {
    expect(isEntry(value)).toBe(true)
  })

  it.each<[string, Value]>([
    ['nothing', null],
    ['a text', 'settled'],
    ['a list', [entry]],
    ...['kind', 'opId', 'recordedAtMs', 'effectiveAtMs', 'postings'].flatMap((name): [string, Value][] => [
      [`one without ${name}`, { ...entry, [name]: undefined }],
      [`one whose ${name} is something else`, { ...entry, [name]: true }],
    ]),
    ...['source', 'from', 'to', 'amount'].map((name): [string, Value] => [
      `one with a posting without ${name}`,
      withPosting({ [name]: undefined }),
    ]),
    ['one whose postings are no list', { ...entry, postings: posting }],
    ['one with a posting of nothing', { ...entry, postings: [null] }],
    ['one that moves money of something else', withPosting({ source: 'x:grant:g1' })],
    ['one that moves money from nowhere', withPosting({ from: 'toString' })],
    ['one that moves money to nowhere', withPosting({ to: 'hidden' })],
    ['one with an amount that is no bigint', withPosting({ amount: 5 })],
    ...['attemptId', 'providerId', 'providerModel', 'charged', 'absorbed', 'cost'].flatMap(
      (name): [string, Value][] => [
        [`one with an attempt without ${name}`, withAttempt({ [name]: undefined })],
        [`one with an attempt whose ${name} is something else`, withAttempt({ [name]: 5 })],
      ],
    ),
    ['one whose attempts are no list', { ...entry, attempts: attempt }],
    ['one whose attempts are nothing', { ...entry, attempts: null }],
  ])('is not %s', (_what, value) => {
    expect(isEntry(value)).toBe(false)
  })
})

it('an object has members when all of them are there and what they should be', () => {
  const shape = { name: 'string', amount: 'bigint' } as const
  expect(hasMembers({ name: 'a', amount: 1n, more: true }, shape)).toBe(true)
  expect(isListOf([], shape)).toBe(true)
  expect(isListOf([{ name: 'a', amount: 1n }], shape)).toBe(true)
  for (const value of [undefined, null, 'text', 5, {}, { name: 'a' }, { name: 1n, amount: 1n }]) {
    expect(hasMembers(value, shape)).toBe(false)
    expect(isListOf([{ name: 'a', amount: 1n }, value], shape)).toBe(false)
    expect(isListOf(value, shape)).toBe(false)
  }
})
