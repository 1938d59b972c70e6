import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { fakeClock, type Storage } from '@farebox/core'
import type {
  CreatedDurableStorage,
  CreatedStorage,
  DurableStorageSubject,
  StorageSubject,
} from '@farebox/testkit/storage'
import { type Command, text } from '../command.ts'
import { createProgress } from '../progress.ts'
import { CommandError, exitCodes, type Terminal, UsageError } from '../terminal.ts'
import { counted, jsonLine, shown } from '../text.ts'

const timeoutDefaultMs = 30_000

export const conformance: Command = {
  name: 'conformance',
  summary: 'prove that a storage of your own keeps the contract',
  help: `farebox conformance: prove that a storage of your own keeps the contract

Usage: farebox conformance FILE [options]

Runs the cases that every storage of Farebox passes against yours: atomicity, order, idempotency, what is due, sizes, failures,
documents, counters, what survives, and every rule of the ledger on top of it. FILE is a module that exports

  export async function create(clock) {
    return { storage, dispose, reopen }
  }

where \`storage\` is empty, apart from every other one, and takes its time from \`clock\`; \`dispose()\` closes it and removes what
it kept; and \`reopen()\`, for storages that outlive their process, closes it, opens what it kept, and gives that.

  --only TEXT    cases whose name has this text
  --no-ledger    leave out the rules of the ledger: they take the longest
  --timeout MS   how long one case may take (${timeoutDefaultMs})
  --json         a line of JSON for each case

Exits with 0 when all cases pass, 1 when some do not, 2 when called wrongly, 3 when the module could not be loaded or used,
130 when interrupted.
`,
  options: {
    only: { type: 'string' },
    'no-ledger': { type: 'boolean' },
    timeout: { type: 'string' },
    json: { type: 'boolean' },
  },
  async run(call, terminal) {
    const [file, another] = call.words
    if (file === undefined)
      throw new UsageError('Say which module makes your storage: farebox conformance FILE.')
    if (another !== undefined) throw new UsageError(`conformance takes one module, not "${another}" as well.`)
    const timeoutMs = Number(text(call, 'timeout') ?? timeoutDefaultMs)
    if (!Number.isSafeInteger(timeoutMs) || timeoutMs < 1) {
      throw new UsageError('--timeout takes a whole number of milliseconds.')
    }
    const create = await load(resolve(terminal.folder, file))
    const only = text(call, 'only') ?? ''
    const groups = (await groupsFor(create, call.options['no-ledger'] === true)).map((group) => ({
      ...group,
      cases: group.cases.filter(({ name }) => name.includes(only)),
    }))
    if (groups.every(({ cases }) => cases.length === 0)) {
      throw new UsageError(`No case has "${only}" in its name.`)
    }
    const failed = await runAll(groups, terminal, { timeoutMs, isJson: call.options['json'] === true })
    return failed === 0 ? exitCodes.done : exitCodes.findings
  },
}

type Create = (clock: ReturnType<typeof fakeClock>) => Promise<CreatedStorage | CreatedDurableStorage>

interface Case {
  readonly name: string
  run(): Promise<void>
}

interface Group {
  readonly name: string
  readonly cases: readonly Case[]
}

async function load(file: string): Promise<Create> {
  if (!existsSync(file)) throw new CommandError(`There is no file ${file}.`)
  let exported: Readonly<Record<string, unknown>>
  try {
    exported = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>
  } catch (cause) {
    throw new CommandError(`${file} could not be loaded.`, { cause })
  }
  const { create } = exported
  if (typeof create !== 'function') throw new CommandError(`${file} exports no function \`create\`.`)
  return create as Create
}

/** The cases that are for this kind of storage, found out by making one. */
async function groupsFor(create: Create, isWithoutLedger: boolean): Promise<Group[]> {
  const { storageCases, keyCases, trimCases, counterCases, durableStorageCases, durableKeyCases } =
    await import('@farebox/testkit/storage')
  const { ledgerCases } = await import('@farebox/testkit/ledger')
  const { hasKeys, hasCounters, canTrim, isDurable } = await lookAt(create)
  const subject: StorageSubject = { create: (clock) => create(clock as never) }
  const durable = subject as DurableStorageSubject
  const disposers = new WeakMap<Storage, () => Promise<void>>()
  const ledgerSubject = {
    async createStore(clock: unknown) {
      const { storage, dispose } = await create(clock as never)
      disposers.set(storage, dispose)
      return storage
    },
    dispose: async (storage: Storage) => disposers.get(storage)?.(),
  }
  const bound = <S>(cases: readonly { name: string; run(subject: S): Promise<void> }[], to: S): Case[] =>
    cases.map((each) => ({ name: each.name, run: () => each.run(to) }))
  return [
    { name: 'storage', cases: bound(storageCases, subject) },
    { name: 'trim', cases: canTrim ? bound(trimCases, subject) : [] },
    { name: 'keys', cases: hasKeys ? bound(keyCases, subject) : [] },
    { name: 'counters', cases: hasCounters ? bound(counterCases, subject) : [] },
    {
      name: 'durability',
      cases: isDurable
        ? [...bound(durableStorageCases, durable), ...(hasKeys ? bound(durableKeyCases, durable) : [])]
        : [],
    },
    { name: 'ledger', cases: isWithoutLedger ? [] : bound(ledgerCases, ledgerSubject) },
  ]
}

interface Found {
  readonly hasKeys: boolean
  readonly hasCounters: boolean
  readonly canTrim: boolean
  readonly isDurable: boolean
}

async function lookAt(create: Create): Promise<Found> {
  try {
    const created = await create(fakeClock(0))
    const { ledger, keys, counters } = created.storage
    const canTrim = ledger.trim !== undefined
    await ledger.close()
    await created.dispose()
    const isDurable = 'reopen' in created && typeof created.reopen === 'function'
    return { hasKeys: keys !== undefined, hasCounters: counters !== undefined, canTrim, isDurable }
  } catch (cause) {
    throw new CommandError('`create` gave no storage that can be closed and disposed of.', { cause })
  }
}

interface RunOptions {
  readonly timeoutMs: number
  readonly isJson: boolean
}

/** Gives how many cases failed. */
async function runAll(
  groups: readonly Group[],
  terminal: Terminal,
  { timeoutMs, isJson }: RunOptions,
): Promise<number> {
  const { out, signal } = terminal
  const progress = createProgress(terminal)
  const counts: string[] = []
  let failures = 0
  for (const { name: group, cases } of groups) {
    let passed = 0
    for (const [index, { name, run }] of cases.entries()) {
      signal.throwIfAborted()
      progress.show(`${group}, case ${index + 1} of ${cases.length}: ${name}`)
      const error = await outcome(run(), timeoutMs)
      if (error === undefined) passed += 1
      else failures += 1
      progress.clear()
      if (isJson) out.write(jsonLine({ group, case: name, passed: error === undefined, error }))
      else if (error !== undefined) out.write(`FAILED ${group}: ${name}\n${indented(error)}\n`)
    }
    counts.push(cases.length === 0 ? `${group} none` : `${group} ${passed} of ${cases.length}`)
  }
  if (!isJson) {
    const verdict = failures === 0 ? 'keeps the contract' : `${counted(failures, 'case')} failed`
    out.write(`${counts.join(', ')}: ${verdict}.\n`)
  }
  return failures
}

/** What a case failed with; `undefined` when it passed. A case that hangs is given up: its storage may still be at work. */
async function outcome(running: Promise<void>, timeoutMs: number): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`It was not over after ${timeoutMs} ms.`)), timeoutMs)
  })
  try {
    await Promise.race([running, late])
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    clearTimeout(timer)
  }
}

function indented(text: string): string {
  return text
    .split('\n')
    .slice(0, 30)
    .map((line) => `  ${shown(line)}`)
    .join('\n')
}
