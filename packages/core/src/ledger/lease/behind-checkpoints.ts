import type { Ledger } from '../ledger.ts'
import type { Statements } from '../statements.ts'

type ForAccount = (accountId: string) => Promise<void>

/**
 * The operations of a ledger that leases decide nothing about. What reads what requests have done waits until that is
 * written (`write`); what needs all of the credit, or ends the terms of a lease, waits until it is given back (`release`).
 */
export function behindCheckpoints(
  ledger: Ledger,
  write: ForAccount,
  release: ForAccount,
): Omit<Ledger, 'reserve' | 'settle' | 'extend'> {
  return {
    async configure(request) {
      await release(request.accountId)
      return ledger.configure(request)
    },
    capMember: ledger.capMember,
    grant: ledger.grant,
    async voidGrant(request) {
      await release(request.accountId)
      return ledger.voidGrant(request)
    },
    async adjust(request) {
      await release(request.accountId)
      return ledger.adjust(request)
    },
    async refund(request) {
      await write(request.accountId)
      return ledger.refund(request)
    },
    async reconcile(request) {
      await write(request.accountId)
      return ledger.reconcile(request)
    },
    async balance(accountId) {
      await write(accountId)
      return ledger.balance(accountId)
    },
    memberBalance: ledger.memberBalance,
    keyBalances: ledger.keyBalances,
    async receipt(accountId, requestId) {
      await write(accountId)
      return ledger.receipt(accountId, requestId)
    },
    async isCharged(accountId, requestId) {
      await write(accountId)
      return ledger.isCharged(accountId, requestId)
    },
    async journal(accountId, afterSeq, limit) {
      await write(accountId)
      return ledger.journal(accountId, afterSeq, limit)
    },
    async storedJournal(accountId, afterSeq, limit) {
      await write(accountId)
      return ledger.storedJournal(accountId, afterSeq, limit)
    },
    exportState: ledger.exportState,
    acknowledge: ledger.acknowledge,
    // What is not written yet is far too young to be trimmed.
    trim: ledger.trim,
    canTrim: ledger.canTrim,
    accountsDue: ledger.accountsDue,
    async unresolved(accountId) {
      await write(accountId)
      return ledger.unresolved(accountId)
    },
    statements: statementsBehind(ledger.statements, write, release),
    accounts: ledger.accounts,
    async audit(accountId, options) {
      await write(accountId)
      return ledger.audit(accountId, options)
    },
    storeNow: ledger.storeNow,
  }
}

function statementsBehind(statements: Statements, write: ForAccount, release: ForAccount): Statements {
  return {
    // Usage is read from the sums, which have what was added up.
    ...statements,
    async fold(accountId, entriesMax) {
      await write(accountId)
      return statements.fold(accountId, entriesMax)
    },
    async closePeriod(request) {
      await release(request.accountId)
      return statements.closePeriod(request)
    },
  }
}
