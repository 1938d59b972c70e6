import type { Clock } from '../clock.ts'
import { checkConsumer, type JournalBatch } from '../ledger/export-cursor.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { recurring } from '../recurring.ts'
import { checkAccountsAtOnce, eachAccount } from './each-account.ts'
import { createTrimJournals, type TrimJournals } from './journal-trim.ts'

/**
 * Where a journal goes: a queue, a file, a warehouse. `write` resolves when the batch is safe there, and rejects to be given
 * it again later. Entries may come twice, never out of order: tell them apart by account and `seq`.
 */
export interface JournalSink {
  write(batch: JournalBatch): Promise<void>
}

export interface ExportRequest {
  /** Who has read how far, 1 to 64 letters, digits, dots, dashes and underscores. Each consumer gets everything. */
  readonly consumer: string
  readonly sink: JournalSink
  /** Entries in a batch, at most 1,000. @default 500 */
  readonly batchMax?: number
  /** Accounts under way at a time. @default 8 */
  readonly accountsAtOnce?: number
  /**
   * Whether a consumer that is new begins with what is left of a journal that was trimmed. Otherwise such an account fails:
   * what is gone is in the archive of an earlier consumer. @default false
   */
  readonly acceptsTrimmed?: boolean
  /** Stops after the batches under way. */
  readonly signal?: AbortSignal
  /**
   * Told of an account whose entries could not be handed over: they come again with the next run. `null` when `follow` could
   * not even look for accounts.
   */
  readonly onFailure?: (accountId: string | null, cause: unknown) => void
}

export interface ExportReport {
  /** Accounts that were looked at. */
  readonly accounts: number
  /** Entries that were handed over. */
  readonly entries: number
  /** Accounts of which something could not be handed over. */
  readonly failed: number
}

export interface FollowRequest extends ExportRequest {
  /** How long to pause between two runs, in milliseconds. @default 10000 */
  readonly everyMs?: number
  /** Told of each run that has handed something over, or has failed to. */
  readonly onRun?: (report: ExportReport) => void
}

/** The journals of all accounts, on their way to somebody else. */
export interface JournalExport {
  /**
   * Hands over every entry that this consumer has not acknowledged, account by account, each in order. Rejects when the store
   * is out of reach; a sink that fails costs only that account its turn.
   *
   * @throws RangeError when the consumer's name or a number is out of its bounds.
   */
  export(request: ExportRequest): Promise<ExportReport>
  /** Exports again and again, until it is stopped or the gateway is closed. */
  follow(request: FollowRequest): { stop(): Promise<void> }
  /**
   * Takes entries out of all journals that every consumer has acknowledged and that are older than 400 days, each proved before
   * it goes. What they added up to stays, and the audit goes on from there.
   *
   * @throws RangeError when a name or a number is out of its bounds, or the storage cannot forget entries.
   */
  readonly trim: TrimJournals
}

const batchMost = 1000

export function createJournalExport(ledger: Ledger, clock: Clock): JournalExport & { stop(): Promise<void> } {
  const followers = new Set<{ stop(): Promise<void> }>()

  async function exportAccount(
    accountId: string,
    { consumer, sink, batchMax = 500, acceptsTrimmed = false, signal }: ExportRequest,
    onHandedOver: (count: number) => void,
  ): Promise<void> {
    const { seq, exported } = await ledger.exportState(accountId, consumer)
    for (let from = exported; from < seq && signal?.aborted !== true; ) {
      const entries = await ledger.storedJournal(accountId, from, batchMax)
      const last = entries.at(-1)
      if (last === undefined) break
      checkFirst(entries, { consumer, from, acceptsTrimmed })
      await sink.write({ accountId, entries })
      await ledger.acknowledge(accountId, consumer, last.seq)
      onHandedOver(entries.length)
      from = last.seq
    }
  }

  async function run(request: ExportRequest): Promise<ExportReport> {
    const { signal, accountsAtOnce = 8, onFailure } = request
    let entries = 0
    const walk = { accountsAtOnce, signal, onFailure }
    const { accounts, failed } = await eachAccount(ledger, walk, (accountId) =>
      exportAccount(accountId, request, (count) => {
        entries += count
      }),
    )
    return { accounts, entries, failed }
  }

  return {
    async export(request) {
      check(request)
      return run(request)
    },
    follow(request) {
      check(request)
      const { everyMs = 10_000, onRun, onFailure } = request
      if (!Number.isSafeInteger(everyMs) || everyMs < 1) {
        throw new RangeError(`everyMs is a whole number of milliseconds from 1 on, not ${everyMs}.`)
      }
      const stopping = new AbortController()
      const { signal } = stopping
      const running = recurring(clock, everyMs, async () => {
        if (signal.aborted) return
        try {
          const report = await run({ ...request, signal })
          if (report.entries > 0 || report.failed > 0) onRun?.(report)
        } catch (cause) {
          onFailure?.(null, cause)
        }
      })
      const follower = {
        stop() {
          stopping.abort()
          followers.delete(follower)
          return running.stop()
        },
      }
      followers.add(follower)
      if (request.signal?.aborted === true) void follower.stop()
      request.signal?.addEventListener('abort', () => void follower.stop(), { once: true })
      return follower
    },
    trim: createTrimJournals(ledger),
    async stop() {
      await Promise.all([...followers].map((follower) => follower.stop()))
    },
  }
}

/** @throws Error when entries before these were trimmed that the consumer never had. */
function checkFirst(
  entries: JournalBatch['entries'],
  {
    consumer,
    from,
    acceptsTrimmed,
  }: { readonly consumer: string; readonly from: bigint; readonly acceptsTrimmed: boolean },
): void {
  const first = entries[0]?.seq ?? 0n
  if (first === from + 1n || acceptsTrimmed) return
  throw new Error(
    `Entries ${from + 1n} to ${first - 1n} were trimmed and consumer "${consumer}" never had them: take them from an archive. ` +
      'To begin with what is left, say acceptsTrimmed: true (farebox export --accept-trimmed).',
  )
}

function check({ consumer, batchMax = 1, accountsAtOnce = 1 }: ExportRequest): void {
  checkConsumer(consumer)
  if (!Number.isSafeInteger(batchMax) || batchMax < 1 || batchMax > batchMost) {
    throw new RangeError(`batchMax is a whole number from 1 to ${batchMost}, not ${batchMax}.`)
  }
  checkAccountsAtOnce(accountsAtOnce)
}
