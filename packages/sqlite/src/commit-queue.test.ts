import type { Call } from '@farebox/core/batching'
import { expect, it } from 'vitest'
import { commitQueue } from './commit-queue.ts'

const call: Call = {
  accountId: 'alice',
  keys: [],
  reduce: () => ({ result: 0 }),
  dueBy: 0,
  dueMax: 0,
}

it('leaves the lock alone now and then while another connection writes too', async () => {
  const commitsAtMs: number[] = []
  const queue = commitQueue({
    busyTimeoutMs: 1000,
    run(calls) {
      commitsAtMs.push(performance.now())
      return { outcomes: calls.map(() => ({ kind: 'decided', result: 0 })), isShared: true }
    },
  })

  const endMs = performance.now() + 250
  while (performance.now() < endMs) await queue.add(call)

  const gapsMs = commitsAtMs.slice(1).map((atMs, index) => atMs - (commitsAtMs[index] ?? atMs))
  expect(gapsMs.filter((gapMs) => gapMs > 4).length).toBeGreaterThanOrEqual(2)
})
