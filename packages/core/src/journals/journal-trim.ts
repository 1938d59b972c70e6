import { checkConsumer } from '../ledger/export-cursor.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { trimAfterLeastMs } from '../ledger/trim.ts'
import { checkAccountsAtOnce, eachAccount } from './each-account.ts'

export interface TrimRequest {
  /**
   * Who must have an entry before it may go: the consumers of all exports that go on, at least one. Only what all of them have
   * acknowledged is trimmed.
   */
  readonly consumers: readonly string[]
  /**
   * How old an entry must be, in milliseconds. At least 400 days, because for so long a request may be refunded.
   *
   * @default 34560000000, which is 400 days
   */
  readonly olderThanMs?: number
  /** Looks and proves, and changes nothing. @default false */
  readonly isDryRun?: boolean
  /** Accounts under way at a time, at most 64. @default 4 */
  readonly accountsAtOnce?: number
  /** Stops after the steps under way. */
  readonly signal?: AbortSignal
  /** Told of every account of which something went, or would go, or waits for a consumer. */
  readonly onAccount?: (account: TrimmedAccount) => void
  /** Told of an account that could not be trimmed. */
  readonly onFailure?: (accountId: string, cause: unknown) => void
  /** Told now and then how many accounts, and how many of their entries, were read so far. */
  readonly onProgress?: (progress: { readonly accounts: number; readonly read: number }) => void
}

export interface TrimmedAccount {
  readonly accountId: string
  /** How many entries went, or would go. */
  readonly entries: number
  /** A consumer that keeps entries from going which are old enough. */
  readonly waitsFor?: string
}

export interface TrimReport {
  /** Accounts that were looked at. */
  readonly accounts: number
  /** Accounts of which entries went, or would go, and how many these are. */
  readonly trimmed: number
  readonly entries: number
  /** Accounts with entries that are old enough and wait for a consumer. */
  readonly waiting: number
  /** Accounts that could not be trimmed. */
  readonly failed: number
}

/** Takes out of the journals of all accounts what nobody needs any more. */
export type TrimJournals = (request: TrimRequest) => Promise<TrimReport>

export function createTrimJournals(ledger: Ledger): TrimJournals {
  return async (request) => {
    check(request, ledger.canTrim)
    const { consumers, olderThanMs = trimAfterLeastMs, isDryRun = false, accountsAtOnce = 4 } = request
    const { signal, onAccount, onFailure, onProgress } = request
    const sums = { trimmed: 0, entries: 0, waiting: 0 }
    const progress = { accounts: 0, read: 0 }
    const onRead = (entries: number) => {
      progress.read += entries
      onProgress?.({ ...progress })
    }
    const walk = { accountsAtOnce, signal, onFailure }
    const { accounts, failed } = await eachAccount(ledger, walk, async (accountId) => {
      progress.accounts += 1
      onRead(0)
      const result = await ledger.trim({ accountId, consumers, olderThanMs, isDryRun, signal, onRead })
      if (result.outcome === 'unsound')
        throw new Error(`Its journal is not sound, so nothing of it was trimmed: audit it. ${result.message}`)
      const { waitsFor } = result
      const entries = Number(result.entries)
      if (entries > 0) sums.trimmed += 1
      if (waitsFor !== undefined) sums.waiting += 1
      sums.entries += entries
      if (entries > 0 || waitsFor !== undefined)
        onAccount?.({ accountId, entries, ...(waitsFor === undefined ? {} : { waitsFor }) })
    })
    return { accounts, ...sums, failed }
  }
}

function check({ consumers, olderThanMs, accountsAtOnce = 1 }: TrimRequest, canTrim: boolean): void {
  if (!canTrim) throw new RangeError('This storage keeps every journal as a whole: its ledger has no `trim`.')
  if (consumers.length === 0) {
    throw new RangeError('Say which consumers must have an entry before it may go, at least one.')
  }
  consumers.forEach(checkConsumer)
  checkAccountsAtOnce(accountsAtOnce)
  if (olderThanMs === undefined) return
  if (!Number.isSafeInteger(olderThanMs) || olderThanMs < trimAfterLeastMs) {
    const days = trimAfterLeastMs / (24 * 3_600_000)
    throw new RangeError(
      `olderThanMs is at least ${trimAfterLeastMs}, which is ${days} days: for so long a request may be refunded, and its receipt read.`,
    )
  }
}
