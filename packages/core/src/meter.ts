import type { Clock } from './clock.ts'
import { openaiErrorObject } from './dialects/openai-error.ts'
import { ByteStream } from './http/byte-stream.ts'
import type { JsonObject } from './http/json-object.ts'
import type { Operation } from './http/routes.ts'
import { encodeEvent } from './http/sse.ts'
import type { Attempt } from './metering/attempt.ts'
import { isBelievable } from './metering/believable.ts'
import { findUsage } from './metering/reply-meter.ts'
import { type CostMembers, meterStream } from './metering/stream-meter.ts'
import { formatUsd, zero } from './money.ts'
import type { Stages } from './pipeline.ts'
import type { Provider } from './providers/provider.ts'
import { rateKnown } from './rate-usage.ts'
import type { Quantities } from './usage.ts'

/** Meters an answer by its provider's own words: a whole one at once, a stream as it passes. */
export function createMeter(providers: ReadonlyMap<string, Provider>, clock: Clock): Stages['meter'] {
  return async ({ request }, { call, ownKeys }, upstream, settle) => {
    const { attempt } = upstream
    const provider = providers.get(attempt.target.providerId)
    const readUsage = (reply: unknown) => {
      const serviceTier = provider?.serviceTier?.(reply)
      if (serviceTier !== undefined) attempt.serviceTier = serviceTier
      const told = provider?.usage(reply, call)
      return told !== undefined && isBelievable(told, call, attempt.target) ? told : undefined
    }
    if (upstream.kind === 'reply' && !call.isStreaming) {
      const { reply, object, contentType } = upstream
      if (attempt.reported === undefined) {
        const told = toldBy(call.operation, reply, object)
        if (told !== undefined) attempt.reported = readUsage(told)
      }
      attempt.outcome = 'served'
      attempt.endedMs = clock.monotonicMs()
      return { kind: 'reply', attempt, reply, contentType, receipt: await settle() }
    }
    const stream = meterStream({
      upstream: upstream.kind === 'stream' ? upstream.stream : streamOf(upstream.reply),
      attempt,
      wantsUsage: call.wantsUsage,
      readUsage,
      // A provider that prices afterwards has not told a cost yet.
      costOf: (quantities) =>
        provider?.costs?.settles === 'afterwards' && !attempt.isOwnKey
          ? undefined
          : costMembers(quantities, attempt),
      hide: (ownKeys.get(attempt.target.providerId) ?? provider)?.hide,
      writeError: (error) => encodeEvent(JSON.stringify({ error: openaiErrorObject(error) })),
      signal: request.signal,
      settle: async () => {
        await settle()
      },
      monotonicMs: clock.monotonicMs,
    })
    return { kind: 'stream', attempt, stream }
  }
}

/**
 * What the caller is told in a stream, where it is sure: with the account's own key nothing, and beside it what the provider
 * will bill.
 */
function costMembers(
  quantities: Quantities,
  { target, serviceTier, isOwnKey }: Attempt,
): CostMembers | undefined {
  const rated = rateKnown(quantities, target, { serviceTier })
  if (rated.unpriced !== undefined) return undefined
  const cost = formatUsd(rated.cost)
  return isOwnKey ? { cost: formatUsd(zero), memo_cost: cost } : { cost }
}

/** What a provider reads usage from. A file of sound tells nothing: what it cost follows from what was asked. */
function toldBy(operation: Operation, reply: Buffer, object: JsonObject | undefined): unknown {
  switch (operation) {
    case 'images':
    case 'moderations':
    case 'transcriptions':
      return parseJson(reply)
    case 'speech':
      return {}
    default:
      return findUsage(reply, object)
  }
}

/** A whole event stream, for providers whose answer only exists once it is complete. */
function streamOf(reply: Buffer): ByteStream {
  const stream = new ByteStream({ onResume: () => undefined, onCancel: () => undefined })
  stream.write(reply)
  stream.end()
  return stream
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
