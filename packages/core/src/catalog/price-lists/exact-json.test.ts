import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isObject, listOf, numberTextOf, objectOf, readExactJson, textOf } from './exact-json.ts'

describe('exact JSON', () => {
  it.each(['0', '-0', '1e-07', '1E+7', '0.1', '1.5000020000000002e-05', '12345678901234567890', '0.10'])(
    'keeps %s as it is written',
    (text) => {
      expect(numberTextOf(objectOf(readExactJson(`{"a":${text}}`))['a'])).toBe(text)
      expect(numberTextOf(listOf(readExactJson(`[ ${text} ]`))[0])).toBe(text)
    },
  )

  it('keeps numbers inside text as text, with whatever escapes', () => {
    const text = String.raw`{"1e-07":"1e-07 \" 5 \\","b":"\\","c":7,"d":"é 1\n2"}`
    expect(readExactJson(text)).toEqual({ '1e-07': '1e-07 " 5 \\', b: '\\', c: { '#': '7' }, d: 'é 1\n2' })
  })

  it('is what JSON.parse gives, apart from the numbers', () => {
    const revive = (value: unknown): unknown => {
      if (typeof value !== 'object' || value === null) return value
      if (Array.isArray(value)) return value.map(revive)
      if (Object.keys(value).join() === '#') return Number((value as { '#': string })['#'])
      return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, revive(each)]))
    }
    fc.assert(
      fc.property(fc.json(), (text) => {
        const parsed = JSON.parse(text) as unknown
        fc.pre(!text.includes('__proto__') && !text.includes('"#"'))
        expect(revive(readExactJson(text))).toEqual(parsed)
      }),
    )
  })

  it.each([
    '',
    '{',
    '[1,]',
    '{"a":NaN}',
    '{"a":Infinity}',
    '{"a":-Infinity}',
    '{"a":01}',
    '{"a":.5}',
    '{"a":1.}',
    '{"a":+1}',
    '{1:2}',
    '1 2',
  ])('failure 26: is not %j', (text) => {
    expect(() => readExactJson(text)).toThrow(RangeError)
  })

  it('makes nothing of a name that objects have by themselves', () => {
    const list = objectOf(readExactJson('{"__proto__":{"input":1},"constructor":2}'))
    expect(Object.keys(list)).toEqual(['__proto__', 'constructor'])
    expect(({} as { input?: unknown }).input).toBeUndefined()
  })

  it('takes what is of another kind for nothing', () => {
    const list = objectOf(readExactJson('{"text":"a","number":1,"list":[1],"object":{},"null":null}'))
    for (const name of ['text', 'number', 'list', 'null', 'none']) {
      expect(objectOf(list[name])).toEqual({})
      expect(isObject(list[name])).toBe(false)
    }
    expect(listOf(list['object'])).toEqual([])
    expect([textOf(list['number']), textOf(list['text'])]).toEqual([undefined, 'a'])
    expect([numberTextOf(list['text']), numberTextOf(list['object']), numberTextOf(list['null'])]).toEqual([
      'a',
      undefined,
      undefined,
    ])
  })
})
