import assert from 'node:assert/strict'
import { type LoadCase, loadCase } from './load-case.ts'
import { startWorkers, type Worker } from './start-workers.ts'
import { accountOf, type CountTask } from './task.ts'

const endless = 1_000_000

/** What holds when a process is killed, for stores that outlive it. */
export const processCases: readonly LoadCase[] = [
  loadCase(
    'failure 19: keeps everything a process had answered when it is killed in the middle of writing',
    async ({ place, address, open }) => {
      const inFlight = 16
      const [victim] = await startWorkers(place, address, [counting(endless, inFlight)])
      assert.ok(victim)
      try {
        victim.begin()
        await victim.reached(300)
      } finally {
        await victim.kill()
      }

      const { storage } = await open()
      const stored = await storage.ledger.transact(accountOf(0), [], ({ head }) => ({ result: Number(head) }))
      const answered = Math.max(...victim.lines.map(Number))
      assert.ok(stored >= answered, `${answered} was answered, and ${stored} is stored`)
      assert.ok(stored <= answered + inFlight, `${stored} is stored, and ${answered} was the last answer`)
    },
  ),

  loadCase(
    'failure 1: gives a process its turn while three others write without a pause, also when one is killed',
    async ({ place, address }) => {
      const guests = [counting(30, 1), counting(30, 1)]
      const busy = [1, 2, 3].map(() => counting(endless, 64))
      const workers = await startWorkers(place, address, [...guests, ...busy])
      const [first, second, ...others] = workers as [Worker, Worker, ...Worker[]]
      try {
        for (const other of others) other.begin()
        await Promise.all(others.map((other) => other.reached(1)))

        first.begin()
        await first.finished()
        await others[0]?.kill()
        second.begin()
        await second.finished()

        assert.deepEqual([first.lines.length, second.lines.length], [30, 30])
        const totals = workers.flatMap(({ lines }) => lines)
        assert.equal(new Set(totals).size, totals.length)
      } finally {
        await Promise.all(workers.map((worker) => worker.kill()))
      }
    },
  ),
]

function counting(times: number, inFlight: number): CountTask {
  return { kind: 'count', times, inFlight }
}
