import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Storage } from '@farebox/core'
import { type SqliteDatabase, sqlite } from '@farebox/sqlite'
import { CommandError } from './terminal.ts'

type Handle = SqliteDatabase & { close(): unknown }

export interface SqliteFile {
  readonly file: string
  readonly prefix: string
  /** Where the host's packages are looked for. */
  readonly folder: string
}

/**
 * Opens a database file of `@farebox/sqlite` for reading. `close` lets go of the file, after the storage was closed.
 *
 * @throws CommandError when there is no such file, no driver, or no table of Farebox in it.
 */
export async function openSqlite({
  file,
  prefix,
  folder,
}: SqliteFile): Promise<{ readonly storage: Storage; close(): Promise<void> }> {
  // Drivers create what they do not find.
  if (!existsSync(file)) throw new CommandError(`There is no file ${file}.`)
  const database = openHandle(file, folder)
  try {
    const tables = database
      .prepare(`SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?`)
      .all(`${prefix}schema`)
    if (tables.length === 0) {
      throw new CommandError(
        `${file} has no tables whose names start with "${prefix}". Is --prefix another one?`,
      )
    }
    database.exec('PRAGMA query_only = ON')
    const storage = sqlite(database, { prefix })
    return {
      storage,
      async close() {
        database.close()
      },
    }
  } catch (error) {
    database.close()
    if (error instanceof CommandError) throw error
    throw new CommandError(`${file} could not be read.`, { cause: error })
  }
}

/** Node's own driver where it has one, else the one that the host uses. */
function openHandle(file: string, folder: string): Handle {
  try {
    const builtin = quietly(() => process.getBuiltinModule?.('node:sqlite')) as
      | { readonly DatabaseSync: new (file: string) => Handle }
      | undefined
    if (builtin !== undefined) return new builtin.DatabaseSync(file)
    const require = createRequire(join(folder, 'package.json'))
    for (const name of ['better-sqlite3', 'libsql']) {
      const Database = requireIfThere(require, name) as (new (file: string) => Handle) | undefined
      if (Database !== undefined) return new Database(file)
    }
  } catch (cause) {
    throw new CommandError(`${file} could not be opened.`, { cause })
  }
  throw new CommandError(
    `This Node (${process.version}) has no node:sqlite, and neither better-sqlite3 nor libsql is installed in ` +
      `${folder}. Use Node 22.13 or later, or run this where your server's packages are.`,
  )
}

function requireIfThere(require: NodeJS.Require, name: string): unknown {
  try {
    return require(name)
  } catch (error) {
    if ((error as { code?: unknown }).code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}

/** Node 22 warns that its driver is an experiment. What is needed of it here is little, and whoever audits can not help it. */
function quietly<T>(load: () => T): T {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return load()
  } finally {
    process.emitWarning = emitWarning
  }
}
