import { expect, it } from 'vitest'
import { randomSecrets } from '../ids.ts'
import { createKeyText, hashKey, isKey, keyIdOf } from './api-key.ts'

it('makes keys of one form, each with its id and 200 bits besides', () => {
  const zeros = createKeyText((bytes) => new Uint8Array(bytes))
  const ones = createKeyText((bytes) => new Uint8Array(bytes).fill(255))

  expect(zeros.text).toMatch(/^fb_0{16}_0{40}[0-9a-z]{7}$/)
  expect(ones.text).toMatch(/^fb_z{16}_z{40}[0-9a-z]{7}$/)
  expect(keyIdOf(zeros.text)).toBe(zeros.keyId)
  expect(zeros.keyId).toBe('0'.repeat(16))
})

it('draws every key anew', () => {
  const keys = Array.from({ length: 200 }, () => createKeyText(randomSecrets))

  expect(new Set(keys.map(({ keyId }) => keyId)).size).toBe(200)
  expect(new Set(keys.map(({ text }) => text)).size).toBe(200)
  expect(keys.every(({ text, keyId }) => keyIdOf(text) === keyId)).toBe(true)
})

it('knows a key that was mistyped in one place, or not copied whole, without asking anybody', () => {
  const { text } = createKeyText(randomSecrets)
  for (let place = 0; place < text.length; place += 1) {
    const other = text[place] === '7' ? '8' : '7'
    expect(keyIdOf(text.slice(0, place) + other + text.slice(place + 1))).toBeUndefined()
  }
  for (const wrong of [
    '',
    'fb_',
    text.slice(1),
    text.slice(0, -1),
    `${text}0`,
    ` ${text}`,
    text.toUpperCase(),
  ]) {
    expect(keyIdOf(wrong)).toBeUndefined()
  }
})

it('compares by the hash alone', () => {
  const [one, other] = [createKeyText(randomSecrets), createKeyText(randomSecrets)]

  expect(isKey(one.text, hashKey(one.text))).toBe(true)
  expect(isKey(other.text, hashKey(one.text))).toBe(false)
  expect(hashKey(one.text)).toHaveLength(32)
})
