import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  type AuditOptions,
  type AuditReport,
  createGateway,
  type ExportReport,
  type ExportRequest,
  type Gateway,
  memoryStorage,
  type Prices,
  type ReconcileReport,
  type Storage,
  type TrimReport,
  type TrimRequest,
} from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'
import { type Call, text } from './command.ts'
import { openPostgres, usualSchema } from './open-postgres.ts'
import { openRedis, usualPrefix } from './open-redis.ts'
import { openSqlite } from './open-sqlite.ts'
import { CommandError, UsageError } from './terminal.ts'

/** The accounts of a host, as far as a command gets at them. */
export interface Books {
  accounts(
    cursor: string | null,
  ): Promise<{ readonly accountIds: readonly string[]; readonly cursor: string | null }>
  audit(accountId: string, options: AuditOptions): Promise<AuditReport>
  /** Needs a store that may be written to. */
  exportJournal(request: ExportRequest): Promise<ExportReport>
  /** Needs a store that may be written to. */
  trimJournals(request: TrimRequest): Promise<TrimReport>
  /** Only with a gateway: it knows the providers to ask. */
  readonly reconcile?: () => Promise<ReconcileReport>
  readonly prices: Prices
  close(): Promise<void>
}

/** The options that say where the accounts are, for `--help`. */
export const booksHelp: string = `  --gateway FILE     your module that exports \`gateway\`, or \`storage\`
  --sqlite FILE      a database file of @farebox/sqlite; it is only read
  --prefix NAME      what the names of its tables start with (farebox_), or those of the keys in Redis (farebox)
  --postgres URL     a database of @farebox/postgres; it is only read
  --schema NAME      the schema of its tables (${usualSchema})
  --redis URL        a server of @farebox/redis, or any node of a cluster; it is only read`

export const booksOptions = {
  gateway: { type: 'string' },
  sqlite: { type: 'string' },
  prefix: { type: 'string' },
  postgres: { type: 'string' },
  schema: { type: 'string' },
  redis: { type: 'string' },
} as const

/**
 * Opens the accounts that a call names.
 *
 * @throws UsageError when it names none, or several. @throws CommandError when they cannot be opened.
 */
export async function openBooks(call: Call, folder: string): Promise<Books> {
  const module = text(call, 'gateway')
  const file = text(call, 'sqlite')
  const url = text(call, 'postgres')
  const server = text(call, 'redis')
  if ([module, file, url, server].filter((place) => place !== undefined).length !== 1) {
    throw new UsageError(
      'Say where the accounts are: either --gateway FILE or --sqlite FILE or --postgres URL or --redis URL.',
    )
  }
  if (module !== undefined) return openModule(resolve(folder, module))
  if (url !== undefined) {
    const database = openPostgres({ url, schema: text(call, 'schema') ?? usualSchema, folder })
    return booksOf(database.storage, database.close)
  }
  if (server !== undefined) {
    const opened = await openRedis({ url: server, prefix: text(call, 'prefix') ?? usualPrefix, folder })
    return booksOf(opened.storage, opened.close)
  }
  const opened = await openSqlite({
    file: resolve(folder, file ?? ''),
    prefix: text(call, 'prefix') ?? 'farebox_',
    folder,
  })
  return booksOf(opened.storage, opened.close)
}

/** The books of a gateway that a call names, else none, but with the prices that Farebox was released with. */
export async function openPrices(call: Call, folder: string): Promise<Books> {
  const module = text(call, 'gateway')
  if (module !== undefined) return openModule(resolve(folder, module))
  return booksOf(memoryStorage(), async () => undefined)
}

async function openModule(file: string): Promise<Books> {
  if (!existsSync(file)) throw new CommandError(`There is no file ${file}.`)
  let exported: Readonly<Record<string, unknown>>
  try {
    exported = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>
  } catch (cause) {
    const hint = /\.[cm]?tsx?$/.test(file)
      ? ' Give the JavaScript it is built to, if this Node cannot run it.'
      : ''
    throw new CommandError(`${file} could not be loaded.${hint}`, { cause })
  }
  const candidates = [exported['gateway'], exported['storage'], exported['default']]
  const gateway = candidates.find(isGateway)
  if (gateway !== undefined) {
    return {
      accounts: (cursor) => gateway.accounts.list(cursor),
      audit: (accountId, options) => gateway.audit(accountId, options),
      exportJournal: (request) => gateway.journal.export(request),
      trimJournals: (request) => gateway.journal.trim(request),
      reconcile: () => gateway.reconcile(),
      prices: gateway.prices,
      close: () => gateway.close(),
    }
  }
  const storage = candidates.find(isStorage)
  if (storage !== undefined) return booksOf(storage, async () => undefined)
  throw new CommandError(`${file} exports neither a \`gateway\` of createGateway() nor a \`storage\`.`)
}

/**
 * A gateway on a bare storage. It knows the prices that Farebox was released with, but neither the host's own prices nor its
 * plans: what was priced by those stays unproved.
 */
function booksOf(storage: Storage, close: () => Promise<void>): Books {
  const gateway = createGateway({
    storage,
    providers: [openaiCompatible({ id: 'none', baseUrl: 'http://127.0.0.1' })],
    authenticate: () => undefined,
  })
  return {
    accounts: (cursor) => gateway.accounts.list(cursor),
    audit: (accountId, options) => gateway.audit(accountId, { ...options, defaultPlanId: null }),
    exportJournal: (request) => gateway.journal.export(request),
    trimJournals: (request) => gateway.journal.trim(request),
    prices: gateway.prices,
    async close() {
      await gateway.close()
      await close()
    },
  }
}

function isGateway(value: unknown): value is Gateway {
  return (
    hasFunctions(value, 'audit', 'reconcile', 'close') &&
    hasFunctions((value as Gateway).accounts, 'list') &&
    hasFunctions((value as Gateway).prices, 'versions', 'compare')
  )
}

function isStorage(value: unknown): value is Storage {
  return (
    typeof value === 'object' &&
    value !== null &&
    hasFunctions((value as Storage).ledger, 'transact', 'journal', 'scan', 'close')
  )
}

function hasFunctions(value: unknown, ...names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
}
