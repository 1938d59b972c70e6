import { nano, usd } from '@farebox/core'

/**
 * What callers, people and programs of a host do to accounts, mixed: most of it on few accounts, some on many. Every caller
 * does one thing after another; what it was told is counted, so that it can be compared with the books.
 */

/** Accounts that half of everything is about. */
const hotAccounts = 5
const members = Array.from({ length: 12 }, (_, index) => `member-${index}`)
const models = ['example-org/small', 'example-org/large', 'example-org/vision']
const planIds = ['free', 'pro', 'team']
const outcomesCounted = new Set([
  'reserved',
  'insufficient',
  'settled',
  'refunded',
  'granted',
  'voided',
  'adjusted',
])

export function accountId(number) {
  return `account-${number}`
}

/** Tells what a caller did and was told. `errors` should stay empty. */
export function createTally() {
  return { operations: {}, outcomes: {}, errors: {}, charged: new Map(), refunded: new Map(), slowestMs: {} }
}

/**
 * Runs operations, one after another, until `isOver`.
 *
 * @param random a source of numbers from 0 to 1
 */
export async function callUntil(isOver, { ledger, accounts, random, name, tally }) {
  const recent = []
  const context = { ledger, random, tally, recent, name, next: 0, pick: accountPicker(accounts, random) }
  while (!isOver()) {
    const operation = drawOperation(random)
    const startedMs = performance.now()
    try {
      const outcome = await operations[operation].run(context)
      if (outcomesCounted.has(outcome)) count(tally.outcomes, outcome)
    } catch (error) {
      const { cause } = error
      count(tally.errors, `${operation}: ${error.message}${cause ? ` (${cause.message})` : ''}`)
    }
    count(tally.operations, operation)
    const tookMs = Math.round(performance.now() - startedMs)
    tally.slowestMs[operation] = Math.max(tally.slowestMs[operation] ?? 0, tookMs)
  }
}

function count(counts, name) {
  counts[name] = (counts[name] ?? 0) + 1
}

function addTo(sums, account, amount) {
  sums.set(account, (sums.get(account) ?? 0n) + amount)
}

/** Half of all picks are hot, three in ten follow Zipf's law, the rest are any account at all. */
function accountPicker(accounts, random) {
  const shares = new Float64Array(accounts)
  let sum = 0
  for (let rank = 0; rank < accounts; rank += 1) {
    sum += 1 / (rank + 1)
    shares[rank] = sum
  }
  return () => {
    const kind = random()
    if (kind < 0.5) return accountId(Math.floor(random() * hotAccounts))
    if (kind >= 0.8) return accountId(Math.floor(random() * accounts))
    const target = random() * sum
    let [low, high] = [0, accounts - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (shares[middle] < target) low = middle + 1
      else high = middle
    }
    return accountId(low)
  }
}

/** How often each is done, in parts of a hundred or so, and what it does. `run` gives the outcome. */
const operations = {
  request: { weight: 62, run: request },
  balance: {
    weight: 8,
    run: ({ ledger, pick }) => ledger.balance(pick()),
  },
  memberBalance: {
    weight: 3,
    run: ({ ledger, pick, random }) =>
      ledger.memberBalance({ accountId: pick(), memberId: one(members, random) }),
  },
  receipt: {
    weight: 4,
    async run({ ledger, recent, random }) {
      const settled = one(recent, random)
      if (settled === undefined) return
      const receipt = await ledger.receipt(settled.accountId, settled.reservationId)
      if (receipt === undefined) throw new Error('a receipt is missing')
    },
  },
  settleAgain: {
    weight: 2,
    async run({ ledger, recent, random }) {
      const settled = one(recent, random)
      if (settled === undefined) return
      const { accountId, reservationId, charged } = settled
      const again = await ledger.settle({ accountId, reservationId, attempts: [] })
      if (again.receipt?.charged !== charged) throw new Error('a repeat was told something else')
    },
  },
  grant: {
    weight: 4,
    async run(context) {
      const { ledger, pick } = context
      const amount = usd('0.50')
      return (await ledger.grant({ accountId: pick(), grantId: idOf(context), amount })).outcome
    },
  },
  grantAndVoid: {
    weight: 2,
    async run(context) {
      const { ledger, pick } = context
      const grantId = idOf(context)
      const accountId = pick()
      await ledger.grant({ accountId, grantId, amount: usd('0.10'), kind: 'promotional' })
      return (await ledger.voidGrant({ accountId, grantId, ...byHand(context) })).outcome
    },
  },
  adjust: {
    weight: 2,
    async run(context) {
      const amount = nano(context.random() < 0.5 ? 1_000n : -1_000n)
      return (await context.ledger.adjust({ accountId: context.pick(), amount, ...byHand(context) })).outcome
    },
  },
  refund: {
    weight: 4,
    async run(context) {
      const { ledger, recent, random, tally } = context
      const settled = one(recent, random)
      if (settled === undefined) return
      const { accountId, reservationId: requestId, attemptId } = settled
      const request = { accountId, requestId, attemptId, ...byHand(context) }
      const result = await ledger.refund({ ...request, amount: nano(100n) })
      if (result.outcome === 'refunded') addTo(tally.refunded, accountId, result.amount)
      return result.outcome
    },
  },
  configure: {
    weight: 3,
    async run({ ledger, pick, random }) {
      const seats = 1 + Math.floor(random() * 5)
      await ledger.configure({ accountId: pick(), planId: one(planIds, random), seats })
    },
  },
  capMember: {
    weight: 2,
    async run({ ledger, pick, random }) {
      await ledger.capMember({ accountId: pick(), memberId: one(members, random), cap: usd('1000.00') })
    },
  },
  usage: {
    weight: 2,
    async run({ ledger, pick }) {
      const accountId = pick()
      await ledger.statements.fold(accountId, 1000)
      const day = new Date().toISOString().slice(0, 10)
      await ledger.statements.usage(accountId, [{ day, page: 0 }])
    },
  },
  export: {
    weight: 1,
    async run({ ledger, pick }) {
      const accountId = pick()
      const { exported } = await ledger.exportState(accountId, 'mixed')
      const last = (await ledger.storedJournal(accountId, exported, 500)).at(-1)
      if (last !== undefined) await ledger.acknowledge(accountId, 'mixed', last.seq)
    },
  },
  lookAfter: {
    weight: 1,
    run: ({ ledger, pick }) => ledger.unresolved(pick()),
  },
}

const weightSum = Object.values(operations).reduce((sum, { weight }) => sum + weight, 0)

function drawOperation(random) {
  let left = random() * weightSum
  for (const [name, { weight }] of Object.entries(operations)) {
    left -= weight
    if (left < 0) return name
  }
  return 'request'
}

const recentMax = 200

/** A request as the pipeline makes it: a hold, sometimes a longer one, and a settlement. */
async function request(context) {
  const { ledger, pick, random, tally, recent } = context
  const accountId = pick()
  const reservationId = idOf(context)
  const member = random() < 0.5 ? {} : { memberId: one(members, random) }
  const subject = { model: one(models, random), costProviderIds: [], attemptsMax: 2, ...member }
  const amount = nano(20_000n)
  const held = await ledger.reserve({ accountId, reservationId, amount, timeToLiveMs: 120_000, subject })
  if (held.outcome !== 'reserved') return held.outcome
  if (random() < 0.05)
    await ledger.extend({ accountId, reservationId, ordinal: 1, amount: nano(5_000n), timeToLiveMs: 1000 })
  const attempts = attemptsOf(reservationId, subject.model, random)
  const settled = await ledger.settle({ accountId, reservationId, ...member, attempts })
  if (settled.outcome !== 'settled') throw new Error(`a hold was lost: ${settled.outcome}`)
  const { charged } = settled.receipt
  addTo(tally.charged, accountId, charged)
  const attemptId = attempts.at(-1)?.attemptId
  if (charged > 0n && attemptId !== undefined) {
    const place = recent.length < recentMax ? recent.length : Math.floor(random() * recentMax)
    recent[place] = { accountId, reservationId, attemptId, charged }
  }
  return 'settled'
}

/** None for one in twenty, which gives everything back; a failed one before the one that served for one in ten. */
function attemptsOf(reservationId, model, random) {
  if (random() < 0.05) return []
  const attempt = (ordinal, outcome) => ({
    attemptId: `${reservationId}.${ordinal}`,
    providerId: ordinal === 1 ? 'first' : 'second',
    providerModel: model,
    outcome,
    usage: { quantities: { input_token: 210n, output_token: 190n }, certainty: 'exact' },
    costSource: 'price-book',
    priceVersion: 'bench',
    cost: nano(BigInt(1_000 + Math.floor(random() * 15_000))),
    payer: outcome === 'served' ? 'customer' : 'operator',
  })
  return random() < 0.1 ? [attempt(1, 'failed'), attempt(2, 'served')] : [attempt(1, 'served')]
}

function one(list, random) {
  return list[Math.floor(random() * list.length)]
}

function idOf(context) {
  context.next += 1
  return `${context.name}-${context.next}`
}

function byHand(context) {
  return { opId: idOf(context), actor: 'bench', reason: 'a mixed load' }
}
