import { expect, it } from 'vitest'
import { checkText } from './check-text.ts'

it('a name has at most 512 characters', () => {
  expect(() => checkText('a'.repeat(512), 'member id')).not.toThrow()
  expect(() => checkText('a'.repeat(513), 'member id')).toThrow('A member id has 513 characters')
})

it.each(['a\0', '\ud800', 'a\udfffb'])('a name is refused that a store could not give back: %j', (name) => {
  expect(() => checkText(name, 'member id')).toThrow('A member id holds characters that cannot be stored.')
})

it.each(['', 'a', 'müller@例え.jp', '\ud83d\ude00', '\u0001'])('a name may be %j', (name) => {
  expect(() => checkText(name, 'member id')).not.toThrow()
})
