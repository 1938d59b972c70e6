import { createRequire } from 'node:module'
import { join } from 'node:path'
import { CommandError } from './terminal.ts'

/**
 * The driver of a database as the host has it installed, of which this package has none.
 *
 * @throws CommandError when it is not there.
 */
export function requireDriver(name: 'pg' | 'redis', folder: string): unknown {
  try {
    return createRequire(join(folder, 'package.json'))(name)
  } catch (cause) {
    throw new CommandError(
      `The package ${name} is not installed in ${folder}. Run this where your server's packages are, or install it: npm install ${name}.`,
      { cause },
    )
  }
}
