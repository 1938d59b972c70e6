import assert from 'node:assert/strict'
import {
  type Account,
  type Cut,
  chainHash,
  type LedgerStore,
  type PlanTable,
  type Reservation,
  type Storage,
  type StoredEntry,
} from '@farebox/core'
import { checkClosings } from './invariants/check-closings.ts'
import { checkHead, checkHolds, checkOverage } from './invariants/check-head.ts'
import { type Fold, foldJournal } from './invariants/fold.ts'
import { checkKeys } from './invariants/keys.ts'
import { checkMembers } from './invariants/members.ts'

/** What an account looked like when it was checked. */
export interface Reading {
  readonly version: bigint
  readonly asOfMs: number
  readonly seq: bigint
  readonly chain: string
}

/**
 * Reads an account and everything it ever booked, and checks that money is conserved: per grant, per hold, per attempt
 * and over the journal, that the journal's chain is whole, and that the head is what the journal and the open holds say.
 * Given an earlier reading it also checks that the account only moved forward since.
 *
 * @throws AssertionError that names what does not add up.
 */
export async function checkInvariants(
  { ledger }: Storage,
  accountId: string,
  plans: PlanTable,
  since?: Reading,
): Promise<Reading> {
  const cut = await readAccount(ledger, accountId)
  const entries = await readJournal(ledger, accountId)
  if (cut.head === null) {
    assert.equal(entries.length, 0, 'an account that was never written has a journal')
    assert.equal(cut.version, 0n, 'an account that was never written has a version')
    return { version: 0n, asOfMs: 0, seq: 0n, chain: '' }
  }
  const account = cut.head as unknown as Account
  const holds = cut.due.map(({ value }) => value as unknown as Reservation)
  const fold = foldOnward(entries, plans)
  assert.equal(account.accountId, accountId)
  assert.equal(account.seq, BigInt(entries.length), 'the head does not count its entries')
  assert.equal(account.chain, entries.at(-1)?.hash ?? '', 'the head does not end the chain')
  checkHead(account, fold)
  checkHolds(account, holds)
  checkOverage(account, fold)
  checkClosings(account, entries)
  await checkMembers(ledger, accountId, fold.members, holds)
  await checkKeys(ledger, accountId, fold.keys, holds)
  checkProgress(account, cut.version, entries, since)
  return { version: cut.version, asOfMs: account.asOfMs, seq: account.seq, chain: account.chain }
}

/**
 * Checks that entries are numbered without gaps and each hash covers its text and the one before it.
 *
 * @throws AssertionError that names the first entry that does not follow.
 */
export function checkChain(entries: readonly StoredEntry[]): void {
  checkChainFrom(entries, 0)
}

/** What was checked of journals so far, by their first entry. */
const checked = new WeakMap<
  StoredEntry,
  { readonly entries: readonly StoredEntry[]; readonly plans: PlanTable; readonly fold: Fold }
>()

/**
 * Checks the chain of a journal, and folds it. A store in memory gives the same entries every time: those that were
 * checked before are not checked again, because a journal is checked after every step.
 */
function foldOnward(entries: readonly StoredEntry[], plans: PlanTable): Fold {
  const [first] = entries
  const before = first && checked.get(first)
  const isSame = before?.plans === plans && before.entries.every((entry, index) => entry === entries[index])
  const known = isSame ? before.entries.length : 0
  checkChainFrom(entries, known)
  // What breaks off half way must not be gone on with.
  if (first) checked.delete(first)
  const fold = foldJournal(entries.slice(known), plans, isSame ? before.fold : undefined)
  if (first) checked.set(first, { entries, plans, fold })
  return fold
}

function checkChainFrom(entries: readonly StoredEntry[], start: number): void {
  let previous = entries[start - 1]?.hash ?? ''
  for (let index = start; index < entries.length; index += 1) {
    const entry = entries[index] as StoredEntry
    const seq = BigInt(index + 1)
    assert.equal(entry.seq, seq, `entry ${seq} of the journal is numbered ${entry.seq}`)
    assert.equal(entry.hash, chainHash(previous, seq, entry.text), `entry ${seq} does not follow its chain`)
    previous = entry.hash
  }
}

/** The account with all of its open holds in `due`, at most 1,000. */
export async function readAccount(ledger: LedgerStore, accountId: string): Promise<Cut> {
  const everything = { dueBy: Number.MAX_SAFE_INTEGER, dueMax: 1000 }
  const cut: Cut = await ledger.transact(accountId, [], (each) => ({ result: each }), everything)
  assert.ok(!cut.moreDue, `${accountId} has more open holds than can be checked`)
  return cut
}

export async function readJournal(ledger: LedgerStore, accountId: string): Promise<readonly StoredEntry[]> {
  const entries: StoredEntry[] = []
  for (;;) {
    const page = await ledger.journal(accountId, BigInt(entries.length), 1000)
    entries.push(...page)
    if (page.length < 1000) return entries
  }
}

function checkProgress(
  account: Account,
  version: bigint,
  entries: readonly StoredEntry[],
  since: Reading | undefined,
): void {
  if (since === undefined) return
  assert.ok(version >= since.version, 'the version went backwards')
  assert.ok(account.asOfMs >= since.asOfMs, 'time went backwards')
  assert.ok(account.seq >= since.seq, 'the journal became shorter')
  const last = since.seq === 0n ? '' : entries[Number(since.seq) - 1]?.hash
  assert.equal(last, since.chain, 'the journal was rewritten')
}
