import assert from 'node:assert/strict'
import { type Cut, type Decision, isOutcomeUnknown, isUnavailable, type LedgerStore } from '@farebox/core'
import { eventually } from '../adapter/eventually.ts'
import type { TcpProxy } from '../servers/tcp-proxy.ts'

/** A kind of store behind a network. */
export interface NetworkSubject {
  /** Makes an empty store whose way to its server, or its servers, can be made long or cut. */
  create(): Promise<NetworkPlace>
}

export interface NetworkPlace {
  readonly proxy: TcpProxy
  /** The store as a process of its own has it, through the proxy. The times are the store's own where they are left out. */
  open(options?: NetworkOptions): Promise<LedgerStore>
  /** Closes everything that was opened here, and the proxy. */
  close(): Promise<void>
}

export interface NetworkOptions {
  /** In milliseconds, as the store has it. */
  readonly waitTimeoutMs?: number
  /** In milliseconds, as the store has it. */
  readonly answerTimeoutMs?: number
}

/** One rule about a store behind a network. `run` rejects when the rule is broken. */
export interface NetworkCase {
  /** The rule, in a sentence. */
  readonly name: string
  run(subject: NetworkSubject): Promise<void>
}

/** What is promised when the way to the server is long, or ends. */
export const networkCases: readonly NetworkCase[] = [
  networkCase(
    'failure 20: calls of one account share commits while the way to the server is long',
    async (place) => {
      const store = await place.open()
      await store.transact('alice', [], increment)
      place.proxy.delay(100)
      const before = place.proxy.asked()

      const results = await Promise.all(
        Array.from({ length: 200 }, () => store.transact('alice', [], increment)),
      )

      assert.equal(new Set(results).size, 200)
      // One way there and back for all of them, and no second one, unless the time on the way was taken for a wrong clock.
      const asked = place.proxy.asked() - before
      assert.ok(asked <= 3, `The server was asked ${asked} times for 200 calls.`)
      place.proxy.delay(0)
      assert.equal(await store.transact('alice', [], look), 201)
    },
  ),

  networkCase(
    'failure 20: bounds the wait for a server that does not answer, and writes nothing twice afterwards',
    async (place) => {
      const store = await place.open({ answerTimeoutMs: 1_000, waitTimeoutMs: 500 })
      await store.transact('alice', [], increment)
      place.proxy.swallow(true)

      await assert.rejects(store.transact('alice', [], increment), isOutcomeUnknown)
      await assert.rejects(store.transact('alice', [], look), isUnavailable)
      place.proxy.swallow(false)
      await eventually('the store is back', async () => (await lookOrNot(store)) === 1)
      assert.equal(await store.transact('alice', [], increment), 2)
    },
  ),

  networkCase(
    'failure 5: does not know the outcome when the connection is lost before the answer, and finds what was applied',
    async (place) => {
      const store = await place.open()
      await store.transact('alice', [], increment)
      place.proxy.cutNextAnswer()

      await assert.rejects(store.transact('alice', [], increment), isOutcomeUnknown)
      assert.equal(await store.transact('alice', [], look), 2)
      assert.equal(await store.transact('alice', [], increment), 3)
    },
  ),

  networkCase('is unavailable to who only looks when the connection is lost', async (place) => {
    const store = await place.open()
    await store.transact('alice', [], increment)
    place.proxy.cutNextAnswer()

    await assert.rejects(store.transact('alice', [], look), isUnavailable)
    assert.equal(await store.transact('alice', [], look), 1)
  }),

  networkCase('decides anew when another process was faster', async (place) => {
    const [mine, other] = [await place.open(), await place.open()]
    await mine.transact('alice', [], increment)
    await other.transact('alice', [], increment)
    let runs = 0

    const total = await mine.transact('alice', [], (cut) => {
      runs += 1
      return increment(cut)
    })

    assert.deepEqual([total, runs], [3, 2])
  }),

  networkCase('does not believe that a record is absent that another process has written', async (place) => {
    const [mine, other] = [await place.open(), await place.open()]
    const create = (cut: Cut): Decision<string> =>
      cut.records.has('op')
        ? { result: 'repeated' }
        : { result: 'booked', write: { head: 1, put: [{ key: 'op', value: 1, mode: 'create' }] } }
    await other.transact('alice', ['op'], create)
    // Knows the head now, but not the record.
    await mine.transact('alice', [], increment)

    assert.equal(await mine.transact('alice', ['op'], create), 'repeated')
    const put = [{ key: 'op', value: 9, mode: 'create' as const }]
    await assert.rejects(
      mine.transact('alice', [], () => ({ result: 0, write: { head: 9, put } })),
      { name: 'Conflict' },
    )
  }),

  networkCase('failure 20: does not let more than 10,000 calls wait', async (place) => {
    const store = await place.open()
    const calls = Array.from({ length: 10_000 }, () => store.transact('alice', [], look))

    await assert.rejects(store.transact('alice', [], look), isUnavailable)
    await Promise.all(calls)
    assert.equal(await store.transact('alice', [], look), null)
  }),
]

function networkCase(name: string, check: (place: NetworkPlace) => Promise<void>): NetworkCase {
  return {
    name,
    async run(subject) {
      const place = await subject.create()
      try {
        await check(place)
      } finally {
        await place.close()
      }
    },
  }
}

function increment(cut: Cut): Decision<number> {
  const count = Number(cut.head ?? 0) + 1
  return { result: count, write: { head: count } }
}

function look(cut: Cut): Decision<Cut['head']> {
  return { result: cut.head }
}

function lookOrNot(store: LedgerStore): Promise<Cut['head'] | undefined> {
  return store.transact('alice', [], look).catch(() => undefined)
}
