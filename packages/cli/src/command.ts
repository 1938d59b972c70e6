import type { ParseArgsConfig } from 'node:util'
import type { ExitCode, Terminal } from './terminal.ts'

/** One of the things `farebox` does. */
export interface Command {
  readonly name: string
  /** What it is for, in a line. */
  readonly summary: string
  /** What `--help` shows. */
  readonly help: string
  readonly options: NonNullable<ParseArgsConfig['options']>
  run(call: Call, terminal: Terminal): Promise<ExitCode>
}

/** What a command was called with. */
export interface Call {
  readonly words: readonly string[]
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>
}

/** The value of an option that takes one. */
export function text({ options }: Call, name: string): string | undefined {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}

/** The values of an option that may be given several times. */
export function texts({ options }: Call, name: string): readonly string[] {
  const value = options[name]
  return Array.isArray(value) ? (value as readonly string[]) : []
}
