import { type ConfigureRequest, type Gateway, type GrantRequest, type Nano, nano, usd } from '@farebox/core'
import type { Question } from './caller.ts'
import { models } from './price-list.ts'
import type { Random } from './random.ts'

/** Something that somebody wants, so many milliseconds after the beginning. */
export type Wish = { readonly atMs: number; readonly label: string } & (
  | { readonly kind: 'ask'; readonly question: Question }
  /** An operation of the host. It may be done again, and on another process. */
  | { readonly kind: 'manage'; run(gateway: Gateway): Promise<unknown> }
)

/** What a run is about. */
export interface Scenario {
  readonly startMs: number
  readonly processes: number
  readonly wishes: readonly Wish[]
}

/** Mostly plans with something to spend: those who have nothing only ever hear 402. */
const planIds = ['bare', 'metered', 'metered', 'free', 'pro', 'pro', 'team'] as const
const noonMs = Date.UTC(2026, 10, 10, 12)
const monthEndMs = Date.UTC(2026, 11, 1)

/** A short history, because many short ones find more than a long one. */
export function drawScenario(random: Random): Scenario {
  const accountIds = random.pick([['alice'], ['alice'], ['alice', 'bob']])
  // Many at once find other things than one after the other.
  const spanMs = random.pick([1, 50, 1_000, 20_000])
  const startMs = random.pick([noonMs, monthEndMs - random.below(2_000)])
  const wishes: Wish[] = accountIds.map((accountId) => configure(0, drawTerms(random, accountId)))
  const add = (count: number, draw: (accountId: string, atMs: number, index: number) => Wish): void => {
    for (let index = 1; index <= count; index += 1) {
      wishes.push(draw(random.pick(accountIds), random.below(spanMs), index))
    }
  }
  add(random.between(0, 3), (accountId, atMs, index) =>
    grant(atMs, drawGrant(random, accountId, `g${index}`, startMs + atMs)),
  )
  add(random.between(1, 5), (accountId, atMs) => ({
    atMs,
    kind: 'ask',
    label: 'ask',
    question: drawQuestion(random, accountId),
  }))
  add(random.pick([0, 0, 1, 2]), (accountId, atMs) => configure(atMs, drawTerms(random, accountId)))
  add(random.pick([0, 0, 1]), (accountId, atMs) => ({
    atMs,
    kind: 'manage',
    label: `look at ${accountId}`,
    run: async ({ accounts }) => {
      const { spendable, held, overage } = await accounts.balance(accountId)
      if (spendable < 0n || held < 0n || overage.left < 0n) throw new Error('A balance is below zero.')
    },
  }))
  return { startMs, processes: random.between(1, 3), wishes }
}

function configure(atMs: number, request: ConfigureRequest): Wish {
  const label = `configure ${inWords(request)}`
  return { atMs, kind: 'manage', label, run: ({ accounts }) => accounts.configure(request) }
}

function drawTerms(random: Random, accountId: string): ConfigureRequest {
  return {
    accountId,
    planId: random.pick(planIds),
    ...(random.chance(0.3) && { seats: random.between(1, 4) }),
    ...(random.chance(0.2) && { spendingLimit: random.pick([null, nano(0n), usd('0.05'), usd('2.00')]) }),
  }
}

function grant(atMs: number, request: GrantRequest): Wish {
  return {
    atMs,
    kind: 'manage',
    label: `grant ${inWords(request)}`,
    async run({ credits }) {
      try {
        const { outcome } = await credits.grant(request)
        if (outcome !== 'granted') throw new Error(`Granting ${request.grantId} gave ${outcome}.`)
      } catch (error) {
        // Its time is over before it was granted: the clock was set ahead.
        if (!(error instanceof RangeError)) throw error
      }
    },
  }
}

function drawGrant(random: Random, accountId: string, grantId: string, nowMs: number): GrantRequest {
  const amount: Nano = random.pick([
    usd('0.03'),
    usd('0.10'),
    usd('1.00'),
    nano(BigInt(random.between(1, 90_000_000))),
  ])
  const lastsMs = random.pick([undefined, undefined, 1_000, 60_000, 3_600_000])
  return {
    accountId,
    grantId,
    amount,
    kind: random.pick(['purchased', 'promotional', 'courtesy']),
    ...(lastsMs !== undefined && { expiresAtMs: nowMs + lastsMs }),
  }
}

function drawQuestion(random: Random, accountId: string): Question {
  return {
    accountId,
    model: random.pick(models),
    isStream: random.chance(0.6),
    outputMax: random.pick([undefined, 1, 20, 60, 150]),
    leavesAt: random.chance(0.2) ? random.between(0, 4) : undefined,
  }
}

function inWords(value: object): string {
  return JSON.stringify(value, (_name, member) => (typeof member === 'bigint' ? `${member}n` : member))
}
