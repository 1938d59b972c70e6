export type { StripeCall, StripeFault } from './api.ts'
export type { Payment } from './checkout.ts'
export type { Dispute, Invoice, Refund, Session, StripeEvent } from './objects.ts'
export {
  type StripeSimulator,
  type StripeSimulatorOptions,
  startStripeSimulator,
} from './stripe-simulator.ts'
