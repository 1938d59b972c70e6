import {
  type Clock,
  createGateway,
  fakeClock,
  type Gateway,
  type JournalEntry,
  memoryStorage,
  type Nano,
  OutcomeUnknown,
  planPreset,
  type Storage,
  Unavailable,
  usd,
} from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'
import { sqlite } from '@farebox/sqlite'
import { createPayments, type Payments, type PaymentsOptions } from '@farebox/stripe'
import { checkInvariants } from '@farebox/testkit/ledger'
import { type StripeEvent, type StripeSimulator, startStripeSimulator } from '@farebox/testkit/stripe'
import Database from 'libsql'

export const storageNames = ['memory', 'sqlite'] as const
export type StorageName = (typeof storageNames)[number]

/** What goes wrong in the store: nothing was applied, or it was and nobody knows. */
export type StoreFault = 'down' | 'unknown'

/** A gateway with payments, a simulated Stripe behind them, and a store that can fail. */
export interface Shop {
  readonly gateway: Gateway
  readonly payments: Payments
  readonly stripe: StripeSimulator
  readonly clock: ReturnType<typeof fakeClock>
  /** Asked about every step of the store, by its number from 1. */
  failStore(plan: ((number: number) => StoreFault | undefined) | undefined): void
  storeSteps(): number
  /** A checkout of $10.00, not yet paid. */
  order(accountId: string): Promise<string>
  /** Hands an event over as Stripe does, and gives the status of the answer. A fault is a 500. */
  deliver(event: StripeEvent): Promise<number>
  purchased(accountId: string): Promise<Nano>
  entries(accountId: string): Promise<readonly JournalEntry[]>
  checkInvariants(accountId: string): Promise<void>
  close(): Promise<void>
}

export async function openShop(
  storageName: StorageName,
  options: Partial<PaymentsOptions> = {},
): Promise<Shop> {
  const clock = fakeClock(Date.UTC(2026, 10, 22))
  // The ledger asks again after an outcome it does not know; nobody waits for that here. What recurs waits for its minute.
  const hasty: Clock = {
    ...clock,
    after(delayMs, task) {
      if (delayMs >= 1000) return clock.after(delayMs, task)
      queueMicrotask(task)
      return () => undefined
    },
  }
  const stripe = await startStripeSimulator({ clock })
  const database = storageName === 'sqlite' ? new Database(':memory:') : undefined
  const storage = database === undefined ? memoryStorage({ clock }) : sqlite(database, { clock })
  const { flaky, failStore, storeSteps } = failing(storage)
  const plans = planPreset('hf-2026-02-04')
  const gateway = createGateway({
    providers: [openaiCompatible({ id: 'any', baseUrl: 'http://127.0.0.1:9' })],
    authenticate: () => undefined,
    storage: flaky,
    plans,
    clock: hasty,
  })
  const payments = createPayments({
    gateway,
    apiKey: 'sk_test_1',
    webhookSecret: stripe.webhookSecret,
    successUrl: 'https://example.com/paid',
    cancelUrl: 'https://example.com/credit',
    packs: [{ packId: 'ten', amount: usd('10.00') }],
    // Thousands of calls: without sockets. Faults of sockets have tests of their own.
    connection: { ...stripe.connection, httpClient: stripe.httpClient },
    clock,
    ...options,
  })
  return {
    gateway,
    payments,
    stripe,
    clock,
    failStore,
    storeSteps,
    async order(accountId) {
      const result = await payments.checkout({ accountId, packId: 'ten' })
      if (result.outcome !== 'created') throw new Error(result.outcome)
      return result.sessionId
    },
    async deliver(event) {
      const { body, signature } = stripe.sign(event)
      return payments.handleWebhook({ rawBody: body, signature }).then(
        ({ status }) => status,
        () => 500,
      )
    },
    purchased: async (accountId) => (await gateway.accounts.balance(accountId)).purchased,
    entries: (accountId) => gateway.accounts.journal({ accountId }),
    async checkInvariants(accountId) {
      await checkInvariants(storage, accountId, plans)
    },
    async close() {
      await gateway.close()
      await stripe.close()
      database?.close()
    },
  }
}

function failing({ ledger, ...rest }: Storage) {
  let plan: (number: number) => StoreFault | undefined = () => undefined
  let steps = 0
  const flaky: Storage = {
    ...rest,
    ledger: {
      ...ledger,
      async transact(...call) {
        steps += 1
        const fault = plan(steps)
        if (fault === 'down') throw new Unavailable('The store is down.')
        const result = await ledger.transact(...call)
        if (fault === 'unknown') throw new OutcomeUnknown('The store went away.')
        return result
      },
    },
  }
  const failStore: Shop['failStore'] = (next) => {
    plan = next ?? (() => undefined)
  }
  return { flaky, failStore, storeSteps: () => steps }
}
