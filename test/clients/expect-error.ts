import assert from 'node:assert/strict'

/** The class itself and none below it, and members: texts by pattern, all else as it is. */
export function expectError(
  error: unknown,
  errorClass: abstract new (...args: never[]) => Error,
  members: Readonly<Record<string, unknown>>,
): void {
  assert.ok(error instanceof Error, `no error was raised but ${String(error)}`)
  assert.equal(error.constructor, errorClass, `${error.constructor.name}: ${error.message}`)
  for (const [name, expected] of Object.entries(members)) {
    const found: unknown = Reflect.get(error, name)
    if (expected instanceof RegExp) assert.match(String(found), expected)
    else assert.equal(found, expected, name)
  }
}
