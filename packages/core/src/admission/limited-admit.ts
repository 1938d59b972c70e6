import type { Attempt } from '../metering/attempt.ts'
import { countTokens } from '../rate-usage.ts'
import type { Admission, Admit } from './admit.ts'
import type { Limiter } from './limiter.ts'

/**
 * Counts a request against its rate limits before any money is held. Where nothing limits a payer, the request is admitted as
 * if there were no such thing.
 */
export function limitedAdmit(admit: Admit, limiter: Limiter): Admit {
  const admitCounted = async (...[request, plan]: Parameters<Limiter['take']>): Promise<Admission> => {
    const counted = await limiter.take(request, plan)
    if (counted === undefined) return admit(request)
    const { call } = request
    const { outputTokens } = counted
    try {
      if (outputTokens === undefined) return { ...(await admit(request)), counted }
      const bounded = { ...call, outputTokensMax: outputTokens }
      const admission = await admit({ ...request, call: bounded })
      const isLowered = call.outputTokensMax === undefined || outputTokens < call.outputTokensMax
      return {
        ...admission,
        call,
        loweredTo: admission.loweredTo ?? (isLowered ? outputTokens : undefined),
        counted,
      }
    } catch (error) {
      // It was not served: it counts as a request, and has used nothing.
      await limiter.end(counted, 0)
      throw error
    }
  }
  return (request) => {
    const plan = limiter.planOf(request.payer)
    if (plan === undefined) return admit(request)
    return plan instanceof Promise
      ? plan.then((limits) => admitCounted(request, limits))
      : admitCounted(request, plan)
  }
}

/** Ends a request with its limits too. Neither waits for the other, and the answer for both: what comes next finds it corrected. */
export function limitedSettle<R>(
  settle: (admission: Admission, attempts: readonly Attempt[]) => Promise<R>,
  limiter: Limiter,
): (admission: Admission, attempts: readonly Attempt[]) => Promise<R> {
  return (admission, attempts) => {
    const settling = settle(admission, attempts)
    const { counted } = admission
    if (counted === undefined) return settling
    const ending = limiter.end(counted, tokensUsed(attempts))
    return settling.then((result) => ending.then(() => result))
  }
}

/**
 * Tokens that a request used as far as its limits are concerned: what was served. An answer that broke off may have used all
 * that was taken for it: `undefined`.
 */
function tokensUsed(attempts: readonly Attempt[]): number | undefined {
  const last = attempts.at(-1)
  if (last === undefined || last.outcome === 'failed') return 0
  if (last.reported === undefined || (last.outcome !== 'served' && !last.isReportFinal)) return undefined
  return Number(countTokens(last.reported, 'input') + countTokens(last.reported, 'output'))
}
