import type { UsageRow } from '../ledger/usage-day.ts'
import type { UsageSums } from '../ledger/usage-sums.ts'

/** What usage can be grouped by. */
export type UsageDimension = 'day' | 'period' | 'model' | 'provider' | 'member' | 'key'

export const usageDimensions: readonly UsageDimension[] = [
  'day',
  'period',
  'model',
  'provider',
  'member',
  'key',
]

/** The usage of one group. It has the members it was grouped by; a member or key is `null` where there was none. */
export type UsageGroup = UsageSums & {
  readonly day?: string
  readonly period?: string
  readonly model?: string
  readonly provider?: string
  readonly member?: string | null
  readonly key?: string | null
}

/** What a row is grouped by. */
export type GroupLabels = Partial<Record<UsageDimension, string | null>>

export function labelsOf(day: string, row: UsageRow, groupBy: readonly UsageDimension[]): GroupLabels {
  const labels: GroupLabels = {}
  for (const name of groupBy) labels[name] = labelOf(name, day, row)
  return labels
}

function labelOf(name: UsageDimension, day: string, row: UsageRow): string | null {
  switch (name) {
    case 'day':
      return day
    case 'period':
      return row.periodKey
    case 'model':
      return row.model
    case 'provider':
      return row.providerId
    case 'member':
      return row.memberId ?? null
    case 'key':
      return row.keyId ?? null
  }
}

/** Names a group, so that names sort as the groups do; what has no member or key comes last. */
export function groupName(labels: GroupLabels, groupBy: readonly UsageDimension[]): string {
  return JSON.stringify(groupBy.map((name) => labels[name]))
}

/** Whether text may be the name of a group. */
export function isGroupName(text: string, groupBy: readonly UsageDimension[]): boolean {
  try {
    const name: unknown = JSON.parse(text)
    return Array.isArray(name) && name.length === groupBy.length
  } catch {
    return false
  }
}
