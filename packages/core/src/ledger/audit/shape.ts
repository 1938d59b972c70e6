/** What an audit reads of a value. It checks before it reads: what is stored may have been written by anyone. */
type Shape = Readonly<Record<string, 'string' | 'number' | 'bigint'>>

/** Whether a value is a list of objects that all have these members. */
export function isListOf(value: unknown, shape: Shape): boolean {
  return Array.isArray(value) && value.every((item) => hasMembers(item, shape))
}

/** Whether a value is an object with these members. */
export function hasMembers(value: unknown, shape: Shape): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(shape).every(
    ([name, type]) => typeof (value as Record<string, unknown>)[name] === type,
  )
}
