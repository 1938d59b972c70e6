import { createHmac } from 'node:crypto'

/**
 * The `Stripe-Signature` header of a webhook: HMAC-SHA256 over `<seconds>.<body>`
 * (https://docs.stripe.com/webhooks/signature, read 2026-11-25).
 */
export function signWebhook(body: string, secret: string, atMs: number): string {
  const seconds = Math.floor(atMs / 1000)
  const signature = createHmac('sha256', secret).update(`${seconds}.${body}`, 'utf8').digest('hex')
  return `t=${seconds},v1=${signature}`
}
