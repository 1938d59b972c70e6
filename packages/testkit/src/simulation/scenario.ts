import type { LateTerms } from '@farebox/core'
import type { Question } from './caller.ts'
import { cappedKeys } from './capped-keys.ts'
import {
  adjust,
  capMember,
  closePeriod,
  configure,
  type Deed,
  grant,
  look,
  members,
  readUsage,
  refund,
  voidGrant,
} from './deeds.ts'
import { models } from './price-list.ts'
import type { Random } from './random.ts'

/** Something that somebody wants, so many milliseconds after the beginning. */
export type Wish = { readonly atMs: number; readonly label: string } & (
  | { readonly kind: 'ask'; readonly question: Question }
  | ({ readonly kind: 'manage' } & Deed)
)

/** What a run is about. */
export interface Scenario {
  readonly startMs: number
  readonly lateTerms: LateTerms
  readonly processes: number
  readonly wishes: readonly Wish[]
}

const noonMs = Date.UTC(2026, 10, 10, 12)
const monthEndMs = Date.UTC(2026, 11, 1)

/** How long many requests go on coming to an account whose processes are to lease. */
const rushMs = 12_000

/** A short history, because many short ones find more than a long one: but only who is busy leases. */
export function drawScenario(random: Random, isBusy = false): Scenario {
  const accountIds = isBusy ? ['alice'] : random.pick([['alice'], ['alice'], ['alice', 'bob']])
  // Many at once find other things than one after the other.
  const spanMs = random.pick([1, 50, 1_000, 20_000])
  const startMs = random.pick([noonMs, monthEndMs - random.below(2_000), monthEndMs - random.below(30_000)])
  const withinMs = random.pick([30, 30, 12]) * 60_000
  const policy = random.pick(['waive', 'waive', 'charge-estimate'] as const)
  const wishes: Wish[] = []
  const add = (
    count: number,
    spreadMs: number,
    draw: (accountId: string, atMs: number, index: number) => Omit<Wish, 'atMs'>,
  ) => {
    for (let index = 1; index <= count; index += 1) {
      const atMs = random.below(spreadMs)
      wishes.push({ atMs, ...draw(random.pick(accountIds), startMs + atMs, index) } as Wish)
    }
  }
  const manage = (deed: Deed) => ({ kind: 'manage', ...deed }) as const
  for (const accountId of accountIds) wishes.push({ atMs: 0, ...manage(configure(random, accountId)) })
  add(random.between(0, 3), spanMs, (accountId, nowMs, index) =>
    manage(grant(random, { accountId, nowMs, grantId: `g${index}` })),
  )
  add(random.between(1, 5), spanMs, (accountId, _nowMs, index) => ({
    kind: 'ask',
    label: 'ask',
    question: drawQuestion(random, accountId, index),
  }))
  if (isBusy) {
    add(random.between(30, 90), rushMs, (accountId, _nowMs, index) => {
      const question = {
        ...drawQuestion(random, accountId, index),
        member: undefined,
        apiKey: undefined,
        key: undefined,
      }
      return { kind: 'ask', label: 'ask', question }
    })
  }
  add(random.pick([0, 0, 1, 2]), spanMs, (accountId) => manage(configure(random, accountId)))
  add(random.pick([0, 0, 1]), spanMs, (accountId) => manage(capMember(random, accountId)))
  add(random.pick([0, 0, 1]), spanMs, (accountId) => manage(look(accountId)))
  // Corrections come later than what they correct, and sometimes at the same moment.
  const lateMs = spanMs + random.pick([1, 1_000, 6_000])
  add(random.pick([0, 0, 1, 2]), lateMs, (accountId, _nowMs, index) => {
    const correct = random.pick([refund, refund, voidGrant, adjust])
    return manage(correct(random, { accountId, opId: `o${index}` }))
  })
  add(random.pick([0, 0, 1, 2]), lateMs, (accountId, nowMs) => {
    const lookBack = random.pick([closePeriod, closePeriod, readUsage])
    return manage(lookBack(random, accountId, nowMs))
  })
  return { startMs, lateTerms: { withinMs, policy }, processes: random.between(1, 3), wishes }
}

function drawQuestion(random: Random, accountId: string, index: number): Question {
  return {
    accountId,
    member: random.pick([undefined, ...members]),
    // Not drawn, so that all else of a seed stays as it is.
    apiKey: index > 1 ? [...cappedKeys.keys()][index % cappedKeys.size] : undefined,
    model: random.pick(models),
    isStream: random.chance(0.6),
    outputMax: random.pick([undefined, 1, 20, 60, 150]),
    leavesAt: random.chance(0.2) ? random.between(0, 4) : undefined,
    key: random.chance(0.3) ? `key ${index}` : undefined,
  }
}
