import { createHmac, hash } from 'node:crypto'

/** What a receiver checks a delivery by. */
export interface WebhookHeaders {
  readonly 'webhook-id': string
  readonly 'webhook-timestamp': string
  readonly 'webhook-signature': string
}

export interface Signed {
  /** The same for every attempt of one event. */
  readonly id: string
  /** When this attempt is made, in milliseconds since 1970 UTC. */
  readonly nowMs: number
  readonly body: string
}

/**
 * Signs a delivery as Standard Webhooks 1.0.0 says (github.com/standard-webhooks/standard-webhooks, spec, 2026-11-25): HMAC-SHA256
 * over id, whole seconds and body, one signature for each secret.
 */
export function signWebhook(secrets: readonly Buffer[], { id, nowMs, body }: Signed): WebhookHeaders {
  const timestamp = String(Math.floor(nowMs / 1000))
  const signatures = secrets.map(
    (secret) => `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
  )
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  }
}

/**
 * Reads a secret as it is shown to people: `whsec_` and the base64 of its bytes.
 *
 * @throws RangeError when it is not that, or not of 24 to 64 bytes. The message does not repeat it.
 */
export function readWebhookSecret(secret: string): Buffer {
  const [, base64 = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? []
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.length < 24 || bytes.length > 64) {
    throw new RangeError(
      'A webhook secret is "whsec_" and the base64 of 24 to 64 random bytes. Make one with ' +
        `node -p "'whsec_' + crypto.randomBytes(32).toString('base64')".`,
    )
  }
  return bytes
}

/** Spreads retries: a number from 0 up to 1 that differs by delivery and attempt, the same for the same ones. */
export function spread(id: string, attempt: number): number {
  return Number.parseInt(hash('sha256', `${id}.${attempt}`).slice(0, 8), 16) / 2 ** 32
}
