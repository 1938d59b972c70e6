import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'

const usuallyWithinMs = 30_000
const stepMs = 5

/**
 * Looks again and again until `check` holds: for what happens in another process or socket, whose end nobody announces.
 *
 * The time is counted in looks, each of which lets everybody else have a turn: a process that the machine leaves standing for
 * seconds has not waited.
 *
 * @throws AssertionError that names `what` when it does not hold for `withinMs` at least, which is thirty seconds unless given.
 */
export async function eventually(
  what: string,
  check: () => boolean | Promise<boolean>,
  withinMs: number = usuallyWithinMs,
): Promise<void> {
  for (let waitedMs = 0; !(await check()); waitedMs += stepMs) {
    assert.ok(waitedMs < withinMs, `This should have happened by now: ${what}.`)
    await delay(stepMs)
  }
}
