import type { GatewayEvent } from '../events.ts'

/**
 * An event as the body of a delivery: `{ type, timestamp, data }`. Amounts, and every other bigint, become text of digits. A
 * type has underscores where the event's kind has dashes, as Standard Webhooks recommends.
 */
export function webhookPayload(event: GatewayEvent, nowMs: number): string {
  // The cause of a failed settlement may quote the host's SQL or addresses, which are nobody else's business.
  const { kind, cause: _cause, ...data } = event as GatewayEvent & { readonly cause?: unknown }
  return JSON.stringify(
    { type: kind.replaceAll('-', '_'), timestamp: new Date(nowMs).toISOString(), data },
    (_name, member: unknown) => (typeof member === 'bigint' ? member.toString() : member),
  )
}
