import type { Clock } from '@farebox/core'

/** Where a command runs: what it was given, where it writes, and what ends it. */
export interface Terminal {
  readonly args: readonly string[]
  /** Where relative paths and the host's packages are looked for. */
  readonly folder: string
  readonly out: Output
  readonly error: Output
  /** Aborts when the user has had enough. */
  readonly signal: AbortSignal
  readonly clock: Clock
}

/** What a command needs of a stream. */
export interface Output {
  write(text: string): unknown
  /** Whether somebody is watching: then progress is shown in place. */
  readonly isTTY?: boolean | undefined
}

/** How a command ended. Scripts rely on these numbers; `packages/cli/README.md` lists them. */
export const exitCodes = {
  done: 0,
  /** It worked, and what it looked at is not as it should be. */
  findings: 1,
  usage: 2,
  failed: 3,
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** The command was not called right. The message says what to do. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError'
}

/** The command could not do its work. The message says why, and what to do where something can be done. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError'
}
