import { describe, expect, it } from 'vitest'
import { accountCache, openRecords } from './account-cache.ts'

/** An account whose head is this long, and which has one open record that is this long. */
function account(headChars: number, openChars = 0) {
  const open = openRecords()
  if (openChars > 0) open.set('reservation:r1', {}, openChars)
  return { headChars, open }
}

/** What 256 characters for an account itself leave of a cache for so many. */
const cacheFor = (accounts: number, chars: number) => accountCache(accounts * (256 + chars))

describe('a cache of accounts', () => {
  it('holds accounts up to its size, each with its head, its open records and itself', () => {
    const cache = cacheFor(2, 100)
    const [alice, bob] = [account(60, 40), account(100)]
    cache.set('alice', alice)
    cache.set('bob', bob)
    expect(cache.get('alice')).toBe(alice)
    expect(cache.get('bob')).toBe(bob)
    expect(cache.get('carol')).toBeUndefined()
    cache.set('bob', account(60, 41))
    expect(cache.get('alice')).toBeUndefined()
    expect(cache.get('bob')).toBeDefined()
  })

  it('forgets those set longest ago, and no more than it has to', () => {
    const cache = cacheFor(3, 100)
    for (const accountId of ['alice', 'bob', 'carol']) cache.set(accountId, account(100))
    cache.set('alice', account(100))
    cache.set('dave', account(1))
    expect(cache.get('bob')).toBeUndefined()
    for (const kept of ['alice', 'carol', 'dave']) expect(cache.get(kept)).toBeDefined()
  })

  it('keeps nothing of an account that is larger than all of it', () => {
    const cache = cacheFor(1, 100)
    cache.set('alice', account(101))
    expect(cache.get('alice')).toBeUndefined()
    cache.set('bob', account(100))
    expect(cache.get('bob')).toBeDefined()
  })

  it('counts an account that is set again once, with its new size', () => {
    const cache = cacheFor(2, 100)
    cache.set('alice', account(100))
    cache.set('alice', account(100))
    cache.set('alice', account(10))
    cache.set('bob', account(190))
    expect(cache.get('alice')).toBeDefined()
    expect(cache.get('bob')).toBeDefined()
  })

  it('gives the room of an account that is deleted to others, once', () => {
    const cache = cacheFor(2, 100)
    cache.set('alice', account(100))
    cache.set('bob', account(100))
    cache.delete('alice')
    cache.delete('alice')
    cache.delete('nobody')
    cache.set('carol', account(100))
    expect(cache.get('alice')).toBeUndefined()
    expect(cache.get('bob')).toBeDefined()
    cache.set('dave', account(1))
    expect(cache.get('bob')).toBeUndefined()
    expect(cache.get('carol')).toBeDefined()
  })

  it('is empty once it is cleared, and has all its room', () => {
    const cache = cacheFor(2, 100)
    cache.set('alice', account(100))
    cache.set('bob', account(100))
    cache.clear()
    expect(cache.get('alice')).toBeUndefined()
    cache.set('carol', account(100))
    cache.set('dave', account(100))
    expect(cache.get('carol')).toBeDefined()
    cache.set('erin', account(1))
    expect(cache.get('carol')).toBeUndefined()
  })
})

describe('open records', () => {
  it('count the characters of those that are there', () => {
    const open = openRecords()
    open.set('a', 'first', 10)
    open.set('b', 'second', 20)
    expect(open.get('a')).toBe('first')
    expect(open.chars()).toBe(30)
    open.set('a', 'changed', 5)
    expect(open.get('a')).toBe('changed')
    expect(open.chars()).toBe(25)
    open.delete('b')
    open.delete('b')
    expect(open.get('b')).toBeUndefined()
    expect(open.chars()).toBe(5)
  })

  it('are at most 4,096, of which the one set longest ago goes first', () => {
    const open = openRecords()
    for (let index = 0; index < 4096; index += 1) open.set(`r${index}`, index, 1)
    expect(open.get('r0')).toBe(0)
    open.set('r0', 'again', 1)
    open.set('one more', 1, 1)
    expect(open.get('r1')).toBeUndefined()
    expect(open.get('r0')).toBe('again')
    expect(open.get('r2')).toBe(2)
    expect(open.chars()).toBe(4096)
  })
})
