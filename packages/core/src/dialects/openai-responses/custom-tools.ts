import { isObject } from '../members.ts'

type Json = Readonly<Record<string, unknown>>

/**
 * Custom tools take free text. Chat models call functions alone, so that such a tool is asked for as a function of one text,
 * and its calls are turned back.
 */
export function customAsFunction({ description, format }: Json): Json {
  const told = [description, formatTold(format)].filter((text) => typeof text === 'string' && text !== '')
  return {
    ...(told.length === 0 ? {} : { description: told.join('\n\n') }),
    parameters: {
      type: 'object',
      properties: { input: { type: 'string', description: 'The input of the tool, as it is.' } },
      required: ['input'],
      additionalProperties: false,
    },
  }
}

/** Arguments of the function, of a text. */
export function writeInput(input: string): string {
  return JSON.stringify({ input })
}

/** The text out of the arguments of the function. A model that wrote no such arguments has written the text itself. */
export function readInput(args: string): string {
  try {
    const parsed: unknown = JSON.parse(args)
    return isObject(parsed) && typeof parsed['input'] === 'string' ? parsed['input'] : args
  } catch {
    return args
  }
}

/** Nothing holds the model to a grammar, so that it is told. */
function formatTold(format: unknown): string | undefined {
  if (!isObject(format) || format['type'] !== 'grammar') return undefined
  return `The input must follow this ${format['syntax']} grammar:\n${format['definition']}`
}
