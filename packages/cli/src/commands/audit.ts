import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { AuditFinding, AuditReport, ChainMark, JournalArchive } from '@farebox/core'
import { jsonLinesArchive } from '@farebox/core/sinks/json-lines-archive'
import { type Call, type Command, text, texts } from '../command.ts'
import { type Books, booksHelp, booksOptions, openBooks } from '../open-books.ts'
import { createProgress, type Progress } from '../progress.ts'
import { CommandError, type ExitCode, exitCodes, type Terminal, UsageError } from '../terminal.ts'
import { counted, dollars, jsonLine, shown } from '../text.ts'

export const audit: Command = {
  name: 'audit',
  summary: 'prove journals, balances and prices, or say what is wrong',
  help: `farebox audit: prove journals, balances and prices, or say what is wrong

Usage: farebox audit [account...] (--gateway FILE | --sqlite FILE | --postgres URL | --redis URL) [options]

Replays the journal of each account, of all accounts unless some are named, and proves that it is whole, that the balance
is what it adds up to, and that nobody paid more than the provider charges. It writes nothing and may run while the server
does. A database alone proves the prices that Farebox was released with; your own are proved with --gateway.

${booksHelp}
  --since FILE       what an earlier \`farebox audit --json\` wrote: proves that nothing changed since
  --archive FILE     what \`farebox export\` wrote: proves journals that were trimmed from their first entry on; may be given
                     several times
  --findings-max N   findings to list of one account (100); all are counted
  --json             one line of JSON for each account; amounts in nano-USD, as text

Exits with 0 when nothing was found, 1 when something was, 2 when called wrongly or an account is not there, 3 when the
accounts could not be read, 130 when interrupted. What a finding means: docs/audit.md of Farebox.
`,
  options: {
    ...booksOptions,
    since: { type: 'string' },
    archive: { type: 'string', multiple: true },
    'findings-max': { type: 'string' },
    json: { type: 'boolean' },
  },
  async run(call, terminal) {
    const findingsMax = wholeNumber(text(call, 'findings-max') ?? '100')
    const since = readMarks(text(call, 'since'), terminal.folder)
    const archive = readArchive(texts(call, 'archive'), terminal.folder)
    const books = await openBooks(call, terminal.folder)
    try {
      return await auditAll(books, { call, terminal, since, archive, findingsMax })
    } finally {
      await books.close()
    }
  },
}

interface AuditRun {
  readonly call: Call
  readonly terminal: Terminal
  readonly since: ReadonlyMap<string, ChainMark>
  readonly archive: JournalArchive | undefined
  readonly findingsMax: number
}

interface Summary {
  accounts: number
  unsound: number
  unknown: number
  charged: bigint
  absorbed: bigint
  verified: number
  reported: number
  drifted: number
  unverifiable: number
}

async function auditAll(
  books: Books,
  { call, terminal, since, archive, findingsMax }: AuditRun,
): Promise<ExitCode> {
  const progress = createProgress(terminal)
  const summary = emptySummary()
  const isJson = call.options['json'] === true
  for await (const accountId of accountsOf(books, call.words, since)) {
    terminal.signal.throwIfAborted()
    const mark = since.get(accountId)
    const report = await books
      .audit(accountId, {
        findingsMax,
        signal: terminal.signal,
        ...(mark === undefined ? {} : { since: mark }),
        ...(archive === undefined ? {} : { archive }),
        onProgress: (done, all) => showProgress(progress, summary.accounts, accountId, done, all),
      })
      .finally(() => progress.clear())
    add(summary, report)
    terminal.out.write(isJson ? jsonLine(report) : describe(report))
  }
  if (!isJson) terminal.out.write(conclude(summary))
  if (summary.unsound > 0) return exitCodes.findings
  return summary.unknown > 0 ? exitCodes.usage : exitCodes.done
}

/** The accounts that are named, else all that there are, and those that an earlier audit saw. */
async function* accountsOf(
  books: Books,
  named: readonly string[],
  since: ReadonlyMap<string, ChainMark>,
): AsyncGenerator<string> {
  if (named.length > 0) {
    yield* named
    return
  }
  const gone = new Set(since.keys())
  for (let cursor: string | null = null; ; ) {
    const page: Awaited<ReturnType<Books['accounts']>> = await books.accounts(cursor)
    for (const accountId of page.accountIds) {
      gone.delete(accountId)
      yield accountId
    }
    cursor = page.cursor
    if (cursor === null) break
  }
  yield* gone
}

function showProgress(
  progress: Progress,
  before: number,
  accountId: string,
  done: bigint,
  all: bigint,
): void {
  const place = before === 0 ? '' : `after ${counted(before, 'account')}: `
  progress.show(
    `${place}auditing ${shown(accountId)}, ${done.toLocaleString('en-US')} of ${counted(all, 'entry', 'entries')}`,
  )
}

function emptySummary(): Summary {
  return {
    accounts: 0,
    unsound: 0,
    unknown: 0,
    charged: 0n,
    absorbed: 0n,
    verified: 0,
    reported: 0,
    drifted: 0,
    unverifiable: 0,
  }
}

function add(summary: Summary, report: AuditReport): void {
  summary.accounts += 1
  if (!report.isSound) summary.unsound += 1
  if (wasNeverWritten(report)) summary.unknown += 1
  summary.charged += report.totals.charged
  summary.absorbed += report.totals.absorbed
  summary.verified += report.prices.verified
  summary.reported += report.prices.reported
  summary.drifted += report.prices.drifted
  summary.unverifiable += report.prices.unverifiable
}

function wasNeverWritten({ seq, isSound, grants }: AuditReport): boolean {
  return seq === 0n && isSound && grants === 0
}

function describe(report: AuditReport): string {
  const { accountId, seq, grants, attempts, holds, trimmed, findings, findingsCount } = report
  const account = shown(accountId)
  if (wasNeverWritten(report)) return `${account}: there is no such account.\n`
  const looked =
    `${counted(seq, 'entry', 'entries')}, ${counted(grants, 'grant')}, ${counted(attempts, 'attempt')}, ` +
    `${counted(holds.compared, 'open hold')}${holds.isComplete ? '' : ' and more'}${toldOfTrimmed(trimmed)}`
  if (report.isSound) return `${account}: sound. ${looked}.\n`
  const more = findingsCount - findings.length
  return [
    `${account}: ${counted(findingsCount, 'finding')} in ${looked}.`,
    ...findings.map((finding) => `  ${place(finding)}${shown(finding.message)} [${finding.kind}]`),
    ...(more > 0 ? [`  and ${counted(more, 'more finding')}; --findings-max lists them`] : []),
    '',
  ].join('\n')
}

function toldOfTrimmed(trimmed: AuditReport['trimmed']): string {
  if (trimmed === null) return ''
  const { throughSeq, isProved } = trimmed
  return `, ${counted(throughSeq, 'entry', 'entries')} of them trimmed${isProved ? ' and proved by the archive' : ''}`
}

/** The message names the entry already where there is one. */
function place({ requestId }: AuditFinding): string {
  return requestId === undefined ? '' : `request ${shown(requestId)}: `
}

function conclude(summary: Summary): string {
  const { accounts, unsound, charged, absorbed, verified, reported, drifted, unverifiable } = summary
  if (accounts === 0) return 'There are no accounts.\n'
  const found = unsound === 0 ? 'nothing found' : `findings in ${unsound}`
  return `
${counted(accounts, 'account')}: ${found}. Charged ${dollars(charged)}, absorbed ${dollars(absorbed)}.
${counted(verified, 'cost')} verified, ${reported} told by providers (${drifted} unlike the price book), ${unverifiable} not verifiable.
`
}

function wholeNumber(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new UsageError(`--findings-max takes a whole number, not "${value}".`)
  return Number(value)
}

/** Opened before anything is audited: a file that is not there is told at once. */
function readArchive(files: readonly string[], folder: string): JournalArchive | undefined {
  if (files.length === 0) return undefined
  const paths = files.map((file) => resolve(folder, file))
  const missing = paths.find((path) => !existsSync(path))
  if (missing !== undefined) throw new CommandError(`There is no file ${missing}.`)
  return jsonLinesArchive(paths)
}

/** Where the journals ended when they were audited before, by account. */
function readMarks(file: string | undefined, folder: string): ReadonlyMap<string, ChainMark> {
  const marks = new Map<string, ChainMark>()
  if (file === undefined) return marks
  const path = resolve(folder, file)
  try {
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      if (line.trim() === '') continue
      const { accountId, seq, chain } = JSON.parse(line) as Record<string, unknown>
      if (typeof accountId !== 'string' || typeof seq !== 'string' || typeof chain !== 'string')
        throw new Error(`This line is no report: ${line.slice(0, 80)}`)
      marks.set(accountId, { seq: BigInt(seq), chain })
    }
  } catch (cause) {
    throw new CommandError(`${path} is not what \`farebox audit --json\` writes.`, { cause })
  }
  return marks
}
