#!/usr/bin/env node
import { systemClock } from '@farebox/core'
import { run } from './run.ts'

const controller = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    // Asked twice: whatever is still going on is not worth waiting for.
    if (controller.signal.aborted) process.exit(130)
    controller.abort(new Error(`Interrupted by ${name}.`))
  })
}
// Whoever reads our output may stop reading, as `head` does.
process.stdout.on('error', () => process.exit(0))

const code = await run({
  args: process.argv.slice(2),
  folder: process.cwd(),
  out: process.stdout,
  error: process.stderr,
  signal: controller.signal,
  clock: systemClock,
})
// A host's module may have left timers and connections behind, so the process does not end by itself.
process.stdout.write('', () => process.exit(code))
