import { memoryStorage, usd } from '@farebox/core'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import type { Command } from './command.ts'
import type { LedgerSubject } from './ledger-case.ts'
import { members } from './model/member.ts'
import { playCommands } from './play-commands.ts'
import { day, hour, minute, second } from './requests.ts'

const memory: LedgerSubject = { createStore: async (clock) => memoryStorage({ clock }) }

/** How many histories to try; `FAREBOX_RUNS=100000` for a long search. */
const numRuns = Number(process.env['FAREBOX_RUNS'] ?? 250)

/** Few ids, so that they meet again; round amounts, so that sums meet limits. */
const holdId = fc.constantFrom('r1', 'r2', 'r3', 'r4', 'r5')
const grantId = fc.constantFrom('g1', 'g2', 'g3', 'g4', 'g5')
const amount = fc.oneof(
  fc.constantFrom(0n, 1n, usd('0.01'), usd('0.05'), usd('0.10'), usd('0.50'), usd('1.00'), usd('2.00')),
  fc.bigInt(0n, usd('2.50')),
)
const positive = amount.map((each) => each + 1n)
const timeToLiveMs = fc.constantFrom(0, second, minute, 10 * minute, 40 * day)

const configure: fc.Arbitrary<Command> = fc.record(
  {
    do: fc.constant('configure' as const),
    planId: fc.constantFrom('bare', 'metered', 'free', 'pro', 'team', 'prorated', 'additive', 'pool'),
    seats: fc.integer({ min: 1, max: 4 }),
    limit: fc.oneof(fc.constant(null), amount),
    memberCap: fc.oneof(fc.constant(null), amount),
    anchor: fc.constantFrom(null, 1, 10, 11, 15, 28, 29, 30, 31),
  },
  { requiredKeys: ['do', 'planId'] },
)

const cap: fc.Arbitrary<Command> = fc.record({
  do: fc.constant('cap' as const),
  member: fc.constantFrom(...members),
  cap: fc.oneof(fc.constant(null), fc.constant('none' as const), amount, amount),
})

const grant: fc.Arbitrary<Command> = fc.record(
  {
    do: fc.constant('grant' as const),
    id: grantId,
    amount: positive,
    kind: fc.constantFrom('purchased', 'promotional', 'courtesy'),
    priority: fc.constantFrom(1, 10, 20, 50),
    startsInMs: fc.constantFrom(-hour, 0, 0, minute, day),
    lastsMs: fc.constantFrom(null, null, 1, minute, hour, 40 * day),
  },
  { requiredKeys: ['do', 'id', 'amount', 'kind', 'startsInMs', 'lastsMs'] },
)

const key = fc.option(
  fc.record({
    id: fc.constantFrom('k1', 'k2'),
    cap: amount,
    per: fc.constantFrom('period' as const, 'lifetime' as const),
  }),
  { nil: undefined },
)

const reserve: fc.Arbitrary<Command> = fc
  .record({
    do: fc.constant('reserve' as const),
    id: holdId,
    amount,
    share: fc.constantFrom(0n, 50n, 100n, 100n),
    timeToLiveMs,
    traceable: fc.boolean(),
    member: fc.constantFrom(undefined, ...members),
    key,
  })
  .map(({ share, member, key: asked, ...command }) => ({
    ...command,
    minimum: (command.amount * share) / 100n,
    ...(member !== undefined && { member }),
    ...(asked !== undefined && { key: asked }),
  }))

const extend: fc.Arbitrary<Command> = fc.record({
  do: fc.constant('extend' as const),
  id: holdId,
  ordinal: fc.constantFrom(1, 1, 1, 2, 3),
  amount,
  timeToLiveMs,
})

const settle: fc.Arbitrary<Command> = fc.record(
  {
    do: fc.constant('settle' as const),
    id: holdId,
    cost: fc.oneof({ weight: 9, arbitrary: amount }, { weight: 1, arbitrary: fc.constant(null) }),
    failedCost: fc.constantFrom(null, null, 0n, 7n),
    late: fc.constantFrom([2 as const], [2 as const], [1 as const], [1 as const, 2 as const]),
  },
  { requiredKeys: ['do', 'id', 'cost', 'failedCost'] },
)

const reconcile: fc.Arbitrary<Command> = fc.record({
  do: fc.constant('reconcile' as const),
  id: holdId,
  attempt: fc.constantFrom(1, 2, 2, 2),
  cost: fc.oneof({ weight: 9, arbitrary: amount }, { weight: 1, arbitrary: fc.constant(null) }),
})

const opId = fc.integer({ min: 1, max: 30 }).map((id) => `o${id}`)

const byHand: fc.Arbitrary<Command> = fc.oneof(
  fc.record(
    {
      do: fc.constant('void' as const),
      op: opId,
      id: fc.oneof(
        grantId,
        fc.constantFrom('incl:2026-11:2000000000', 'incl:2026-12:100000000', 'op:1:o1', 'op:1:o2'),
      ),
      amount: positive,
    },
    { requiredKeys: ['do', 'op', 'id'] },
  ),
  fc.record({
    do: fc.constant('adjust' as const),
    op: opId,
    amount: fc.oneof(
      positive,
      positive.map((each) => -each),
    ),
  }),
  ...[1, 2, 3].map(() =>
    fc.record(
      {
        do: fc.constant('refund' as const),
        op: opId,
        id: holdId,
        attempt: fc.constantFrom(1, 2, 2, 2),
        amount: positive,
        courtesy: fc.boolean(),
      },
      { requiredKeys: ['do', 'op', 'id', 'attempt', 'courtesy'] },
    ),
  ),
)

const time: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    do: fc.constant('wait' as const),
    byMs: fc.constantFrom(
      1,
      second,
      29 * second,
      minute,
      10 * minute,
      31 * minute,
      hour,
      day,
      -second,
      -hour,
      -40 * day,
    ),
  }),
  fc.record({ do: fc.constant('period-end' as const), byMs: fc.constantFrom(-1, 0, 0, 1, minute) }),
)

const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 2, arbitrary: configure },
  { weight: 1, arbitrary: cap },
  { weight: 2, arbitrary: grant },
  { weight: 5, arbitrary: reserve },
  { weight: 2, arbitrary: extend },
  { weight: 4, arbitrary: settle },
  { weight: 3, arbitrary: reconcile },
  { weight: 4, arbitrary: byHand },
  { weight: 1, arbitrary: fc.constant({ do: 'close' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'look-after' as const }) },
  { weight: 3, arbitrary: time },
)

/** A request from its hold to its refund, with other things between the steps: a life that random steps rarely have. */
const life: fc.Arbitrary<Command[]> = fc
  .tuple(holdId, reserve, fc.option(extend), settle, fc.option(reconcile), fc.array(byHand, { maxLength: 2 }))
  .chain(([id, ...steps]) =>
    fc.tuple(
      ...steps
        .flat()
        .filter((step) => step !== null)
        .map((step) => fc.tuple(fc.constant(of(step, id)), fc.array(anyCommand, { maxLength: 1 }))),
    ),
  )
  .map((steps) => steps.flat(2))

/** The same step about this request. */
function of(command: Command, id: string): Command {
  return command.do === 'void' || !('id' in command) ? command : { ...command, id }
}

/** A history in which some steps are sent twice, as clients and networks do. */
const history: fc.Arbitrary<Command[]> = fc
  .array(
    fc.tuple(
      fc.oneof(
        anyCommand.map((each) => [each]),
        life,
      ),
      fc.constantFrom(1, 1, 1, 1, 2),
    ),
    {
      minLength: 1,
      maxLength: 10,
      size: 'max',
    },
  )
  .map((steps) =>
    steps.flatMap(([commands, times]) => commands.flatMap((each) => Array<Command>(times).fill(each))),
  )

describe('the ledger and a model of it, step by step', () => {
  it.each<[string, Command[]]>([
    [
      'a hold that nobody looked after for a day',
      [
        { do: 'grant', id: 'g1', amount: 10n, kind: 'purchased', startsInMs: 0, lastsMs: null },
        { do: 'reserve', id: 'r1', amount: 10n, minimum: 10n, timeToLiveMs: minute, traceable: true },
        { do: 'wait', byMs: day },
        { do: 'reserve', id: 'r2', amount: 10n, minimum: 10n, timeToLiveMs: minute, traceable: true },
        { do: 'settle', id: 'r1', cost: 4n, failedCost: null },
        { do: 'settle', id: 'r2', cost: 12n, failedCost: 1n },
      ],
    ],
    [
      'a month end under a hold, and a clock that goes back over it',
      [
        { do: 'configure', planId: 'free' },
        { do: 'period-end', byMs: -1 },
        { do: 'reserve', id: 'r1', amount: usd('0.06'), minimum: 0n, timeToLiveMs: hour, traceable: false },
        { do: 'period-end', byMs: 0 },
        { do: 'configure', planId: 'pro' },
        { do: 'wait', byMs: -second },
        { do: 'settle', id: 'r1', cost: usd('0.09'), failedCost: null },
        {
          do: 'reserve',
          id: 'r2',
          amount: usd('2.00'),
          minimum: usd('2.00'),
          timeToLiveMs: 0,
          traceable: false,
        },
      ],
    ],
    [
      'a wait for a cost that ended before the invoice of its period, and that only the invoice noticed',
      [
        { do: 'reserve', id: 'r1', amount: 0n, minimum: 0n, timeToLiveMs: 0, traceable: false },
        { do: 'settle', id: 'r1', cost: 1n, failedCost: null, late: [2] },
        { do: 'period-end', byMs: 1 },
        { do: 'close' },
        { do: 'reconcile', id: 'r1', attempt: 2, cost: 0n },
      ],
    ],
  ])('agree on %s', async (_name, commands) => {
    for (const policy of ['waive', 'charge-estimate'] as const) await playCommands(memory, commands, policy)
  })

  it('agree on every answer, balance and counter of random histories', { timeout: 3_600_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.constantFrom('waive', 'charge-estimate'), (commands, policy) =>
        playCommands(memory, commands, policy),
      ),
      { numRuns, includeErrorInReport: true },
    )
  })
})
