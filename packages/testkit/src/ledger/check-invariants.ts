import assert from 'node:assert/strict'
import {
  type Account,
  type Cut,
  chainHash,
  decodeValue,
  type Entry,
  type Grant,
  type LedgerStore,
  type PlanTable,
  type Posting,
  type Reservation,
  type Storage,
  type StoredEntry,
} from '@farebox/core'

/** What an account looked like when it was checked. */
export interface Reading {
  readonly version: bigint
  readonly asOfMs: number
  readonly seq: bigint
  readonly chain: string
}

/** The account's place in the chain, terms and sums as the journal alone tells them. */
interface Fold {
  readonly grants: Map<string, FoldedGrant>
  /** Used pay-as-you-go by period. */
  readonly used: Map<string, bigint>
  readonly opIds: Set<string>
  charged: bigint
  absorbed: bigint
  recordedAtMs: number
  terms: Terms
  included: Included
  /** The highest spending limit the account ever had. */
  limitMax: bigint
}

interface FoldedGrant {
  readonly terms: Readonly<Record<string, unknown>>
  readonly effectiveAtMs: number
  issued: bigint
  /** Available or held: holds are records, the journal does not know them. */
  available: bigint
  settled: bigint
  expired: bigint
  voided: bigint
}

/** What was included in the period of the last included grant. */
interface Included {
  readonly startMs: number
  best: bigint
  readonly pools: Map<string, bigint>
}

interface IncludedTerms {
  readonly planId: string
  readonly seats: number
  readonly target: bigint
  /** Absent when all of the credit was issued. */
  readonly remainingMs?: number
  readonly wholeMs?: number
}

interface Terms {
  readonly planId: string
  readonly seats: number
  readonly spendingLimit: bigint | null
  readonly anchorDay: number | null
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
  checkChain(entries)
  assert.equal(account.accountId, accountId)
  assert.equal(account.seq, BigInt(entries.length), 'the head does not count its entries')
  assert.equal(account.chain, entries.at(-1)?.hash ?? '', 'the head does not end the chain')
  const fold = foldJournal(entries, plans)
  checkHead(account, fold)
  checkHolds(account, holds)
  checkOverage(account, fold)
  checkProgress(account, cut.version, entries, since)
  return { version: cut.version, asOfMs: account.asOfMs, seq: account.seq, chain: account.chain }
}

/**
 * Checks that entries are numbered without gaps and each hash covers its text and the one before it.
 *
 * @throws AssertionError that names the first entry that does not follow.
 */
export function checkChain(entries: readonly StoredEntry[]): void {
  let previous = ''
  for (const [index, entry] of entries.entries()) {
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

function foldJournal(entries: readonly StoredEntry[], plans: PlanTable): Fold {
  const terms: Terms = { planId: plans.defaultPlanId, seats: 1, spendingLimit: null, anchorDay: null }
  const fold: Fold = {
    grants: new Map(),
    used: new Map(),
    opIds: new Set(),
    charged: 0n,
    absorbed: 0n,
    recordedAtMs: 0,
    terms,
    included: { startMs: 0, best: 0n, pools: new Map() },
    limitMax: limitOf(terms, plans),
  }
  for (const { seq, text } of entries) foldEntry(fold, seq, decodeValue(text) as unknown as Entry, plans)
  return fold
}

function foldEntry(fold: Fold, seq: bigint, entry: Entry, plans: PlanTable): void {
  assert.ok(!fold.opIds.has(entry.opId), `operation ${entry.opId} was booked twice`)
  fold.opIds.add(entry.opId)
  assert.ok(entry.recordedAtMs >= fold.recordedAtMs, `entry ${seq} was recorded before the one before it`)
  fold.recordedAtMs = entry.recordedAtMs
  if (entry.kind === 'configured') {
    // Entries written before there were anchor days have none.
    fold.terms = { anchorDay: null, ...(entry.terms as unknown as Omit<Terms, 'anchorDay'>) }
    const limit = limitOf(fold.terms, plans)
    if (limit > fold.limitMax) fold.limitMax = limit
  }
  if (entry.kind === 'granted') foldGranted(fold, entry)
  for (const posting of entry.postings) foldPosting(fold, seq, posting)
  if (entry.kind === 'settled') foldSettled(fold, seq, entry)
  else
    assert.ok(
      entry.postings.every(({ to }) => to !== 'settled' && to !== 'used'),
      `entry ${seq} charges`,
    )
  if (entry.kind === 'granted' && entry.terms?.['kind'] === 'included') checkIncluded(fold, entry, plans)
}

function foldGranted(fold: Fold, entry: Entry): void {
  assert.equal(entry.postings.length, 1, 'a grant is issued in one posting')
  const { source, from, to } = entry.postings[0] as Posting
  assert.ok(!fold.grants.has(source), `${source} was granted twice`)
  assert.deepEqual([from, to], ['issued', 'available'])
  fold.grants.set(source, {
    terms: entry.terms ?? {},
    effectiveAtMs: entry.effectiveAtMs,
    issued: 0n,
    available: 0n,
    settled: 0n,
    expired: 0n,
    voided: 0n,
  })
}

function foldPosting(fold: Fold, seq: bigint, { source, from, to, amount }: Posting): void {
  assert.ok(amount > 0n, `entry ${seq} moves ${amount} from ${source}`)
  if (source.startsWith('overage:')) {
    assert.deepEqual([from, to], ['limit', 'used'], `entry ${seq} moves pay-as-you-go from ${from} to ${to}`)
    const period = source.slice('overage:'.length)
    fold.used.set(period, (fold.used.get(period) ?? 0n) + amount)
    return
  }
  const grant = fold.grants.get(source)
  assert.ok(grant !== undefined, `entry ${seq} moves money of ${source}, which was never granted`)
  assert.ok(to !== 'limit' && to !== 'used' && to !== 'issued' && from !== 'limit' && from !== 'used')
  if (from === 'issued') grant.issued += amount
  else grant[from] -= amount
  grant[to] += amount
  for (const bucket of ['available', 'settled', 'expired', 'voided'] as const) {
    assert.ok(grant[bucket] >= 0n, `entry ${seq} takes ${bucket} of ${source} below zero`)
  }
}

/** Per attempt the cost is what the customer and the operator paid; per entry it is what the sources paid. */
function foldSettled(fold: Fold, seq: bigint, entry: Entry): void {
  let charged = 0n
  for (const attempt of entry.attempts ?? []) {
    const { attemptId } = attempt
    assert.ok(attempt.charged >= 0n && attempt.absorbed >= 0n, `${attemptId} has a negative share`)
    assert.equal(
      attempt.charged + attempt.absorbed,
      attempt.cost ?? 0n,
      `the cost of ${attemptId} is not paid`,
    )
    assert.equal(attempt.absorbed > 0n, attempt.absorbedReason !== undefined, `${attemptId} has no reason`)
    charged += attempt.charged
    fold.absorbed += attempt.absorbed
  }
  const drawn = entry.postings
    .filter(({ to }) => to === 'settled' || to === 'used')
    .reduce((sum, { amount }) => sum + amount, 0n)
  assert.equal(drawn, charged, `entry ${seq} charges ${charged} and draws ${drawn}`)
  fold.charged += charged
}

/**
 * Included credit is never more than the highest terms of its period give, and exactly the difference to what was given
 * before where neither the plan nor a change of the anchor day makes it a share.
 */
function checkIncluded(fold: Fold, entry: Entry, plans: PlanTable): void {
  const terms = entry.terms as unknown as IncludedTerms
  const { target, remainingMs, wholeMs = 1, remainingMs: part = 1 } = terms
  assert.equal(terms.planId, fold.terms.planId)
  assert.equal(terms.seats, fold.terms.seats)
  const { includedCredit, additive } = planOf(fold.terms, plans)
  assert.equal(target, includedCredit.amount * (includedCredit.per === 'seat' ? BigInt(terms.seats) : 1n))
  assert.ok(part <= wholeMs, 'more than a whole period was included')
  if (fold.included.startMs !== entry.effectiveAtMs) {
    fold.included = { startMs: entry.effectiveAtMs, best: 0n, pools: new Map() }
  }
  const { included } = fold
  assert.ok(target > included.best, 'included credit was issued though the terms were no better')
  const before = additive === true ? (included.pools.get(terms.planId) ?? 0n) : included.best
  const issued = entry.postings[0]?.amount ?? 0n
  // What rounding down has left of a nano is carried from one share to the next.
  const exact = ((target - before) * BigInt(part)) / BigInt(wholeMs)
  if (remainingMs === undefined) assert.equal(issued, exact, 'included credit is off')
  else assert.ok(issued === exact || issued === exact + 1n, `a share is off: ${issued} for ${exact}`)
  included.best = target
  if (additive === true) included.pools.set(terms.planId, target)
}

function checkHead(account: Account, fold: Fold): void {
  const { planId, seats, spendingLimit, anchorDay } = account
  assert.deepEqual({ planId, seats, spendingLimit, anchorDay }, { ...fold.terms }, 'the head has other terms')
  assert.equal(account.charged, fold.charged, 'the head and the journal differ in what was charged')
  assert.equal(account.absorbed, fold.absorbed, 'the head and the journal differ in what was absorbed')
  let paid = 0n
  for (const grant of fold.grants.values()) paid += grant.settled
  for (const used of fold.used.values()) paid += used
  assert.equal(paid, fold.charged, 'what the sources paid is not what was charged')
  assert.ok(account.asOfMs >= fold.recordedAtMs, 'the head is older than its journal')
  const inHead = new Set<string>()
  for (const grant of account.grants) {
    const source = `grant:${grant.grantId}`
    assert.ok(!inHead.has(source), `${source} is in the head twice`)
    inHead.add(source)
    checkGrant(grant, fold.grants.get(source))
  }
  for (const [source, grant] of fold.grants) {
    if (!inHead.has(source)) assert.equal(grant.available, 0n, `${source} left the head with credit in it`)
  }
}

function checkGrant(grant: Grant, folded: FoldedGrant | undefined): void {
  const { grantId, issued, available, held, settled, expired, voided } = grant
  assert.ok(folded !== undefined, `${grantId} is not in the journal`)
  for (const amount of [available, held, settled, expired, voided]) {
    assert.ok(amount >= 0n, `${grantId} has a negative counter`)
  }
  assert.equal(available + held + settled + expired + voided, issued, `${grantId} does not add up`)
  assert.deepEqual(
    { issued, available: available + held, settled, expired, voided, effectiveAtMs: grant.effectiveAtMs },
    {
      issued: folded.issued,
      available: folded.available,
      settled: folded.settled,
      expired: folded.expired,
      voided: folded.voided,
      effectiveAtMs: folded.effectiveAtMs,
    },
    `${grantId} is not what the journal says`,
  )
  assert.equal(folded.terms['kind'], grant.kind)
  assert.equal(folded.terms['expiresAtMs'], grant.expiresAtMs)
}

/** What holds set aside is what the sources hold. */
function checkHolds(account: Account, holds: readonly Reservation[]): void {
  const held = new Map<string, bigint>()
  for (const { reservationId, state, amount, parts } of holds) {
    assert.ok(state === 'held' || state === 'unresolved', `${reservationId} is due and ${state}`)
    let sum = 0n
    for (const part of parts) {
      assert.ok(part.amount > 0n, `${reservationId} holds ${part.amount} of ${part.source}`)
      held.set(part.source, (held.get(part.source) ?? 0n) + part.amount)
      sum += part.amount
    }
    assert.equal(sum, amount, `${reservationId} holds ${sum} of ${amount}`)
  }
  const sources = [
    ...account.grants.map((grant) => ({ source: `grant:${grant.grantId}`, held: grant.held })),
    ...account.overage.map((line) => ({ source: `overage:${line.periodKey}`, held: line.held })),
  ]
  for (const source of sources) {
    assert.equal(source.held, held.get(source.source) ?? 0n, `${source.source} does not match its holds`)
    held.delete(source.source)
  }
  assert.deepEqual([...held.keys()], [], 'holds have sources that the head does not have')
}

function checkOverage(account: Account, fold: Fold): void {
  for (const { periodKey, held, used } of account.overage) {
    assert.ok(held >= 0n && used >= 0n, `pay-as-you-go of ${periodKey} is negative`)
    assert.equal(used, fold.used.get(periodKey) ?? 0n, `pay-as-you-go of ${periodKey} is not the journal's`)
    assert.ok(held + used <= fold.limitMax, `pay-as-you-go of ${periodKey} is beyond every limit there was`)
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

function planOf({ planId }: Terms, plans: PlanTable): PlanTable['plans'][number] {
  const plan = plans.plans.find((candidate) => candidate.planId === planId)
  assert.ok(plan !== undefined, `there is no plan ${planId}`)
  return plan
}

function limitOf(terms: Terms, plans: PlanTable): bigint {
  const plan = planOf(terms, plans)
  if (plan.overage !== 'pay-as-you-go') return 0n
  return terms.spendingLimit ?? plan.spendingLimit ?? plans.spendingLimit
}
