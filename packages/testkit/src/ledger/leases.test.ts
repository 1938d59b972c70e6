import assert from 'node:assert/strict'
import { readEntry } from '@farebox/core'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { checkInvariants, readJournal } from './check-invariants.ts'
import { type Act, createLeaseWorld, type LeaseWorld } from './lease-world.ts'
import { caseStartMs } from './ledger-case.ts'
import { leaseGraceMs, leaseMs, leasePlans } from './lessees.ts'
import { give, hour, second } from './requests.ts'

/** How many histories to try; `FAREBOX_RUNS=100000` for a long search. */
const numRuns = Number(process.env['FAREBOX_RUNS'] ?? 150)

const number = fc.nat({ max: 1000 })
const anyReserve: fc.Arbitrary<Act> = fc.record({
  act: fc.constant('reserve'),
  by: number,
  amount: fc.bigInt(1n, 40n),
})
const anySettle: fc.Arbitrary<Act> = fc.record({
  act: fc.constant('settle'),
  pick: number,
  cost: fc.bigInt(0n, 44n),
})
const anyAct: fc.Arbitrary<Act> = fc.oneof(
  { weight: 8, arbitrary: anyReserve },
  { weight: 8, arbitrary: anySettle },
  { weight: 8, arbitrary: fc.record({ act: fc.constant('deliver'), pick: number }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('lose'), pick: number }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('read'), by: number }) },
  { weight: 4, arbitrary: fc.record({ act: fc.constant('wait'), ms: fc.nat({ max: second / 2 }) }) },
)
const rareAct: fc.Arbitrary<Act> = fc.oneof(
  { weight: 250, arbitrary: anyAct },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('crash'), by: number }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('wait'), ms: fc.nat({ max: 60 * second }) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('jump'), ms: fc.nat({ max: 300 * second }) }) },
)

/** From just enough for a lease on. */
const anyCredit = fc.oneof(fc.bigInt(3_000n, 5_000n), fc.bigInt(5_000n, 20_000n))

/** What every request was charged and absorbed, by the journal. */
async function booked({ storage }: LeaseWorld): Promise<Map<string, { charged: bigint; absorbed: bigint }>> {
  const found = new Map<string, { charged: bigint; absorbed: bigint }>()
  for (const { requestId, attempts } of (await readJournal(storage.ledger, 'alice')).map(readEntry)) {
    if (requestId === undefined || attempts === undefined) continue
    assert.ok(!found.has(requestId), `${requestId} was booked twice`)
    const sums = { charged: 0n, absorbed: 0n }
    for (const { charged, absorbed } of attempts) {
      sums.charged += charged
      sums.absorbed += absorbed
    }
    found.set(requestId, sums)
  }
  return found
}

/** Plays a history with leases from its beginning on, and checks what came of it. Gives how many requests they settled. */
async function play(acts: readonly Act[], credit: bigint, startMs: number): Promise<number> {
  const world = createLeaseWorld(startMs)
  const { clock, plain, storage, processes } = world
  await give(plain, 'g1', credit)
  for (let index = 0; index < 20; index += 1) await world.act({ act: 'reserve', by: index, amount: 20n })
  await world.drain()
  for (const act of acts) {
    await world.act(act)
    if (act.act === 'deliver') await checkInvariants(storage, 'alice', leasePlans)
  }
  await world.heal()
  assert.deepEqual(world.faults, [])
  clock.advance(leaseMs + leaseGraceMs + hour)
  await plain.unresolved('alice')

  await checkInvariants(storage, 'alice', leasePlans)
  assert.deepEqual((await plain.audit('alice')).findings, [])
  const balance = await plain.balance('alice')
  const books = await booked(world)
  const charged = [...books.values()].reduce((sum, each) => sum + each.charged, 0n)
  assert.deepEqual([balance.held, balance.charged, balance.spendable], [0n, charged, credit - charged])
  for (const { life, told, answered } of processes) {
    for (const [requestId, cost] of answered) {
      const books1 = books.get(requestId)
      if (life.isOver && books1 === undefined) continue
      if (cost > 0n || books1 !== undefined) {
        assert.equal((books1?.charged ?? 0n) + (books1?.absorbed ?? 0n), cost, `${requestId} cost ${cost}`)
      }
    }
    for (const receipt of told) {
      if (receipt.seq === null) continue
      assert.equal(books.get(receipt.requestId)?.charged, receipt.charged, `${receipt.requestId} was told`)
    }
  }
  const waitedMs = acts.reduce((sum, step) => sum + ('ms' in step ? step.ms : 0), 0)
  if (world.overruns() === 0 && waitedMs < leaseMs + leaseGraceMs - 30 * second) {
    assert.equal(balance.absorbed, 0n, 'a lease has promised more than it had')
  }
  return world.leased()
}

describe('processes that lease', () => {
  it('never overspend, lose or invent anything, whatever is lost, dies or comes late (failures 1, 3, 4, 16)', {
    timeout: 3_600_000,
  }, async () => {
    let leased = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(rareAct, { maxLength: 250, size: 'max' }),
        anyCredit,
        async (acts, credit) => {
          leased += await play(acts, credit, caseStartMs)
        },
      ),
      { numRuns },
    )
    assert.ok(leased > numRuns, `only ${leased} requests were paid from a lease`)
  })

  it('charge every request to the month it began in when the month ends in between', {
    timeout: 3_600_000,
  }, async () => {
    const monthEndMs = Date.UTC(2026, 11, 1)
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyAct, { maxLength: 150, size: 'max' }),
        anyCredit,
        fc.nat({ max: 90 }),
        async (acts, credit, lead) => {
          await play(acts, credit, monthEndMs - lead * second)
        },
      ),
      { numRuns: Math.ceil(numRuns / 3) },
    )
  })
})
