import { type ConfigureRequest, type Gateway, type Nano, nano, usd } from '@farebox/core'
import type { Random } from './random.ts'

/** An operation of the host. It may be done again, by the same ids, and on another process. */
export interface Deed {
  readonly label: string
  /** Does it, and says what came of it. */
  run(context: DeedContext): Promise<string>
}

export interface DeedContext {
  readonly gateway: Gateway
  /** Requests that were made so far, of all accounts. */
  readonly requestIds: readonly string[]
}

/** Mostly plans with something to spend: those who have nothing only ever hear 402. */
const planIds = [
  'bare',
  'metered',
  'metered',
  'free',
  'pro',
  'pro',
  'team',
  'prorated',
  'additive',
  'pool',
] as const

const byHand = { actor: 'support', reason: 'simulated' } as const

/** Puts the account on a plan. */
export function configure(random: Random, accountId: string): Deed {
  const request: ConfigureRequest = {
    accountId,
    planId: random.pick(planIds),
    ...(random.chance(0.3) && { seats: random.between(1, 4) }),
    ...(random.chance(0.2) && { spendingLimit: random.pick([null, nano(0n), usd('0.05'), usd('2.00')]) }),
    ...(random.chance(0.2) && { memberCap: random.pick([null, nano(0n), usd('0.01'), usd('0.50')]) }),
    ...(random.chance(0.2) && { anchorDay: random.pick([null, 1, 11, 30, 31]) }),
  }
  return {
    label: inWords('configure', request),
    run: ({ gateway }) => gateway.accounts.configure(request).then(() => 'configured'),
  }
}

/** Who asks within an account. */
export const members = ['ada', 'bob'] as const

export function capMember(random: Random, accountId: string): Deed {
  const memberId = random.pick(members)
  const cap = random.pick([null, 'none', nano(0n), usd('0.02'), usd('0.40')] as const)
  return {
    label: inWords('cap', { accountId, memberId, cap }),
    async run({ gateway }) {
      const { left } = await gateway.accounts.capMember({ accountId, memberId, cap })
      if (left !== null && left < 0n) throw new Error('A member has less than nothing left.')
      return 'capped'
    },
  }
}

export function grant(
  random: Random,
  {
    accountId,
    grantId,
    nowMs,
  }: { readonly accountId: string; readonly grantId: string; readonly nowMs: number },
): Deed {
  const lastsMs = random.pick([undefined, undefined, 1_000, 60_000, 3_600_000])
  const request = {
    accountId,
    grantId,
    amount: drawAmount(random),
    kind: random.pick(['purchased', 'promotional', 'courtesy'] as const),
    ...(lastsMs !== undefined && { expiresAtMs: nowMs + lastsMs }),
  }
  return {
    label: inWords('grant', request),
    async run({ gateway }) {
      try {
        const { outcome } = await gateway.credits.grant(request)
        if (outcome !== 'granted') throw new Error(`Granting ${grantId} gave ${outcome}.`)
        return outcome
      } catch (error) {
        // The clock was set ahead.
        if (error instanceof RangeError) return 'over before it was granted'
        throw error
      }
    },
  }
}

interface Correction {
  readonly accountId: string
  readonly opId: string
}

export function voidGrant(random: Random, { accountId, opId }: Correction): Deed {
  const request = {
    ...byHand,
    accountId,
    opId,
    grantId: `g${random.between(1, 3)}`,
    ...(random.chance(0.5) && { amount: drawAmount(random) }),
  }
  return {
    label: inWords('void', request),
    run: async ({ gateway }) => done(await gateway.credits.void(request)),
  }
}

export function adjust(random: Random, { accountId, opId }: Correction): Deed {
  const amount = drawAmount(random)
  const request = { ...byHand, accountId, opId, amount: random.chance(0.5) ? amount : nano(-amount) }
  return {
    label: inWords('adjust', request),
    run: async ({ gateway }) => done(await gateway.credits.adjust(request)),
  }
}

/** Gives back what one of the requests so far was charged, if any. */
export function refund(random: Random, { accountId, opId }: Correction): Deed {
  const chosen = random.below(1_000)
  const ordinal = random.pick([1, 1, 1, 2])
  const request = {
    ...byHand,
    accountId,
    opId,
    expiredCredit: random.pick(['expired', 'courtesy'] as const),
    ...(random.chance(0.3) && { amount: nano(BigInt(random.between(1, 3_000_000))) }),
  }
  let requestId: string | undefined
  return {
    label: inWords('refund', request),
    async run({ gateway, requestIds }) {
      // Whoever does it again does the same again.
      requestId ??= requestIds[chosen % Math.max(1, requestIds.length)]
      if (requestId === undefined) return 'nothing to refund'
      return done(
        await gateway.credits.refund({ ...request, requestId, attemptId: `${requestId}.${ordinal}` }),
      )
    },
  }
}

export function look(accountId: string): Deed {
  return {
    label: `look at ${accountId}`,
    async run({ gateway }) {
      const { spendable, held, overage } = await gateway.accounts.balance(accountId)
      if (spendable < 0n || held < 0n || overage.left < 0n) throw new Error('A balance is below zero.')
      return 'looked at'
    },
  }
}

/** Writes the next invoice, if its period is over. */
export function closePeriod(_random: Random, accountId: string): Deed {
  return {
    label: `close a period of ${accountId}`,
    run: async ({ gateway }) => (await gateway.invoices.close({ accountId })).outcome,
  }
}

/** Reads what was used, and adds up what was booked since somebody did. */
export function readUsage(random: Random, accountId: string, nowMs: number): Deed {
  const dayMs = 86_400_000
  const from = dayOf(nowMs - random.pick([0, 1, 31]) * dayMs)
  const to = dayOf(nowMs + random.pick([1, 31]) * dayMs)
  return {
    label: `read the usage of ${accountId} from ${from} to ${to}`,
    async run({ gateway }) {
      const { total } = await gateway.usage.query({ accountId, from, to, groupBy: ['provider'] })
      const absorbed = Object.values(total.absorbed).reduce((sum, amount) => sum + (amount ?? 0n), 0n)
      const paid = Object.values(total.paidFrom).reduce((sum, amount) => sum + (amount ?? 0n), 0n)
      if (total.cost !== total.charged + absorbed) throw new Error('Usage has costs that nobody pays.')
      if (total.charged - total.refunded !== paid) throw new Error('Usage was paid from nowhere.')
      return 'usage read'
    },
  }
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/** Every id is used for one thing, so that nothing can be in conflict. */
function done({ outcome }: { readonly outcome: string }): string {
  if (outcome === 'conflict') throw new Error('An operation was taken for another one.')
  return outcome
}

function drawAmount(random: Random): Nano {
  return random.pick([usd('0.03'), usd('0.10'), usd('1.00'), nano(BigInt(random.between(1, 90_000_000)))])
}

function inWords(verb: string, request: object): string {
  return `${verb} ${JSON.stringify(request, (_name, member) => (typeof member === 'bigint' ? `${member}n` : member))}`
}
