import type { TrimReport } from '@farebox/core'
import { type Call, type Command, text, texts } from '../command.ts'
import { booksOptions, openBooks } from '../open-books.ts'
import { createProgress } from '../progress.ts'
import { exitCodes, UsageError } from '../terminal.ts'
import { counted, jsonLine, shown } from '../text.ts'

const dayMs = 24 * 3_600_000
const daysLeast = 400

export const trim: Command = {
  name: 'trim',
  summary: 'take long exported entries out of the journals',
  help: `farebox trim: take long exported entries out of the journals

Usage: farebox trim --gateway FILE --consumer NAME [--consumer NAME ...] [options]

Looks for journal entries that are older than ${daysLeast} days and that every named consumer of \`farebox export\`, or of
gateway.journal, has acknowledged; proves them; and tells how many could go from which account. With --apply it takes them out.
What they added up to stays, so balances, invoices and usage are as they were, and \`farebox audit\` goes on from there;
with --archive it proves them too. Safe to interrupt and to run again, and while the server is running.

  --gateway FILE      your module that exports \`gateway\`, or \`storage\`
  --consumer NAME     who must have an entry before it may go; name all consumers that there are
  --older-than DAYS   how old an entry must be, ${daysLeast} days or more (${daysLeast}): for so long a request may be refunded
  --apply             take them out; without it nothing is changed
  --json              a line of JSON for each account, and the counts

Exits with 0 when done, 1 when some accounts could not be trimmed, 2 when called wrongly, 3 when the gateway could not be
loaded or its store is out of reach, 130 when interrupted.
`,
  options: {
    gateway: booksOptions.gateway,
    consumer: { type: 'string', multiple: true },
    'older-than': { type: 'string' },
    apply: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  async run(call, terminal) {
    if (call.words.length > 0) throw new UsageError(`trim takes no "${call.words[0]}".`)
    if (call.options['gateway'] === undefined) throw new UsageError('Say which gateway: --gateway FILE.')
    const consumers = texts(call, 'consumer')
    if (consumers.length === 0) throw new UsageError('Say who has what was exported: --consumer NAME.')
    const olderThanMs = daysOf(call) * dayMs
    const isDryRun = call.options['apply'] !== true
    const isJson = call.options['json'] === true
    const books = await openBooks(call, terminal.folder)
    const progress = createProgress(terminal)
    try {
      const report = await books
        .trimJournals({
          consumers,
          olderThanMs,
          isDryRun,
          signal: terminal.signal,
          onProgress: ({ accounts, read }) =>
            progress.show(
              `trimming, ${counted(accounts, 'account')}, ${counted(read, 'entry', 'entries')} proved`,
            ),
          onAccount(account) {
            progress.clear()
            const { accountId, entries, waitsFor } = account
            const waits = waitsFor === undefined ? '' : `; older ones wait for consumer "${waitsFor}"`
            terminal.out.write(
              isJson
                ? jsonLine(account)
                : `${shown(accountId)}: ${counted(entries, 'entry', 'entries')} ${isDryRun ? 'could go' : 'gone'}${waits}.\n`,
            )
          },
          onFailure(accountId, cause) {
            progress.clear()
            const why = cause instanceof Error ? cause.message : String(cause)
            terminal.error.write(`farebox: ${shown(accountId)}: ${shown(why)}\n`)
          },
        })
        .catch((error: unknown) => {
          throw error instanceof RangeError ? new UsageError(error.message, { cause: error }) : error
        })
        .finally(() => progress.clear())
      terminal.signal.throwIfAborted()
      terminal.out.write(isJson ? jsonLine(report) : conclude(report, isDryRun))
      return report.failed === 0 ? exitCodes.done : exitCodes.findings
    } finally {
      await books.close()
    }
  },
}

function daysOf(call: Call): number {
  const days = text(call, 'older-than') ?? String(daysLeast)
  if (!/^\d{1,5}$/.test(days) || Number(days) < daysLeast) {
    throw new UsageError(`--older-than takes a whole number of days, ${daysLeast} or more, not "${days}".`)
  }
  return Number(days)
}

function conclude({ accounts, trimmed, entries, waiting, failed }: TrimReport, isDryRun: boolean): string {
  const gone = `${counted(entries, 'entry', 'entries')} of ${counted(trimmed, 'account')} ${isDryRun ? 'could go' : 'gone'}`
  const waits = waiting === 0 ? '' : `; ${counted(waiting, 'account')} wait for a consumer`
  const failures = failed === 0 ? '' : `; ${counted(failed, 'account')} failed`
  const hint = isDryRun && entries > 0 ? ' Say --apply to take them out.' : ''
  return `${counted(accounts, 'account')} looked at: ${gone}${waits}${failures}.${hint}\n`
}
