import type { Command } from '../command.ts'
import { booksOptions, openBooks } from '../open-books.ts'
import { exitCodes, UsageError } from '../terminal.ts'
import { jsonLine } from '../text.ts'

export const reconcile: Command = {
  name: 'reconcile',
  summary: 'resolve what processes that died have left behind',
  help: `farebox reconcile: resolve what processes that died have left behind

Usage: farebox reconcile --gateway FILE [--json]

Asks the providers what requests cost that nobody settled, settles them, and releases holds whose cost nobody can tell. Safe
to run at any time, beside running servers, and again after it broke off: once a minute from a timer is plenty.

  --gateway FILE   your module that exports \`gateway\`: it knows the providers to ask
  --json           the counts as one line of JSON

Exits with 0 when it ran through, 2 when called wrongly, 3 when the gateway could not be loaded or its store is out of reach,
130 when interrupted.
`,
  options: { gateway: booksOptions.gateway, json: { type: 'boolean' } },
  async run(call, { folder, out, signal }) {
    if (call.words.length > 0) throw new UsageError(`reconcile takes no "${call.words[0]}".`)
    if (call.options['gateway'] === undefined) throw new UsageError('Say which gateway: --gateway FILE.')
    const books = await openBooks(call, folder)
    try {
      if (books.reconcile === undefined) {
        throw new UsageError(
          'Only a gateway can reconcile: the module exports a storage, which knows no providers.',
        )
      }
      const report = await Promise.race([books.reconcile(), aborted(signal)])
      const counts = Object.entries(report).map(([name, count]) => `${name} ${count}`)
      out.write(call.options['json'] === true ? jsonLine(report) : `${counts.join(', ')}\n`)
      return exitCodes.done
    } finally {
      await books.close()
    }
  },
}

/** Rejects as soon as the user has had enough. Each hold is resolved in one step, so nothing is left half done. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
