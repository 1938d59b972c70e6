import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../errors.ts'
import { readInput, writeInput } from './custom-tools.ts'
import { chatTools } from './tool-choice.ts'
import { chatName, offeredTools, toolNames } from './tools.ts'

const parameters = { type: 'object', properties: {} }
const weather = { type: 'function', name: 'weather', description: 'd', parameters, strict: true }
const time = { type: 'function', name: 'time' }
const patch = { type: 'custom', name: 'apply_patch', description: 'Edits files.' }
const chatWeather = {
  type: 'function',
  function: { name: 'weather', description: 'd', parameters, strict: true },
}
const chatTime = { type: 'function', function: { name: 'time' } }

function refusalOf(members: object): unknown {
  try {
    chatTools({ ...members })
  } catch (error) {
    if (isGatewayError(error)) return [error.code, error.param]
    throw error
  }
  return 'accepted'
}

describe('tools', () => {
  it('that are functions are written one level deeper', () => {
    expect(chatTools({ tools: [weather, time], parallel_tool_calls: false })).toEqual({
      tools: [chatWeather, chatTime],
      parallel_tool_calls: false,
    })
  })

  it('that take free text are functions of one text, and say what it must look like', () => {
    const format = { type: 'grammar', syntax: 'lark', definition: 'start: "a"' }
    const { tools } = chatTools({ tools: [{ ...patch, format }] })
    expect(tools).toEqual([
      {
        type: 'function',
        function: {
          name: 'apply_patch',
          description: 'Edits files.\n\nThe input must follow this lark grammar:\nstart: "a"',
          parameters: {
            type: 'object',
            properties: { input: { type: 'string', description: expect.any(String) } },
            required: ['input'],
            additionalProperties: false,
          },
        },
      },
    ])
    expect(toolNames([patch, weather])('apply_patch')).toMatchObject({ name: 'apply_patch', isCustom: true })
  })

  it('of a namespace have it in their names, and are told apart from others by it', () => {
    const tools = [time, { type: 'namespace', name: 'clock', description: 'd', tools: [time, patch] }]
    expect(chatTools({ tools })['tools']).toMatchObject([
      chatTime,
      { type: 'function', function: { name: 'clock__time' } },
      { type: 'function', function: { name: 'clock__apply_patch' } },
    ])
    const nameOf = toolNames(tools)
    expect(nameOf('clock__time')).toMatchObject({ name: 'time', namespace: 'clock', isCustom: false })
    expect(nameOf('clock__apply_patch')).toMatchObject({
      name: 'apply_patch',
      namespace: 'clock',
      isCustom: true,
    })
    expect(nameOf('time')).toMatchObject({ name: 'time', namespace: undefined })
    expect(nameOf('made__up')).toEqual({ name: 'made__up', namespace: undefined, isCustom: false })
    expect(offeredTools(tools)).toEqual(tools)
  })

  it('keep names that chat takes', () => {
    expect(chatName('read', 'mcp__files__')).toBe('mcp__files__read')
    expect(chatName('read', undefined)).toBe('read')
    expect(chatName('x'.repeat(58), 'abcd')).toHaveLength(64)
    expect(chatName('x'.repeat(59), 'abcd')).toBe('x'.repeat(59))
  })

  it('take free text back out of their arguments, also where a model wrote none', () => {
    expect(readInput(writeInput('*** "Begin"\n'))).toBe('*** "Begin"\n')
    expect(readInput('*** Begin')).toBe('*** Begin')
    expect(readInput('{"input":7}')).toBe('{"input":7}')
    expect(readInput('"text"')).toBe('"text"')
    expect(readInput('')).toBe('')
  })

  it('that clients offer by default and nobody runs here are left out, also of the answer', () => {
    const tools = [
      { type: 'tool_search' },
      { type: 'web_search' },
      weather,
      { type: 'web_search_preview_2025_03_11' },
      { type: 'local_shell' },
    ]
    expect(chatTools({ tools, tool_choice: 'auto' })).toEqual({ tools: [chatWeather], tool_choice: 'auto' })
    expect(offeredTools(tools)).toEqual([weather])
    expect(
      chatTools({ tools: [{ type: 'web_search' }], tool_choice: 'auto', parallel_tool_calls: true }),
    ).toEqual({})
  })

  it.each([
    'file_search',
    'code_interpreter',
    'computer_use_preview',
    'image_generation',
    'mcp',
    undefined,
    7,
  ])('of type %j are refused', (type) => {
    expect(refusalOf({ tools: [weather, { type, name: 'x' }] })).toEqual(['invalid_request', 'tools.1'])
  })

  it.each([
    ['that are no list', { tools: {} }, 'tools'],
    ['that are texts', { tools: ['x'] }, 'tools.0'],
    ['without a name', { tools: [{ type: 'function' }] }, 'tools.0.name'],
    ['of a namespace without a name', { tools: [{ type: 'namespace', tools: [] }] }, 'tools.0.name'],
    ['of a namespace without a list', { tools: [{ type: 'namespace', name: 'n' }] }, 'tools.0.tools'],
    [
      'of a namespace that are no objects',
      { tools: [{ type: 'namespace', name: 'n', tools: [1] }] },
      'tools.0.tools.0',
    ],
    [
      'of a namespace that OpenAI runs',
      { tools: [{ type: 'namespace', name: 'n', tools: [{ type: 'mcp' }] }] },
      'tools.0.tools.0',
    ],
    ['with an empty name', { tools: [{ type: 'custom', name: '' }] }, 'tools.0.name'],
    ['as chat writes them', { tools: [chatWeather] }, 'tools.0.name'],
  ])('%s are refused', (_name, members, param) => {
    expect(refusalOf(members)).toEqual(['invalid_request', param])
  })
})

describe('a choice of tools', () => {
  const tools = [weather, time, patch]

  it.each(['auto', 'none', 'required'])('%j is the same in chat', (choice) => {
    expect(chatTools({ tools: [time], tool_choice: choice })).toEqual({
      tools: [chatTime],
      tool_choice: choice,
    })
  })

  it('of one function, or one custom tool, names it one level deeper', () => {
    expect(chatTools({ tools, tool_choice: { type: 'function', name: 'time' } })).toMatchObject({
      tool_choice: { type: 'function', function: { name: 'time' } },
    })
    expect(chatTools({ tools, tool_choice: { type: 'custom', name: 'apply_patch' } })).toMatchObject({
      tool_choice: { type: 'function', function: { name: 'apply_patch' } },
    })
  })

  it('of a tool in a namespace names both', () => {
    const spaced = [{ type: 'namespace', name: 'clock', tools: [time] }]
    expect(
      chatTools({ tools: spaced, tool_choice: { type: 'function', name: 'time', namespace: 'clock' } }),
    ).toMatchObject({
      tool_choice: { type: 'function', function: { name: 'clock__time' } },
    })
    expect(refusalOf({ tools: spaced, tool_choice: { type: 'function', name: 'time' } })).toEqual([
      'invalid_request',
      'tool_choice',
    ])
  })

  it('of some that are allowed leaves the others out', () => {
    const allowed = [{ type: 'function', name: 'time' }, { type: 'web_search' }]
    expect(
      chatTools({ tools, tool_choice: { type: 'allowed_tools', mode: 'required', tools: allowed } }),
    ).toEqual({
      tools: [chatTime],
      tool_choice: 'required',
    })
  })

  it.each([
    ['of a word nobody knows', 'any', 'tool_choice'],
    ['of a number', 3, 'tool_choice'],
    ['of a tool that is not offered', { type: 'function', name: 'x' }, 'tool_choice'],
    ['without a name', { type: 'function' }, 'tool_choice'],
    ['of a tool that OpenAI runs', { type: 'file_search' }, 'tool_choice'],
    ['of a tool that is left out', { type: 'web_search' }, 'tool_choice'],
    ['of allowed tools without a list', { type: 'allowed_tools', mode: 'auto' }, 'tool_choice.tools'],
    ['of allowed tools in no mode', { type: 'allowed_tools', tools: [time] }, 'tool_choice.mode'],
    [
      'of allowed tools that are not offered',
      { type: 'allowed_tools', mode: 'auto', tools: [{ name: 'x' }] },
      'tool_choice.tools',
    ],
  ])('%s is refused', (_name, choice, param) => {
    expect(refusalOf({ tools, tool_choice: choice })).toEqual(['invalid_request', param])
  })

  it('that requires a tool is refused where there is none', () => {
    expect(refusalOf({ tool_choice: 'required' })).toEqual(['invalid_request', 'tool_choice'])
    expect(refusalOf({ tools: [{ type: 'web_search' }], tool_choice: 'required' })).toEqual([
      'invalid_request',
      'tool_choice',
    ])
  })
})
