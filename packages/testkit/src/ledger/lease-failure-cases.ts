import assert from 'node:assert/strict'
import { createLedger, type LedgerStore, OutcomeUnknown, Unavailable } from '@farebox/core'
import { caseStartMs, type LedgerCase } from './ledger-case.ts'
import {
  charges,
  leaseCase,
  leaseGraceMs,
  leaseMs,
  leasePlans,
  leasesOf,
  lessee,
  request,
  until,
  warm,
} from './lessees.ts'
import { give, holdOf, readHead, reserved, second } from './requests.ts'

/** Leases when the store fails, and when a process dies, sleeps or is cut off. */
export const leaseFailureCases: readonly LedgerCase[] = [
  leaseCase('failure 4: writes a checkpoint once whose replies were lost', async (context) => {
    let losses = 0
    const lossy = (inner: LedgerStore): LedgerStore => ({
      ...inner,
      async transact(...call) {
        const result = await inner.transact(...call)
        if (losses === 0) return result
        losses -= 1
        throw new OutcomeUnknown('The connection broke.')
      },
    })
    const { ledger, told } = lessee(context, 'a', lossy)
    await give(context.ledger, 'g1', 100_000n)
    const sent = await warm(ledger, 'w')
    for (let index = 0; index < 10; index += 1) await request(ledger, `r${index}`)
    reserved(await ledger.reserve(holdOf('open', 100n)))
    losses = 2
    let charged: bigint | undefined
    const reading = ledger.balance('alice').then((balance) => {
      charged = balance.charged
    })
    await until(() => {
      context.clock.advance(10)
      return charged !== undefined
    }, 'the store answers')
    await reading

    assert.deepEqual([charged, losses], [30n * BigInt(10 + sent), 0])
    assert.equal((await charges(context)).size, 10 + sent)
    const ids = told.map(({ requestId }) => requestId)
    assert.equal(new Set(ids).size, 11)
    assert.ok(told.every(({ seq }) => seq !== null))
  }),

  leaseCase('failure 4: goes on while the store is down, until the lease is too old', async (context) => {
    const { clock } = context
    let isDown = false
    const { ledger, failures } = lessee(context, 'a', (inner) => ({
      ...inner,
      async transact(...call) {
        if (isDown) throw new Unavailable('The store is down.')
        return inner.transact(...call)
      },
    }))
    await give(context.ledger, 'g1', 100_000n)
    const sent = await warm(ledger, 'w')
    await ledger.balance('alice')
    isDown = true
    for (let index = 0; index < 5; index += 1) {
      clock.advance(second)
      assert.equal((await request(ledger, `r${index}`)).isUnwritten, true)
    }
    await assert.rejects(ledger.balance('alice'), { code: 'store_unavailable' })
    clock.advance(leaseMs)
    await assert.rejects(ledger.reserve(holdOf('too-late', 1n)), { code: 'store_unavailable' })
    isDown = false
    const { charged, absorbed } = await ledger.balance('alice')

    assert.deepEqual([charged, absorbed], [30n * BigInt(sent + 5), 0n])
    assert.ok(failures.length > 0)
  }),

  leaseCase('gives what a dead process had leased back when nobody can use it any more', async (context) => {
    const { clock, store } = context
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 100_000n)
    await warm(ledger, 'w')
    const written = (await ledger.balance('alice')).charged
    // What happens from here on is lost with the process: at most what its lease pays.
    await request(ledger, 'lost')
    const [mark] = (await readHead(store)).leases ?? []
    assert.ok(mark !== undefined)
    assert.equal(mark.expiresAtMs, caseStartMs + leaseMs + leaseGraceMs)
    clock.set(mark.expiresAtMs - 1)
    assert.equal(await leasesOf(store), 1)
    const other = createLedger({ store, plans: leasePlans, clock })
    assert.ok((await other.balance('alice')).held > 0n)
    clock.set(mark.expiresAtMs)
    reserved(await other.reserve(holdOf('next', 100_000n - written)))
    assert.equal(await leasesOf(store), 0)
    assert.equal(await other.receipt('alice', 'lost'), undefined)
  }),

  leaseCase(
    'charges what a process tells of that was silent for too long, as far as credit goes',
    async (context) => {
      const { clock, store } = context
      const { ledger, told } = lessee(context, 'a')
      await give(context.ledger, 'g1', 10_000n)
      const sent = await warm(ledger, 'w')
      const before = (await ledger.balance('alice')).charged
      for (let index = 0; index < 3; index += 1) await request(ledger, `r${index}`)
      // The store's clock runs away while the process is stopped, and somebody else takes all but 50.
      clock.set(caseStartMs + leaseMs + leaseGraceMs)
      const other = createLedger({ store, plans: leasePlans, clock })
      reserved(await other.reserve(holdOf('rest', 10_000n - before - 50n)))
      const balance = await ledger.balance('alice')

      assert.deepEqual([balance.charged - before, balance.absorbed, balance.spendable], [50n, 40n, 0n])
      const late = told.slice(-3).map(({ charged, absorbed }) => [charged, absorbed])
      assert.deepEqual(late, [
        [30n, 0n],
        [20n, 10n],
        [0n, 30n],
      ])
      assert.equal((await charges(context)).size, sent + 3)
      await ledger.close()
    },
  ),

  leaseCase('pays nothing from a lease that is too old on the process’ own clock', async (context) => {
    const { clock } = context
    const { ledger } = lessee(context, 'a', (inner) => inner)
    await give(context.ledger, 'g1', 100_000n)
    await warm(ledger, 'w')
    let isDown = false
    const down = lessee(context, 'b', (inner) => ({
      ...inner,
      transact: (...call) => (isDown ? new Promise(() => {}) : inner.transact(...call)),
    }))
    await warm(down.ledger, 'v')
    isDown = true
    clock.advance(leaseMs - second)
    const last = reserved(await down.ledger.reserve(holdOf('in-time', 10n)))
    assert.equal(last.amount, 10n)
    clock.advance(second)
    const asked = await Promise.race([
      down.ledger.reserve(holdOf('too-late', 10n)),
      new Promise((resolve) => setTimeout(resolve, 20, 'asked the store')),
    ])
    assert.equal(asked, 'asked the store')
  }),
]
