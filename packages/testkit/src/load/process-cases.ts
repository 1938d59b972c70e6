import assert from 'node:assert/strict'
import { type LoadCase, loadCase } from './load-case.ts'
import { accountOf, type CountTask } from './task.ts'
import { startWorkers, stopWorkers, type Worker } from './workers.ts'

const endless = 1_000_000

/** What holds when a process is killed, for stores that outlive it. */
export const processCases: readonly LoadCase[] = [
  loadCase(
    'failure 19: keeps everything a process had answered when it is killed in the middle of writing',
    async ({ place, address, open }) => {
      const inFlight = 16
      const [victim] = startWorkers(place, 1) as [Worker]
      try {
        await victim.prepare(address, counting(endless, inFlight))
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
      const workers = startWorkers(place, 4)
      const [guest, ...busy] = workers as [Worker, ...Worker[]]
      try {
        await Promise.all([
          guest.prepare(address, counting(20, 1)),
          ...busy.map((worker) => worker.prepare(address, counting(endless, 64))),
        ])
        for (const worker of busy) worker.begin()
        await Promise.all(busy.map((worker) => worker.reached(1)))

        guest.begin()
        await guest.reached(10)
        await busy[0]?.kill()
        await guest.finished()
      } finally {
        await stopWorkers(workers)
      }
      assert.equal(guest.lines.length, 20)
      const totals = workers.flatMap(({ lines }) => lines)
      assert.equal(new Set(totals).size, totals.length)
    },
  ),
]

function counting(times: number, inFlight: number): CountTask {
  return { kind: 'count', times, inFlight }
}
