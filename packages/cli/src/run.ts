import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { isGatewayError } from '@farebox/core'
import type { Call, Command } from './command.ts'
import { audit } from './commands/audit.ts'
import { conformance } from './commands/conformance.ts'
import { exportJournals } from './commands/export.ts'
import { migrate } from './commands/migrate.ts'
import { prices } from './commands/prices.ts'
import { reconcile } from './commands/reconcile.ts'
import { trim } from './commands/trim.ts'
import { CommandError, type ExitCode, exitCodes, type Terminal, UsageError } from './terminal.ts'

export type { ExitCode, Output, Terminal } from './terminal.ts'

const commands: readonly Command[] = [audit, reconcile, exportJournals, trim, prices, migrate, conformance]

/** Runs the command that the arguments name, and gives the code to exit with. Never rejects. */
export async function run(terminal: Terminal): Promise<ExitCode> {
  const [name, ...rest] = terminal.args
  const isAsked = name === '--help' || name === '-h' || name === 'help'
  if (name === undefined || isAsked) {
    const output = name === undefined ? terminal.error : terminal.out
    const command = commands.find((candidate) => candidate.name === rest[0])
    output.write(command === undefined ? overview() : command.help)
    return name === undefined ? exitCodes.usage : exitCodes.done
  }
  if (name === '--version' || name === '-v') {
    terminal.out.write(`${version()}\n`)
    return exitCodes.done
  }
  const command = commands.find((candidate) => candidate.name === name)
  try {
    if (command === undefined) {
      const known = commands.map((candidate) => candidate.name).join(', ')
      throw new UsageError(`There is no command "${name}". Known commands: ${known}.`)
    }
    const call = parse(command, rest)
    if (call.options['help'] === true) {
      terminal.out.write(command.help)
      return exitCodes.done
    }
    return await command.run(call, terminal)
  } catch (error) {
    return explain(error, command, terminal)
  }
}

/** @throws UsageError when an option is unknown, lacks its value, or has one that it does not take. */
function parse({ options }: Command, args: readonly string[]): Call {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { ...options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    })
    return { words: positionals, options: values as Call['options'] }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function explain(
  error: unknown,
  command: Command | undefined,
  { error: output, signal }: Terminal,
): ExitCode {
  if (signal.aborted) {
    output.write('farebox: interrupted\n')
    return exitCodes.interrupted
  }
  const message = error instanceof Error ? error.message : String(error)
  output.write(`farebox: ${message}\n`)
  if (error instanceof UsageError) {
    output.write(`See: farebox ${command === undefined ? '' : `${command.name} `}--help\n`)
    return exitCodes.usage
  }
  if (isGatewayError(error) || error instanceof CommandError) {
    for (let cause = error.cause; cause instanceof Error; cause = cause.cause)
      output.write(`  because: ${cause.message}\n`)
  } else if (error instanceof Error && error.stack !== undefined) {
    // Nobody foresaw this one: whoever looks into it needs the place.
    output.write(`${error.stack}\n`)
  }
  return exitCodes.failed
}

function overview(): string {
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`)
  return `farebox: look after the accounts of a Farebox gateway

Usage: farebox <command> [options]

${lines.join('\n')}

  farebox <command> --help   what a command takes and what it exits with
  farebox --version
`
}

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { readonly version: string }).version
}
