/** What Stripe's clients send: `lines[0][amount]=5` as nested members. Lists are members named 0, 1, 2, … */
export interface Form {
  readonly [name: string]: string | Form | undefined
}

/** Reads a form-encoded body or a query. */
export function parseForm(text: string): Form {
  const root: { [name: string]: string | Form } = Object.create(null)
  for (const [key, value] of new URLSearchParams(text)) {
    const path = [...key.matchAll(/[^[\]]+/g)].map(([name]) => name)
    let place = root
    for (const name of path.slice(0, -1)) {
      const inner = place[name]
      const next = typeof inner === 'object' ? inner : Object.create(null)
      place[name] = next
      place = next
    }
    place[path.at(-1) ?? key] = value
  }
  return root
}

/** A member that is text, or undefined. */
export function text(form: Form, name: string): string | undefined {
  const value = form[name]
  return typeof value === 'string' ? value : undefined
}

/** A member with members of its own; none when it is missing. */
export function members(form: Form, name: string): Form {
  const value = form[name]
  return typeof value === 'object' ? value : {}
}

/** The elements of a list. */
export function list(form: Form, name: string): readonly Form[] {
  return Object.values(members(form, name)).filter((value): value is Form => typeof value === 'object')
}

/** A member that holds text by name, such as `metadata`. */
export function textMembers(form: Form, name: string): { [name: string]: string } {
  const entries = Object.entries(members(form, name))
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}
