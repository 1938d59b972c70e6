import { describe, expect, it } from 'vitest'
import { countPromptTokens, createDraw, writeChoice } from './answer.ts'
import { valueForSchema } from './structured.ts'

const question = { key: 'k', lastUserText: 'Hello' }

describe('writeChoice', () => {
  it('gives the same answer to the same question and another to another', () => {
    expect(writeChoice(question, 0)).toEqual(writeChoice(question, 0))
    expect(writeChoice(question, 1).pieces).not.toEqual(writeChoice(question, 0).pieces)
    expect(writeChoice({ ...question, key: 'l' }, 0).pieces).not.toEqual(writeChoice(question, 0).pieces)
  })

  it('says plainly that it is simulated, in 12 to 40 tokens', () => {
    for (let choice = 0; choice < 50; choice += 1) {
      const { pieces, finishReason } = writeChoice(question, choice)
      expect(pieces.join('')).toMatch(/^Simulated answer: \w+/)
      expect(pieces.length).toBeGreaterThanOrEqual(12)
      expect(pieces.length).toBeLessThanOrEqual(40)
      expect(finishReason).toBe('stop')
    }
  })

  it('says as many tokens as it is told', () => {
    const said = (text: string, tokensMax?: number) =>
      writeChoice({ ...question, lastUserText: text, tokensMax }, 0)
    expect(said('Please say 7 tokens.').pieces).toHaveLength(7)
    expect(said('say 1 tokens').pieces).toEqual(['Simulated'])
    expect(said('say 7 tokens', 7)).toMatchObject({ finishReason: 'stop' })
    expect(said('say 7 tokens', 6)).toMatchObject({ finishReason: 'length' })
    expect(said('say 7 tokens', 6).pieces).toHaveLength(6)
  })

  it('thinks as many tokens as it is told before it says or calls anything, within the same bound', () => {
    const thought = (text: string, members: object = {}) =>
      writeChoice({ ...question, lastUserText: text, ...members }, 0)
    expect(thought('Hello').thoughts).toBe(0)
    const both = thought('think 3 tokens and say 2 tokens')
    expect(both).toMatchObject({ thoughts: 3, finishReason: 'stop' })
    expect(both.pieces).toEqual([
      'Simulated thought:',
      expect.any(String),
      expect.any(String),
      'Simulated',
      ' answer:',
    ])
    expect(thought('think 3 tokens', { tokensMax: 2 })).toMatchObject({ thoughts: 2, finishReason: 'length' })
    const tool = { name: 'weather', parameters: { type: 'object' } }
    expect(thought('think 3 tokens', { tool }).pieces[3]).toBe('weather')
    expect(thought('think 3 tokens', { tool, tokensMax: 3 }).toolCall).toBeUndefined()
    expect(thought('think 3 tokens', { tool, tokensMax: 4 }).toolCall?.name).toBe('weather')
  })

  it('calls a tool with arguments that fit its schema', () => {
    const parameters = { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } }
    const { pieces, toolCall, finishReason } = writeChoice(
      { ...question, tool: { name: 'weather', parameters } },
      0,
    )
    expect(toolCall?.name).toBe('weather')
    expect(finishReason).toBe('tool_calls')
    expect(JSON.parse(pieces.slice(1).join(''))).toEqual({
      city: 'Simulated answer',
      days: expect.any(Number),
    })
  })

  it('quotes what a tool replied', () => {
    expect(writeChoice({ ...question, toolReply: '18 °C 🙂 in Zürich' }, 0).pieces.join('')).toBe(
      'Simulated answer: the tool said: 18 °C 🙂 in Zürich',
    )
  })
})

describe('countPromptTokens', () => {
  it('counts a quarter of the bytes, rounded up, at least one', () => {
    expect(countPromptTokens([])).toBe(1)
    expect(countPromptTokens(['abcd'])).toBe(1)
    expect(countPromptTokens(['abcd', 'e'])).toBe(2)
    expect(countPromptTokens(['🙂🙂'])).toBe(2)
  })
})

describe('valueForSchema', () => {
  const valueFrom = (schema: unknown) => valueForSchema(schema, createDraw('k'))

  it('follows types, bounds, enumerations and references', () => {
    const schema = {
      type: 'object',
      properties: {
        name: { type: 'string', minLength: 30 },
        age: { type: 'integer', minimum: 18, maximum: 19 },
        share: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
        kind: { enum: ['a', 'b'] },
        fixed: { const: 5 },
        tags: { type: 'array', items: { $ref: '#/$defs/tag' }, minItems: 2 },
        none: { type: ['null'] },
        either: { anyOf: [{ type: 'boolean' }, { type: 'null' }] },
        both: {
          allOf: [{ $ref: '#/$defs/tag' }, { properties: { more: { type: 'string', format: 'date' } } }],
        },
      },
      $defs: { tag: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] } },
    }
    const value = valueFrom(schema) as Record<'name' | 'age' | 'share' | 'kind' | 'either', unknown>
    expect(value).toMatchObject({
      fixed: 5,
      tags: [{ id: 'Simulated answer' }, { id: 'Simulated answer' }],
      none: null,
      both: { id: 'Simulated answer', more: '2026-01-31' },
    })
    expect(String(value.name)).toHaveLength(30)
    expect([18, 19]).toContain(value.age)
    expect(value.share).toBe(1)
    expect(['a', 'b']).toContain(value.kind)
    expect(value.either).toBeTypeOf('boolean')
  })

  it('comes to an end for a schema that contains itself', () => {
    const schema = {
      $ref: '#/$defs/node',
      $defs: { node: { type: 'object', properties: { next: { $ref: '#/$defs/node' } } } },
    }
    expect(JSON.stringify(valueFrom(schema)).length).toBeLessThan(1000)
  })

  it('gives a small object without a schema', () => {
    expect(valueFrom(true)).toEqual({ answer: 'Simulated answer' })
  })
})
