import type { Statements } from '../ledger/statements.ts'

/** Adds usage up behind the requests, so that whoever asks for it later finds little left to do. */
export interface FoldLater {
  /** Something was booked on this account by this process. */
  booked(accountId: string): void
  /** Adds up what accounts with much to add up have booked. */
  run(): Promise<void>
}

/** Fewer entries are added up as quickly as they are asked for. */
const entriesMin = 500

/** Accounts that are remembered. Any others are added up when somebody asks. */
const accountsMax = 100_000

/** Entries added up for one account at once, so that none waits for the longest. */
const entriesMax = 50_000

export function createFoldLater(statements: Statements): FoldLater {
  const counts = new Map<string, number>()
  return {
    booked(accountId) {
      const count = counts.get(accountId)
      if (count === undefined && counts.size >= accountsMax) return
      counts.set(accountId, (count ?? 0) + 1)
    },
    async run() {
      for (const [accountId, count] of [...counts]) {
        if (count < entriesMin) continue
        const { isComplete } = await statements.fold(accountId, entriesMax)
        if (isComplete) counts.delete(accountId)
      }
    },
  }
}
