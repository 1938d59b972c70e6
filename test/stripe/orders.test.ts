import type { StripeEvent, StripeFault } from '@farebox/testkit/stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Move, orders, relevantEvents, type Scenario, scenarios } from './scenarios.ts'
import { openShop, type Shop, type StoreFault, storageNames } from './shop.ts'

/**
 * Memory plays every order there is. The order of deliveries is no matter of the store, so SQLite plays every seventeenth.
 */
const strides = { memory: 1, sqlite: 17 } as const

describe.each(storageNames)('on %s', (storageName) => {
  let shop: Shop
  let accounts = 0
  beforeEach(async () => {
    shop = await openShop(storageName)
  })
  afterEach(() => shop.close())

  /** A payment by an account of its own, to which nothing has happened yet. */
  async function order() {
    accounts += 1
    const accountId = `account-${accounts}`
    return { accountId, world: { stripe: shop.stripe, sessionId: await shop.order(accountId) } }
  }

  async function play(scenario: Scenario, moves: readonly Move[]): Promise<void> {
    const { accountId, world } = await order()
    const told: StripeEvent[] = []
    for (const { step, isDelivery } of moves) {
      if (isDelivery) expect(await shop.deliver(of(told, step))).toBe(200)
      else told[step] = happen(shop, () => scenario.steps[step]?.(world)).at(-1) as StripeEvent
    }
    await expectRight(shop, accountId, scenario)
  }

  /** All that happens has happened; its events, the last of each step. */
  async function happened(scenario: Scenario) {
    const { accountId, world } = await order()
    const events = scenario.steps.map((step) => happen(shop, () => step(world)))
    return { accountId, events: events.map((each) => of(each, each.length - 1)), all: events.flat() }
  }

  /** Hands events over, and those that were not taken again after the others, as Stripe does. Gives how many failed. */
  async function deliverAll(events: readonly StripeEvent[]): Promise<number> {
    const queue = [...events]
    let failed = 0
    for (let event = queue.shift(); event !== undefined; event = queue.shift()) {
      if ((await shop.deliver(event)) === 200) continue
      failed += 1
      expect(failed).toBeLessThan(100)
      queue.push(event)
    }
    return failed
  }

  it.each(scenarios)(
    'failure 29: credit is right after $name, whenever and in whichever order its events arrive',
    async (scenario) => {
      let number = 0
      for (const moves of orders(scenario.steps.length, scenario.times)) {
        number += 1
        if (number % strides[storageName] === 0 || number === 1) await play(scenario, moves)
      }
      expect(number).toBe(scenario.orders)
    },
  )

  it.each(scenarios)(
    'failure 29: credit is right after $name when every event comes three times at once',
    async (scenario) => {
      const { accountId, all } = await happened(scenario)
      const statuses = await Promise.all(
        [...all, ...all.toReversed(), ...all].map((event) => shop.deliver(event)),
      )
      expect(new Set(statuses)).toEqual(new Set([200]))
      await expectRight(shop, accountId, scenario)
      expect(await shop.gateway.audit(accountId)).toMatchObject({ isSound: true })
    },
  )

  const failing = scenarios.filter(({ isKey }) => isKey)

  it.each(failing)(
    'failure 29: credit is right after $name, whichever call of Stripe fails and however',
    async (scenario) => {
      const faults: readonly StripeFault[] = ['error', 'lost']
      for (const [index, inOrder] of [...permutations(scenario.steps.length)].entries()) {
        if (index % 2 === 1 && storageName === 'sqlite') continue
        for (const fault of faults) {
          for (let number = 1; ; number += 1) {
            const { accountId, events } = await happened(scenario)
            const at = shop.stripe.calls.length + number
            shop.stripe.fault((call) => (call.number === at ? fault : undefined))
            const failed = await deliverAll(inOrder.map((place) => of(events, place)))
            shop.stripe.fault(undefined)
            await expectRight(shop, accountId, scenario)
            // Behind the last call nothing fails any more.
            if (failed === 0) break
            expect(failed).toBe(1)
          }
        }
      }
    },
  )

  it.each(failing)(
    'failure 29: credit is right after $name, whichever step of the store fails and however',
    async (scenario) => {
      const faults: readonly StoreFault[] = ['down', 'unknown']
      for (const inOrder of permutations(scenario.steps.length)) {
        for (const fault of faults) {
          const { accountId: first, events: calm } = await happened(scenario)
          const before = shop.storeSteps()
          await deliverAll(inOrder.map((place) => of(calm, place)))
          const steps = shop.storeSteps() - before
          await expectRight(shop, first, scenario)
          for (let number = 1; number <= steps; number += 1) {
            const { accountId, events } = await happened(scenario)
            const at = shop.storeSteps() + number
            shop.failStore((step) => (step === at ? fault : undefined))
            const failed = await deliverAll(inOrder.map((place) => of(events, place)))
            shop.failStore(undefined)
            // What the store does not know the ledger asks again by itself.
            expect(failed).toBe(fault === 'down' ? 1 : 0)
            await expectRight(shop, accountId, scenario)
          }
        }
      }
    },
  )

  it.each(failing)(
    'failure 29: credit is right after $name when the store was down for all of it',
    async (scenario) => {
      const { accountId, all } = await happened(scenario)
      shop.failStore(() => 'down')
      for (const event of all) expect(await shop.deliver(event)).toBe(500)
      shop.failStore(undefined)
      await deliverAll(all.toReversed())
      await expectRight(shop, accountId, scenario)
    },
  )
})

/** The relevant events of what `step` does. */
function happen(shop: Shop, step: () => void): readonly StripeEvent[] {
  const before = shop.stripe.events.length
  step()
  return relevantEvents(shop.stripe.events.slice(before))
}

async function expectRight(shop: Shop, accountId: string, { purchased }: Scenario): Promise<void> {
  expect(await shop.purchased(accountId)).toBe(purchased)
  const entries = await shop.entries(accountId)
  const bought = entries.filter(({ kind, opId }) => kind === 'granted' && opId.startsWith('grant:stripe:pi_'))
  expect(bought.length).toBeLessThanOrEqual(1)
  if (purchased > 0n) expect(bought).toHaveLength(1)
  await shop.checkInvariants(accountId)
}

function of<T>(values: readonly T[], index: number): T {
  const value = values[index]
  if (value === undefined) throw new Error(`There is nothing at ${index}.`)
  return value
}

function* permutations(length: number, chosen: readonly number[] = []): Generator<readonly number[]> {
  if (chosen.length === length) yield chosen
  for (let place = 0; place < length; place += 1) {
    if (!chosen.includes(place)) yield* permutations(length, [...chosen, place])
  }
}
