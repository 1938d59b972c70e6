import type { Ledger } from '../ledger/ledger.ts'

export interface EachAccountOptions {
  /** Accounts under way at a time. */
  readonly accountsAtOnce: number
  readonly signal?: AbortSignal | undefined
  /** Told of an account whose turn failed. */
  readonly onFailure?: ((accountId: string, cause: unknown) => void) | undefined
}

export interface EachAccountReport {
  /** Accounts that were looked at. */
  readonly accounts: number
  readonly failed: number
}

/** What fails for so many accounts in a row is down: the rest would only fail as well. */
const failuresMax = 20

/** Goes through all accounts, some at a time. One that fails does not keep the others from their turn. */
export async function eachAccount(
  ledger: Pick<Ledger, 'accounts'>,
  { accountsAtOnce, signal, onFailure }: EachAccountOptions,
  work: (accountId: string) => Promise<void>,
): Promise<EachAccountReport> {
  const report = { accounts: 0, failed: 0 }
  let failures = 0
  const isOver = () => signal?.aborted === true || failures >= failuresMax
  const turn = async (accountId: string) => {
    report.accounts += 1
    try {
      await work(accountId)
      failures = 0
    } catch (cause) {
      report.failed += 1
      failures += 1
      onFailure?.(accountId, cause)
    }
  }
  let cursor: string | null = null
  do {
    const page = await ledger.accounts(cursor)
    const waiting = page.accountIds.values()
    const worker = async () => {
      for (const accountId of waiting) {
        if (isOver()) return
        await turn(accountId)
      }
    }
    await Promise.all(Array.from({ length: accountsAtOnce }, worker))
    cursor = page.cursor
  } while (cursor !== null && !isOver())
  return report
}

/** @throws RangeError when it is no whole number from 1 to 64. */
export function checkAccountsAtOnce(accountsAtOnce: number): void {
  if (!Number.isSafeInteger(accountsAtOnce) || accountsAtOnce < 1 || accountsAtOnce > 64) {
    throw new RangeError(`accountsAtOnce is a whole number from 1 to 64, not ${accountsAtOnce}.`)
  }
}
