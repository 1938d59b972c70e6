/** A value that a statement takes: how it is named, of which type, and what it is. */
export type Argument = {
  readonly type:
    | 'text'
    | 'bigint'
    | 'integer'
    | 'double precision'
    | 'text[]'
    | 'bigint[]'
    | 'double precision[]'
  /** Arrays of numbers as text, in PostgreSQL's own form. */
  readonly value: string | number | readonly string[]
}

/** Writes arguments as numbered parameters, in their order. */
export function parameters<Name extends string>(
  types: Readonly<Record<Name, Argument['type']>>,
): Record<Name, string> {
  const names = Object.keys(types) as Name[]
  return record(names, (name, index) => `$${index + 1}::${types[name]}`)
}

/** The values of numbered parameters, as the driver takes them. */
export function valuesOf(args: Readonly<Record<string, Argument>>): unknown[] {
  return Object.values(args).map(({ value }) => value)
}

/**
 * Writes arguments into a statement: several statements go to the server in one text, and such a text takes no
 * parameters. Texts stand there as hexadecimal digits, so whatever is in them, it can not end the literal.
 */
export function literals<Name extends string>(args: Readonly<Record<Name, Argument>>): Record<Name, string> {
  return record(Object.keys(args) as Name[], (name) => literal(args[name]))
}

function literal({ type, value }: Argument): string {
  if (typeof value === 'number') return `'${value}'::${type}`
  if (typeof value === 'string') {
    if (type === 'text') return hexText(value)
    return type === 'bigint' ? `'${BigInt(value)}'::${type}` : `${hexText(value)}::${type}`
  }
  return `ARRAY[${value.map(hexText).join(', ')}]::text[]`
}

function hexText(text: string): string {
  return `convert_from(decode('${Buffer.from(text).toString('hex')}', 'hex'), 'UTF8')`
}

function record<Name extends string>(
  names: readonly Name[],
  of: (name: Name, index: number) => string,
): Record<Name, string> {
  return Object.fromEntries(names.map((name, index) => [name, of(name, index)])) as Record<Name, string>
}
