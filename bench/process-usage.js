/** What this process has used so far, at a moment of the clock that Node's profiles are on. */
export function processUsage() {
  const { user, system } = process.cpuUsage()
  const monotonicUs = Number(process.hrtime.bigint() / 1000n)
  return { cpuUs: user + system, rssBytes: process.memoryUsage.rss(), monotonicUs }
}
