import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editObject, type JsonEdits, scanObject, skipValue } from './json-object.ts'

const space = fc.stringMatching(/^[ \n\r\t]{0,3}$/)

/** A JSON text and nothing else: numbers beyond 2⁵³, escapes and white space in every place where they may stand. */
const { value: jsonText } = fc.letrec<{ value: string; list: string; object: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('null', 'true', 'false', '0', '-0.5', '1e400', '7228414683750928000', '1E-7'),
    fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
    fc.constantFrom('"\\u0075sage"', '"a\\"b\\\\"', '"\\\\\\""', '"}],{:["', '"\\ud83d"', '"é🦊"'),
    tie('list'),
    tie('object'),
  ),
  list: fc
    .tuple(space, fc.array(fc.tuple(space, tie('value'), space), { maxLength: 4 }))
    .map(([inner, items]) =>
      items.length === 0 ? `[${inner}]` : `[${items.map((item) => item.join('')).join(',')}]`,
    ),
  object: fc
    .tuple(
      space,
      fc.uniqueArray(fc.tuple(space, fc.string({ unit: 'grapheme' }), space, space, tie('value'), space), {
        selector: ([, name]) => name,
        maxLength: 4,
      }),
    )
    .map(([inner, members]) =>
      members.length === 0
        ? `{${inner}}`
        : `{${members.map(([a, name, b, c, value, d]) => `${a}${JSON.stringify(name)}${b}:${c}${value}${d}`).join(',')}}`,
    ),
}))

const memberName = fc.constantFrom(
  'model',
  'messages',
  'max_tokens',
  'n',
  'usage',
  'constructor',
  '__proto__',
)

/** An object of distinct plain names, as its text and as the texts of its values. */
const plainObject = fc
  .tuple(
    space,
    fc.uniqueArray(fc.tuple(memberName, jsonText, space, space, space, space), {
      selector: ([name]) => name,
      maxLength: 6,
    }),
    space,
  )
  .map(([before, members, after]) => ({
    text: `${before}{${members.map(([name, value, a, b, c, d]) => `${a}"${name}"${b}:${c}${value}${d}`).join(',')}}${after}`,
    values: new Map(members.map(([name, value]) => [name as string, value])),
  }))

const edits = fc.dictionary(
  fc.oneof(memberName, fc.constantFrom('added', 'stream_options')),
  fc.option(jsonText, { nil: undefined }),
  { noNullPrototype: true, maxKeys: 6 },
)

function scan(text: string) {
  const object = scanObject(Buffer.from(text))
  if (object === undefined) throw new Error(`no object in ${text}`)
  return object
}

function edit(text: string, changes: JsonEdits): string {
  return editObject(Buffer.from(text), scan(text), changes).toString()
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

describe('scanObject', () => {
  it('finds the members that JSON.parse finds, and their values', () => {
    fc.assert(
      fc.property(plainObject, ({ text, values }) => {
        const object = scan(text)
        const bytes = Buffer.from(text)
        const found = object.members.map(({ name, valueStart, valueEnd }) => [
          name,
          bytes.toString('utf8', valueStart, valueEnd),
        ])
        expect(found).toEqual([...values])
        expect(object.isPlain).toBe(true)
        expect(String.fromCharCode(bytes[object.close] ?? 0)).toBe('}')
        expect(object.depth).toBe(depthOf(JSON.parse(text)))
      }),
    )
  })

  it('gives nothing for text that is cut off anywhere', () => {
    fc.assert(
      fc.property(plainObject, fc.nat(), ({ text }, at) => {
        const bytes = Buffer.from(text.trim())
        expect(scanObject(bytes.subarray(0, at % bytes.length))).toBeUndefined()
      }),
    )
  })

  it.each(['', ' ', '[]', 'null', '"{}"', '<html>', '{"a" 1}', '{"a":}', '{1:2}'])(
    'gives nothing for %j, which is no object',
    (text) => {
      expect(scanObject(Buffer.from(text))).toBeUndefined()
    },
  )

  it('starts where it is told and ignores what follows the object', () => {
    const object = scanObject(Buffer.from('data: {"a":1}\n\n'), 6)
    expect(object).toEqual({
      members: [{ name: 'a', start: 7, valueStart: 11, valueEnd: 12 }],
      close: 12,
      depth: 1,
      isPlain: true,
    })
  })

  it.each([
    ['a name is written twice', '{"model":"a","model":"b"}'],
    ['a name holds an escape', '{"mod\\u0065l":"a"}'],
    ['a plain name is repeated by an escaped one', '{"model":"a","\\u006dodel":"b"}'],
  ])('is not plain when %s', (_case, text) => {
    expect(scan(text).isPlain).toBe(false)
  })

  it('stays plain when only a nested object repeats a name', () => {
    expect(scan('{"a":{"x":1,"x":2}}').isPlain).toBe(true)
  })

  it.each([
    ['{}', 1],
    ['{"a":1}', 1],
    ['{"a":[]}', 2],
    ['{"a":{"b":[{}]},"c":[]}', 4],
    ['{"a":"[[[["}', 1],
  ])('counts the depth of %s as %i', (text, depth) => {
    expect(scan(text).depth).toBe(depth)
  })

  it('scans nesting that would overflow the stack of a recursive parser', () => {
    const levels = 200_000
    expect(scan(`{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`).depth).toBe(levels + 1)
  })
})

describe('editObject', () => {
  it('gives what editing the parsed object gives, whatever is set, replaced, removed or added', () => {
    fc.assert(
      fc.property(plainObject, edits, ({ text, values }, changes) => {
        const expected = new Map(values)
        for (const [name, value] of Object.entries(changes)) {
          if (value === undefined) expected.delete(name)
          else expected.set(name, value)
        }
        const edited = edit(text, changes)
        const bytes = Buffer.from(edited)
        const found = scan(edited).members.map(({ name, valueStart, valueEnd }) => [
          name,
          bytes.toString('utf8', valueStart, valueEnd),
        ])
        // The texts of the values, not their parsed values: no digit of an untouched number may change.
        expect(found).toEqual([...expected])
        expect(Object.keys(JSON.parse(edited))).toHaveLength(expected.size)
      }),
      { numRuns: 500 },
    )
  })

  it('leaves every byte alone when there is nothing to edit', () => {
    fc.assert(
      fc.property(plainObject, ({ text }) => {
        expect(edit(text, {})).toBe(text)
        expect(edit(text, { absent: undefined })).toBe(text)
      }),
    )
  })

  it.each<[string, string, JsonEdits, string]>([
    ['replaces the first member', '{"a":1, "b" : 2}', { a: '9' }, '{"a":9, "b" : 2}'],
    ['replaces the last member', '{"a":1, "b" : 2 }', { b: '9' }, '{"a":1, "b" : 9 }'],
    ['removes the first member', '{ "a":1, "b" : 2}', { a: undefined }, '{ "b" : 2}'],
    ['removes a middle member', '{"a":1,"b":2,"c":3}', { b: undefined }, '{"a":1,"c":3}'],
    ['removes the last member', '{"a":1,"b":2}', { b: undefined }, '{"a":1}'],
    ['removes the only member', '{"a":1}', { a: undefined }, '{}'],
    ['removes all members', '{"a":1,"b":2,"c":3}', { a: undefined, b: undefined, c: undefined }, '{}'],
    ['removes the last two members', '{"a":1,"b":2,"c":3}', { b: undefined, c: undefined }, '{"a":1}'],
    [
      'removes the last two and adds one',
      '{"a":1,"b":2,"c":3}',
      { b: undefined, c: undefined, d: '4' },
      '{"a":1,"d":4}',
    ],
    [
      'replaces the first and removes the rest',
      '{"a":1,"b":2,"c":3}',
      { a: '9', b: undefined, c: undefined },
      '{"a":9}',
    ],
    ['removes the only member and adds one', '{"a":1}', { a: undefined, b: '2' }, '{"b":2}'],
    ['adds to an empty object', '{}', { a: '1' }, '{"a":1}'],
    ['adds to an empty object with space in it', '{ }', { a: '1', b: '2' }, '{ "a":1,"b":2}'],
    ['adds behind the last member', '{"a":1}', { b: '"é"' }, '{"a":1,"b":"é"}'],
    ['keeps a comma in a string that is removed', '{"a":1,"b":", ,"}', { b: undefined }, '{"a":1}'],
  ])('%s', (_rule, text, changes, expected) => {
    expect(edit(text, changes)).toBe(expected)
  })

  it('removes a member that is written twice wherever it stands', () => {
    expect(edit('{"a":1,"b":2,"a":3}', { a: undefined })).toBe('{"b":2}')
  })

  it('keeps the digits of a number beyond 2⁵³ and the caller’s own spelling', () => {
    const text = '{"model" : "m","seed":7228414683750928001,"t":1.0,"s":"\\u00e9/\\/"}'
    expect(edit(text, { model: '"x"' })).toBe(text.replace('"m"', '"x"'))
  })
})

describe('skipValue', () => {
  it('ends behind the value and tells its depth, as JSON.parse sees it', () => {
    fc.assert(
      fc.property(jsonText, space, (text, after) => {
        const bytes = Buffer.from(`${text}${after},`)
        expect(skipValue(bytes, 0)).toEqual({
          end: Buffer.byteLength(text),
          depth: depthOf(JSON.parse(text)),
        })
      }),
    )
  })
})
