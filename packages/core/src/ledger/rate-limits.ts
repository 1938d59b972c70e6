/** How much may be asked for in a while. What is absent is not limited. Each is a whole number from 1 to 10^12. */
export type RateLimits = {
  /** In every minute of the clock, and in every hour. */
  readonly requestsPerMinute?: number
  readonly requestsPerHour?: number
  /** Input and output together, cached ones included, in every minute of the clock. */
  readonly tokensPerMinute?: number
  /** Under way at once. */
  readonly concurrentRequests?: number
}

export type RateLimitName = keyof RateLimits

export const rateLimitNames: readonly RateLimitName[] = [
  'requestsPerMinute',
  'requestsPerHour',
  'tokensPerMinute',
  'concurrentRequests',
]

const limitMost = 1e12

/** @throws RangeError for a limit that is unknown, or no whole number of at least 1. `where` names them. */
export function checkRateLimits(limits: RateLimits, where: string): void {
  for (const [name, limit] of Object.entries(limits) as [RateLimitName, unknown][]) {
    if (!rateLimitNames.includes(name)) {
      throw new RangeError(`${where} has no "${name}" to limit. There are: ${rateLimitNames.join(', ')}.`)
    }
    if (limit === undefined) continue
    if (!Number.isSafeInteger(limit) || (limit as number) < 1 || (limit as number) > limitMost) {
      throw new RangeError(
        `${where}.${name} must be a whole number from 1 to 10^12, not ${String(limit)}. Leave it out for no limit.`,
      )
    }
  }
}

/** Whether anything is limited at all. */
export function hasLimits(limits: RateLimits | undefined): limits is RateLimits {
  return limits !== undefined && rateLimitNames.some((name) => limits[name] !== undefined)
}
