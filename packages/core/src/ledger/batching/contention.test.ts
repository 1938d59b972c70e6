import { describe, expect, it } from 'vitest'
import { contention } from './contention.ts'

describe('an account that others write too', () => {
  it('is contended from the first turn in which somebody else had written', () => {
    const races = contention()
    expect(races.isContended('alice')).toBe(false)
    races.note('alice', false)
    expect(races.isContended('alice')).toBe(false)
    races.note('alice', true)
    expect(races.isContended('alice')).toBe(true)
    expect(races.isContended('bob')).toBe(false)
  })

  it('is left to races again after more than four turns without another writer, counted from the last one', () => {
    const races = contention()
    races.note('alice', true)
    for (let turn = 0; turn < 3; turn += 1) races.note('alice', false)
    races.note('alice', true)
    for (let turn = 0; turn < 4; turn += 1) {
      races.note('alice', false)
      expect(races.isContended('alice')).toBe(true)
    }
    races.note('alice', false)
    expect(races.isContended('alice')).toBe(false)
  })

  it('is remembered with at most 9,999 others, of which the one noted longest ago goes first', () => {
    const races = contention()
    for (let index = 0; index < 10_000; index += 1) races.note(`account-${index}`, true)
    races.note('account-0', true)
    races.note('one more', true)
    expect(races.isContended('account-1')).toBe(false)
    for (const kept of ['account-0', 'account-2', 'account-9999', 'one more']) {
      expect(races.isContended(kept)).toBe(true)
    }
  })
})
