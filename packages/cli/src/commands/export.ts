import { resolve } from 'node:path'
import { jsonLinesFile } from '@farebox/core/sinks/json-lines-file'
import { type Command, text } from '../command.ts'
import { booksOptions, openBooks } from '../open-books.ts'
import { createProgress } from '../progress.ts'
import { exitCodes, UsageError } from '../terminal.ts'
import { counted, jsonLine, shown } from '../text.ts'

export const exportJournals: Command = {
  name: 'export',
  summary: 'append new journal entries of all accounts to a file',
  help: `farebox export: append new journal entries of all accounts to a file

Usage: farebox export --gateway FILE --consumer NAME --to FILE [options]

Adds a line of JSON for every journal entry that this consumer does not have yet: account, seq, hash and entry. A line is on
disk before the account remembers that it was exported, so nothing is ever missing; after a crash a line may come twice.
Each consumer has its own place in each account, and gets everything from the first entry on. One process for each file.

  --gateway FILE    your module that exports \`gateway\`, or \`storage\`
  --consumer NAME   who remembers how far it is, 1 to 64 letters, digits, dots, dashes and underscores
  --to FILE         the file to add to; it is created when it is not there
  --accept-trimmed  a new consumer begins with what is left of journals that were trimmed
  --json            the counts as one line of JSON

Exits with 0 when everything was exported, 1 when entries of some accounts could not be, 2 when called wrongly, 3 when the
gateway could not be loaded or its store is out of reach, 130 when interrupted.
`,
  options: {
    gateway: booksOptions.gateway,
    consumer: { type: 'string' },
    to: { type: 'string' },
    'accept-trimmed': { type: 'boolean' },
    json: { type: 'boolean' },
  },
  async run(call, terminal) {
    if (call.words.length > 0) throw new UsageError(`export takes no "${call.words[0]}".`)
    if (call.options['gateway'] === undefined) throw new UsageError('Say which gateway: --gateway FILE.')
    const consumer = text(call, 'consumer')
    const to = text(call, 'to')
    if (consumer === undefined) throw new UsageError('Say who exports: --consumer NAME.')
    if (to === undefined) throw new UsageError('Say where to: --to FILE.')
    const books = await openBooks(call, terminal.folder)
    const file = jsonLinesFile(resolve(terminal.folder, to))
    const progress = createProgress(terminal)
    let lines = 0
    try {
      const report = await books
        .exportJournal({
          consumer,
          signal: terminal.signal,
          acceptsTrimmed: call.options['accept-trimmed'] === true,
          sink: {
            async write(batch) {
              await file.write(batch)
              lines += batch.entries.length
              progress.show(
                `exporting ${shown(batch.accountId)}, ${counted(lines, 'entry', 'entries')} so far`,
              )
            },
          },
          onFailure(accountId, cause) {
            progress.clear()
            const why = cause instanceof Error ? cause.message : String(cause)
            terminal.error.write(`farebox: ${shown(accountId ?? 'all accounts')}: ${shown(why)}\n`)
          },
        })
        .catch((error: unknown) => {
          throw error instanceof RangeError ? new UsageError(error.message, { cause: error }) : error
        })
        .finally(() => progress.clear())
      terminal.signal.throwIfAborted()
      const { accounts, entries, failed } = report
      terminal.out.write(
        call.options['json'] === true
          ? jsonLine(report)
          : `${counted(entries, 'entry', 'entries')} of ${counted(accounts, 'account')}${failed === 0 ? '' : `; ${counted(failed, 'account')} failed`}.\n`,
      )
      return failed === 0 ? exitCodes.done : exitCodes.findings
    } finally {
      await file.close()
      await books.close()
    }
  },
}
