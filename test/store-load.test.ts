import {
  chainHash,
  createLedger,
  encodeValue,
  type Ledger,
  type LedgerStore,
  nano,
  planPreset,
  systemClock,
  usd,
} from '@farebox/core'
import { leaveStreams } from '@farebox/testkit/adapter'
import { expect, it } from 'vitest'
import { expressHost } from './express-host.ts'
import { isLong } from './stores/is-long.ts'
import { describeStores } from './stores/store-kinds.ts'

// What many requests and many lines of a journal do to a store, on every store there is.

const plans = planPreset('hf-latest')

describeStores('a store under load', (server, kind) => {
  it(
    'failure 21: locks nobody out, and needs no more connections, while members of few accounts ask and are changed',
    async () => {
      const address = await server().create()
      const before = await server().counts()
      const stores = [await server().open(address), await server().open(address)]
      const ledgers = stores.map(({ storage }) =>
        createLedger({ store: storage.ledger, plans, clock: systemClock }),
      )
      const endMs = performance.now() + 600_000
      const requestsMin = 600
      let next = 0
      let most = 0
      const work = async (ledger: Ledger): Promise<void> => {
        while (isLong ? performance.now() < endMs : next < requestsMin) {
          next += 1
          await oneOf(ledger, next)
        }
      }
      const isOver = { yes: false }
      const watching = (async () => {
        while (!isOver.yes) {
          most = Math.max(most, (await server().counts()).connections)
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      })()

      await Promise.all(ledgers.flatMap((ledger) => Array.from({ length: 32 }, () => work(ledger))))
      isOver.yes = true
      await watching

      const { deadlocks } = await server().counts()
      expect(deadlocks).toBe(before.deadlocks)
      // Four for each of the two pools of PostgreSQL; of Redis one, or one for each node and one that finds them.
      expect(most - before.connections).toBeLessThanOrEqual(8)
      const [ledger] = ledgers as [Ledger]
      for (const accountId of accountIds) {
        const { held, charged } = await ledger.balance(accountId)
        expect(held).toBe(0n)
        expect(charged).toBeGreaterThan(0n)
        expect((await ledger.audit(accountId)).findings).toEqual([])
      }
      for (const store of stores) await store.close()
    },
    isLong ? 900_000 : 120_000,
  )

  it(
    'failure 22: does not take longer for a balance or a request when the journal is long',
    async () => {
      const { storage, close } = await server().open(await server().create())
      const reading = countReads(storage.ledger)
      const ledger = createLedger({ store: reading.store, plans, clock: systemClock })
      for (const accountId of ['young', 'old']) {
        await ledger.configure({ accountId, planId: 'pro' })
        await ledger.grant({ accountId, grantId: 'g', amount: usd('1000.00') })
      }
      await lengthen(storage.ledger, 'old', isLong ? 1_000_000 : 10_000)
      reading.entries = 0

      const { young, old } = await typicalMs(ledger)

      expect(reading.entries).toBe(0)
      // Reading what is there instead would take a hundred times as long, and not reading it the same.
      expect(old.balance).toBeLessThan(5 * young.balance + 2)
      expect(old.request).toBeLessThan(5 * young.request + 5)
      await close()
    },
    isLong ? 600_000 : 120_000,
  )

  const streams = isLong ? 100_000 : 50

  it(
    `failure 23: gives back the holds, places, sockets, timers and memory of ${streams} streams that their callers left`,
    async () => {
      const { storage, close } = await server().open(await server().create())
      // Memory keeps the journal, which is the point of it.
      const heapGrowthBytesMax = kind.name === 'memory' ? streams * 20_000 + 10_000_000 : 20_000_000
      const { wrong } = await leaveStreams(expressHost, {
        storage,
        streams,
        inFlight: isLong ? 100 : 25,
        heapGrowthBytesMax,
      })
      expect(wrong).toEqual([])
      await close()
    },
    isLong ? 3_600_000 : 120_000,
  )
})

const accountIds = ['org-1', 'org-2', 'org-3', 'team-1', 'team-2']
const members = ['ada', 'bob', 'eve', 'zoe']

/** A request of a member, and now and then a change of terms or a grant between them. */
async function oneOf(ledger: Ledger, number: number): Promise<void> {
  const accountId = accountIds[number % accountIds.length] as string
  const memberId = members[Math.floor(number / accountIds.length) % members.length] as string
  if (number % 24 === 0) await ledger.configure({ accountId, planId: 'team', seats: 2 + (number % 3) })
  if (number % 41 === 0) await ledger.capMember({ accountId, memberId, cap: usd('1000.00') })
  if (number % 29 === 0) await ledger.grant({ accountId, grantId: `g${number}`, amount: usd('1.00') })
  await request(ledger, { accountId, reservationId: `r${number}`, memberId })
}

async function request(
  ledger: Ledger,
  {
    memberId,
    ...id
  }: { readonly accountId: string; readonly reservationId: string; readonly memberId?: string },
): Promise<void> {
  const member = memberId === undefined ? {} : { memberId }
  const subject = { model: 'model', costProviderIds: [], attemptsMax: 1, ...member }
  const { outcome } = await ledger.reserve({ ...id, amount: nano(5_000n), timeToLiveMs: 60_000, subject })
  // An account that has nothing yet is refused, and settles nothing.
  if (outcome !== 'reserved') return
  await ledger.settle({
    ...id,
    ...member,
    attempts: [
      {
        attemptId: `${id.reservationId}.1`,
        providerId: 'provider',
        providerModel: 'model',
        outcome: 'served',
        costSource: 'provider',
        cost: nano(3_000n),
        payer: 'customer',
      },
    ],
  })
}

/** Adds entries to a journal, as many as a year of requests leaves. */
async function lengthen(store: LedgerStore, accountId: string, entries: number): Promise<void> {
  const text = encodeValue({ kind: 'filler', text: 'x'.repeat(300) })
  for (let done = 0; done < entries; done += 2_000) {
    await store.transact(accountId, [], ({ head }) => {
      const account = head as { readonly seq: bigint; readonly chain: string }
      let { seq, chain } = account
      const append = Array.from({ length: 2_000 }, () => {
        seq += 1n
        chain = chainHash(chain, seq, text)
        return { seq, text, hash: chain }
      })
      return { result: undefined, write: { head: { ...account, seq, chain }, append } }
    })
  }
}

/**
 * The median of a balance, and of a hold with its settlement, in milliseconds. Both accounts are asked in turn, so that whatever
 * else the machine does meets both.
 */
async function typicalMs(ledger: Ledger) {
  const times = { young: { balance: [], request: [] }, old: { balance: [], request: [] } } as Record<
    'young' | 'old',
    { readonly balance: number[]; readonly request: number[] }
  >
  for (let index = 0; index < 40; index += 1) {
    for (const accountId of ['young', 'old'] as const) {
      times[accountId].balance.push(await timed(() => ledger.balance(accountId)))
      const id = { accountId, reservationId: `r${index}` }
      times[accountId].request.push(await timed(() => request(ledger, id)))
    }
  }
  const typical = ({ balance, request }: (typeof times)['old']) => ({
    balance: median(balance),
    request: median(request),
  })
  return { young: typical(times.young), old: typical(times.old) }
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await run()
  return performance.now() - startedMs
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0
}

/** The store, and how many entries of journals were read from it. */
function countReads(store: LedgerStore) {
  const reading = {
    entries: 0,
    store: {
      ...store,
      async journal(...call: Parameters<LedgerStore['journal']>) {
        const entries = await store.journal(...call)
        reading.entries += entries.length
        return entries
      },
    },
  }
  return reading
}
