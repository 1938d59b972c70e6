import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'

const withinMs = 10_000
const stepMs = 5

/**
 * Looks again and again until `check` holds: for what happens in another process or socket, whose end nobody announces.
 *
 * @throws AssertionError that names `what` after ten seconds.
 */
export async function eventually(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + withinMs
  while (!(await check())) {
    assert.ok(performance.now() < endMs, `This should have happened by now: ${what}.`)
    await delay(stepMs)
  }
}
