import { migrate as migrateDatabase } from '@farebox/postgres'
import { type Command, text } from '../command.ts'
import { openPostgres, usualSchema } from '../open-postgres.ts'
import { CommandError, exitCodes, UsageError } from '../terminal.ts'

export const migrate: Command = {
  name: 'migrate',
  summary: 'make the tables of a PostgreSQL database, or bring them up to date',
  help: `farebox migrate: make the tables of a PostgreSQL database, or bring them up to date

Usage: farebox migrate --postgres URL [--schema NAME]

Runs the migrations of @farebox/postgres that have not run yet, in a schema of their own; nothing else is touched. Run it
before the servers of a new release start: those of the release before go on beside it. Safe to run again, and by several
at once.

  --postgres URL   the database, such as postgres://user:password@host/name; needs the package pg
  --schema NAME    the schema of its tables (${usualSchema}); created when it is missing

Exits with 0 when the tables are up to date, 2 when called wrongly, 3 when the database is out of reach or refuses.
`,
  options: { postgres: { type: 'string' }, schema: { type: 'string' } },
  async run(call, { folder, out }) {
    if (call.words.length > 0) throw new UsageError(`migrate takes no "${call.words[0]}".`)
    const url = text(call, 'postgres')
    if (url === undefined) throw new UsageError('Say which database: --postgres URL.')
    const schema = text(call, 'schema') ?? usualSchema
    const { pool, close } = openPostgres({ url, schema, folder })
    try {
      const names = await migrateDatabase(pool, { schema })
      out.write(
        names.length === 0
          ? `The schema ${schema} is up to date.\n`
          : names.map((name) => `${schema}: ${name}\n`).join(''),
      )
      return exitCodes.done
    } catch (cause) {
      throw new CommandError('The database could not be migrated.', { cause })
    } finally {
      await close()
    }
  },
}
