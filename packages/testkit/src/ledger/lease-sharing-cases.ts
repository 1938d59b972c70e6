import assert from 'node:assert/strict'
import { caseStartMs, type LedgerCase, type LedgerContext } from './ledger-case.ts'
import { charges, leaseCase, leasesOf, lessee, request, until, warm } from './lessees.ts'
import { day, give, holdOf, refused, reserved, second, served, settled } from './requests.ts'

/** How processes that lease share the credit of an account, and give back what they do not need. */
export const leaseSharingCases: readonly LedgerCase[] = [
  leaseCase(
    'failure 1: serves exactly as many as the credit pays for, from three processes',
    async (context) => {
      const { clock } = context
      const processes = ['a', 'b', 'c'].map((name) => lessee(context, name))
      const [a, b] = processes as [ReturnType<typeof lessee>, ReturnType<typeof lessee>]
      await give(context.ledger, 'g1', 30n * 2000n)
      await warm(a.ledger, 'a')
      await warm(b.ledger, 'b')
      assert.equal(await leasesOf(context.store), 2)
      const sent = (await charges(context)).size
      const stop = keepTicking(clock)
      let refusals = 0
      await Promise.all(
        processes.map(async ({ ledger }, index) => {
          for (let turn = 0; turn < 1000; turn += 1) {
            const id = `p${index}-${turn}`
            const result = await ledger.reserve(holdOf(id, 30n))
            if (result.outcome !== 'reserved') {
              assert.equal(refused(result).missing > 0n, true)
              refusals += 1
              if (refusals > 30) return
              continue
            }
            settled(await ledger.settle({ accountId: 'alice', reservationId: id, attempts: [served(30n)] }))
          }
        }),
      )
      await Promise.all(processes.map(({ ledger }) => ledger.close()))
      stop()

      assert.ok(sent > 0)
      assert.equal((await charges(context)).size, 2000)
      const balance = await context.ledger.balance('alice')
      assert.deepEqual([balance.spendable, balance.held, balance.absorbed], [0n, 0n, 0n])
    },
  ),

  leaseCase('leases nothing again soon after credit had to be asked back', async (context) => {
    const { clock, store } = context
    const a = lessee(context, 'a')
    const b = lessee(context, 'b')
    await give(context.ledger, 'g1', 10_000n)
    await warm(a.ledger, 'w')
    const { spendable } = await context.ledger.balance('alice')
    const stop = keepTicking(clock)
    reserved(await b.ledger.reserve(holdOf('large', spendable + 10n)))
    stop()
    assert.equal(await leasesOf(store), 0)
    const recalledAtMs = clock.now()
    await give(context.ledger, 'g2', 1_000_000n)
    for (let index = 0; index < 30; index += 1) await request(b.ledger, `r${index}`)
    assert.equal(await leasesOf(store), 0)
    clock.advance(30 * second - (clock.now() - recalledAtMs))
    await warm(b.ledger, 'v')
    assert.equal(await leasesOf(store), 1)
  }),

  leaseCase('gives a lease back that nobody uses', async (context) => {
    const { clock, store } = context
    const { ledger } = lessee(context, 'a')
    await give(context.ledger, 'g1', 100_000n)
    await warm(ledger, 'w')
    const stop = keepTicking(clock)
    await until(async () => (await leasesOf(store)) === 0, 'the lease is given back')
    stop()
    assert.equal((await context.ledger.balance('alice')).held, 0n)
    assert.ok(clock.now() < caseStartMs + day)
  }),
]

/** Lets time go by, also for timers that begin meanwhile, until it is told to stop. */
function keepTicking(clock: LedgerContext['clock']): () => void {
  const timer = setInterval(() => clock.advance(second / 4), 4)
  return () => clearInterval(timer)
}
