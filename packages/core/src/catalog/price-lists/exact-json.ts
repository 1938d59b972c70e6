/** JSON whose numbers are kept as the text they were written in: `1e-07` is a price, the float nearest to it is not. */
export type ExactJson = string | boolean | null | NumberText | readonly ExactJson[] | ExactObject
export interface NumberText {
  readonly '#': string
}
export type ExactObject = { readonly [name: string]: ExactJson | undefined }

/** No price list is larger: the largest read until November 2026 has 3 MB. */
const textMax = 64 * 1024 * 1024

/** A string, passed over, or a number. Whatever else is between them is left to the parser. */
const stringOrNumber = /"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/gs

/**
 * Parses JSON without turning a number into a float.
 *
 * @throws RangeError when the text is no JSON, which NaN and Infinity are not, or is too long.
 */
export function readExactJson(text: string): ExactJson {
  if (text.length > textMax) throw new RangeError(`A price list has at most ${textMax} characters.`)
  const marked = text.replace(stringOrNumber, (token) => (token.startsWith('"') ? token : `{"#":"${token}"}`))
  try {
    return JSON.parse(marked) as ExactJson
  } catch (cause) {
    throw new RangeError('The price list is not valid JSON.', { cause })
  }
}

/** The value as an object; empty when it is none. */
export function objectOf(value: ExactJson | undefined): ExactObject {
  return isObject(value) ? value : {}
}

/** The value as a list; empty when it is none. */
export function listOf(value: ExactJson | undefined): readonly ExactJson[] {
  return Array.isArray(value) ? value : []
}

export function textOf(value: ExactJson | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** A number, or text that stands for one, as it is written; `undefined` for anything else. */
export function numberTextOf(value: ExactJson | undefined): string | undefined {
  if (typeof value === 'string') return value
  return isNumber(value) ? value['#'] : undefined
}

export function isObject(value: ExactJson | undefined): value is ExactObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isNumber(value)
}

function isNumber(value: ExactJson | undefined): value is NumberText {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return typeof (value as ExactObject)['#'] === 'string'
}
