import { GatewayError } from '../errors.ts'
import { type Statements, type UsagePage, usagePagesMax } from '../ledger/statements.ts'
import {
  addUsage,
  nothingUsed,
  sumsOf,
  totalsOf,
  type UsageSums,
  type UsageTotals,
} from '../ledger/usage-sums.ts'
import { type DayRange, daysIn, rangeOf } from './day-range.ts'
import {
  type GroupLabels,
  groupName,
  isGroupName,
  labelsOf,
  type UsageDimension,
  type UsageGroup,
  usageDimensions,
} from './usage-group.ts'

/** Which usage, and how it is put together. */
export interface UsageQuery {
  readonly accountId: string
  /** The first UTC day, such as `2026-11-01`. */
  readonly from: string
  /** The UTC day after the last one: from `2026-11-01` to `2026-12-01` is November. At most 366 days. */
  readonly to: string
  /** One group for each combination of these. @default none: one group of everything */
  readonly groupBy?: readonly UsageDimension[]
  /** Groups on a page, 1 to 1,000. @default 100 */
  readonly limit?: number
  /** The `nextCursor` of the page before. */
  readonly cursor?: string
}

/** One page of groups, and the sum over all of them. */
export interface UsageReport {
  readonly accountId: string
  readonly from: string
  readonly to: string
  readonly groupBy: readonly UsageDimension[]
  /** In the order of their names, `groupBy` from left to right. */
  readonly groups: readonly UsageGroup[]
  /** Over all pages. */
  readonly total: UsageSums
  /** `null` on the last page. */
  readonly nextCursor: string | null
  /** The last entry of the journal that is counted. */
  readonly seq: bigint
  /** False while so much was booked since the last time that it is still being added up. Ask again. */
  readonly isComplete: boolean
}

const limitDefault = 100
const limitMax = 1000
const groupsMax = 10_000
const rowsMax = 500_000

/** Entries that one query adds up before it answers with what there is. */
const foldMax = 50_000

/** How often a query starts over because usage was added up meanwhile. */
const attemptsMax = 5

/**
 * Adds up the usage of an account. It reads sums by day, never the journal, except for what was booked since the last time.
 *
 * @throws GatewayError `invalid_request` when the query makes no sense or has more than 10,000 groups, `gateway_busy` when
 * the sums kept changing while they were read.
 */
export async function queryUsage(statements: Statements, query: UsageQuery): Promise<UsageReport> {
  const range = rangeOf(query)
  const { groupBy = [], limit = limitDefault, cursor, accountId, from, to } = query
  checkGroups(groupBy)
  if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) {
    throw new GatewayError('invalid_request', `limit must be a whole number from 1 to ${limitMax}.`, {
      param: 'limit',
    })
  }
  const after = cursor === undefined ? '' : readCursor(cursor, groupBy)
  const { isComplete } = await statements.fold(accountId, foldMax)
  const { seq, groups } = await readGroups(statements, accountId, range, groupBy)
  const names = [...groups.keys()].toSorted()
  const page = names.filter((name) => name > after).slice(0, limit)
  const last = page.at(-1)
  const total = totalsOf(nothingUsed)
  for (const { totals } of groups.values()) addUsage(total, sumsOf(totals))
  return {
    accountId,
    from,
    to,
    groupBy,
    groups: page.map((name) => groupOf(groups.get(name) as OpenGroup)),
    total: sumsOf(total),
    nextCursor: last === undefined || last === names.at(-1) ? null : Buffer.from(last).toString('base64url'),
    seq,
    isComplete,
  }
}

function checkGroups(groupBy: readonly string[]): void {
  const stranger = groupBy.find((name) => !usageDimensions.includes(name as UsageDimension))
  if (stranger === undefined && new Set(groupBy).size === groupBy.length) return
  const known = usageDimensions.join(', ')
  const message =
    stranger === undefined
      ? 'group_by names something twice.'
      : `Usage can not be grouped by "${stranger}". Use some of ${known}.`
  throw new GatewayError('invalid_request', message, { param: 'group_by' })
}

/** The name of the group that a page ended with. */
function readCursor(cursor: string, groupBy: readonly UsageDimension[]): string {
  const name = Buffer.from(cursor, 'base64url').toString()
  if (isGroupName(name, groupBy)) return name
  const message = 'cursor must be the next_cursor of an earlier page of the same query.'
  throw new GatewayError('invalid_request', message, { param: 'cursor' })
}

/** A group that rows are still added to. */
interface OpenGroup {
  readonly labels: GroupLabels
  readonly totals: UsageTotals
}

function groupOf({ labels, totals }: OpenGroup): UsageGroup {
  return { ...labels, ...sumsOf(totals) } as UsageGroup
}

interface Groups {
  readonly seq: bigint
  readonly groups: ReadonlyMap<string, OpenGroup>
}

async function readGroups(
  statements: Statements,
  accountId: string,
  range: DayRange,
  groupBy: readonly UsageDimension[],
): Promise<Groups> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const read = await tryGroups(statements, accountId, daysIn(range), groupBy)
    if (read !== undefined) return read
  }
  throw new GatewayError('gateway_busy', 'Usage is being added up. Please try again.', {
    retryAfterSeconds: 1,
  })
}

/** Reads the days in steps; `undefined` when they are not all as of the same entry. */
async function tryGroups(
  statements: Statements,
  accountId: string,
  days: readonly string[],
  groupBy: readonly UsageDimension[],
): Promise<Groups | undefined> {
  const groups = new Map<string, OpenGroup>()
  const waiting: UsagePage[] = days.map((day) => ({ day, page: 0 }))
  let seq: bigint | undefined
  let rowsLeft = rowsMax
  while (waiting.length > 0) {
    const reading = await statements.usage(accountId, waiting.splice(0, usagePagesMax))
    seq ??= reading.seq
    if (reading.seq !== seq) return undefined
    waiting.push(...reading.further)
    for (const { day, rows } of reading.pages) {
      rowsLeft -= rows.length
      for (const row of rows) addToGroup(groups, labelsOf(day, row, groupBy), row, groupBy)
    }
    if (groups.size > groupsMax) throw tooMuch(`more than ${groupsMax} groups`)
    if (rowsLeft < 0) throw tooMuch(`more than ${rowsMax} rows to add up`)
  }
  return { seq: seq ?? 0n, groups }
}

function addToGroup(
  groups: Map<string, OpenGroup>,
  labels: GroupLabels,
  row: UsageSums,
  groupBy: readonly UsageDimension[],
): void {
  const name = groupName(labels, groupBy)
  const present = groups.get(name)
  const totals = present?.totals ?? totalsOf(nothingUsed)
  addUsage(totals, row)
  if (present === undefined) groups.set(name, { labels, totals })
}

function tooMuch(what: string): GatewayError {
  const message = `This would be ${what}. Ask for fewer days, or group by less.`
  return new GatewayError('invalid_request', message, { param: 'group_by' })
}
