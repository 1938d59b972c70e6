import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'

const usuallyWithinMs = 10_000
const stepMs = 5

/**
 * Looks again and again until `check` holds: for what happens in another process or socket, whose end nobody announces.
 *
 * @throws AssertionError that names `what` after `withinMs`, which is ten seconds unless given.
 */
export async function eventually(
  what: string,
  check: () => boolean | Promise<boolean>,
  withinMs: number = usuallyWithinMs,
): Promise<void> {
  const endMs = performance.now() + withinMs
  while (!(await check())) {
    assert.ok(performance.now() < endMs, `This should have happened by now: ${what}.`)
    await delay(stepMs)
  }
}
