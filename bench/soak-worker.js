import { parentPort } from 'node:worker_threads'
import { simulate } from '@farebox/testkit/simulation'

// A rejection that nobody handles ends the worker, and the main thread with it: that would be a fault of the gateway too.
parentPort?.on('message', async ({ from, to }) => {
  const counts = new Map()
  const failed = []
  for (let seed = from; seed < to; seed += 1) {
    try {
      const report = await simulate(seed)
      for (const [what, times] of report.counts) counts.set(what, (counts.get(what) ?? 0) + times)
    } catch (error) {
      failed.push({ seed, message: error.message })
    }
  }
  parentPort?.postMessage({ counts, failed })
})
