/** The shortest wait that passes at once. Clients wait longer before they retry; the timers of Node's own HTTP do not. */
const waitMsMin = 1_000
/** The longest: what clients wait for longer is an answer. */
const waitMsMax = 60_000

/**
 * Lets a client retry without the wait before it, and tells how long that would have been, in milliseconds. A client in a
 * process of its own, such as a program, waits as long as it likes; that is added.
 *
 * Timers of the whole process are hurried, so that nothing else may go on meanwhile.
 */
export async function hurried<T>(
  run: () => Promise<T>,
): Promise<{ readonly value: T; readonly waitedMs: number }> {
  const timer = globalThis.setTimeout
  const startMs = performance.now()
  let skippedMs = 0
  const inAHurry = (task: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]) => {
    const isWait = delayMs >= waitMsMin && delayMs <= waitMsMax
    if (isWait) skippedMs += delayMs
    return timer(task, isWait ? 0 : delayMs, ...args)
  }
  globalThis.setTimeout = Object.assign(inAHurry, timer)
  try {
    const value = await run()
    return { value, waitedMs: skippedMs + performance.now() - startMs }
  } finally {
    globalThis.setTimeout = timer
  }
}
