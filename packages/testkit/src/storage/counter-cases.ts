import assert from 'node:assert/strict'
import type { Taken } from '@farebox/core'
import { counterCase, one, startMs } from './counter-case.ts'
import type { StorageCase } from './storage-case.ts'

const admitted = (answers: readonly Taken[]) => answers.filter(({ isTaken }) => isTaken).length

/** What the counters of a store keep to, if it has any. */
export const counterCases: readonly StorageCase[] = [
  counterCase('counts up to the limit and not beyond it', async ({ take }) => {
    const answers: Taken[] = []
    for (let asked = 0; asked < 5; asked += 1) answers.push(await take([one('requests', 3)]))

    assert.deepEqual(
      answers.map(({ isTaken }) => isTaken),
      [true, true, true, false, false],
    )
    assert.deepEqual(
      answers.map(({ counts }) => counts[0]),
      [
        { before: 0, taken: 1 },
        { before: 1, taken: 1 },
        { before: 2, taken: 1 },
        { before: 3, taken: 0 },
        { before: 3, taken: 0 },
      ],
    )
  }),

  counterCase('admits exactly as many of a burst as the limit has room for', async ({ take, total }) => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => take([one('requests', 17)])))

    assert.equal(admitted(answers), 17)
    assert.equal(await total('requests'), 17)
  }),

  counterCase('counts a refused request nowhere, whichever limit refused it', async (context) => {
    const { take, total, totalHeld } = context
    await take([one('wide', 100), one('narrow', 1)])
    for (const counts of [
      [one('wide', 100), one('narrow', 1)],
      [one('narrow', 1), one('wide', 100)],
      [one('wide', 100), one('narrow', 1), one('held', 5, { holder: 'r' })],
    ]) {
      const { isTaken, counts: found } = await take(counts)
      assert.equal(isTaken, false)
      assert.ok(found.every(({ taken }) => taken === 0))
    }

    assert.deepEqual([await total('wide'), await total('narrow'), await totalHeld('held')], [1, 1, 0])
  }),

  counterCase(
    'lets a burst against several limits through as far as the narrowest allows',
    async (context) => {
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          context.take([one('wide', 30), one('narrow', 11), one('held', 20, { holder: `r${index}` })]),
        ),
      )

      assert.equal(admitted(answers), 11)
      for (const name of ['wide', 'narrow']) assert.equal(await context.total(name), 11)
      assert.equal(await context.totalHeld('held'), 11)
    },
  ),

  counterCase('takes as much as there is room for, if that is enough', async ({ take, total }) => {
    const tokens = (amount: number, least: number) => one('tokens', 100, { amount, least })

    assert.deepEqual((await take([tokens(70, 10)])).counts, [{ before: 0, taken: 70 }])
    assert.deepEqual(await take([tokens(70, 31)]), { isTaken: false, counts: [{ before: 70, taken: 0 }] })
    assert.deepEqual((await take([tokens(70, 30)])).counts, [{ before: 70, taken: 30 }])
    assert.deepEqual((await take([tokens(0, 0)])).isTaken, true)
    assert.equal(await total('tokens'), 100)
  }),

  counterCase(
    'never lets a burst take more than the limit, whatever each would like',
    async ({ take, total }) => {
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          take([one('tokens', 1000, { amount: 10 + index * 7, least: 10 })]),
        ),
      )

      const taken = answers.reduce((sum, { counts }) => sum + (counts[0]?.taken ?? 0), 0)
      assert.ok(taken <= 1000 && taken > 990, `${taken} of 1000 were taken`)
      assert.equal(await total('tokens'), taken)
    },
  ),

  counterCase('counts large numbers exactly', async ({ take, total }) => {
    const limit = 2 ** 50
    await take([one('tokens', limit, { amount: limit - 1, least: 1 })])

    assert.equal(await total('tokens'), limit - 1)
    assert.equal((await take([one('tokens', limit)])).isTaken, true)
    assert.equal((await take([one('tokens', limit)])).isTaken, false)
  }),

  counterCase(
    'begins every window at nothing, and leaves the one before as it is',
    async ({ take, total }) => {
      const first = [one('requests@1', 1)]
      const second = [one('requests@2', 1, { untilMs: startMs + 120_000 })]
      const nowMs = startMs + 60_000

      assert.equal((await take(first)).isTaken, true)
      assert.equal((await take(first)).isTaken, false)
      assert.equal((await take(second, { nowMs })).isTaken, true)
      assert.equal((await take(second, { nowMs })).isTaken, false)
      // A process whose clock is behind still counts in the window that is over elsewhere.
      assert.equal((await take(first)).isTaken, false)
      assert.equal(await total('requests@1'), 1)
    },
  ),

  counterCase('corrects the window that was taken from, and no other', async ({ counters, take, total }) => {
    await take([one('tokens@1', 100, { amount: 80 })])
    await take([one('tokens@2', 100, { amount: 50 })])
    await counters.giveBack({ accountId: 'alice', counts: [{ name: 'tokens@1', amount: 60 }] })

    assert.deepEqual([await total('tokens@1'), await total('tokens@2')], [20, 50])
    assert.equal((await take([one('tokens@1', 100, { amount: 80, least: 80 })])).isTaken, true)
  }),

  counterCase('takes more than the limit when more was used', async ({ counters, take, total }) => {
    await take([one('tokens', 100, { amount: 80 })])
    await counters.giveBack({ accountId: 'alice', counts: [{ name: 'tokens', amount: -50 }] })

    assert.equal(await total('tokens'), 130)
    assert.equal((await take([one('tokens', 100)])).isTaken, false)
    assert.equal((await take([one('tokens', 100, { amount: 0, least: 0 })])).isTaken, false)
  }),

  counterCase('neither falls below zero nor makes a counter by giving back', async (context) => {
    const { counters, take, total, totalHeld } = context
    await take([one('tokens', 100, { amount: 5 })])
    await counters.giveBack({ accountId: 'alice', counts: [{ name: 'tokens', amount: 50 }] })
    await counters.giveBack({
      accountId: 'alice',
      counts: [
        { name: 'never', amount: -50 },
        { name: 'never held', amount: 1, holder: 'r' },
      ],
    })

    assert.deepEqual([await total('tokens'), await total('never'), await totalHeld('never held')], [0, 0, 0])
  }),

  counterCase(
    'frees what a holder gives back, once, and nobody else',
    async ({ counters, take, totalHeld }) => {
      const slot = (holder: string) => [one('slots', 2, { holder, untilMs: startMs + 1_000 })]
      assert.equal((await take(slot('a'))).isTaken, true)
      assert.equal((await take(slot('b'))).isTaken, true)
      assert.equal((await take(slot('c'))).isTaken, false)
      for (let times = 0; times < 3; times += 1) {
        await counters.giveBack({
          accountId: 'alice',
          counts: [{ name: 'slots', amount: 1, holder: 'a' }],
        })
      }

      assert.equal(await totalHeld('slots'), 1)
      assert.equal((await take(slot('c'))).isTaken, true)
      assert.equal((await take(slot('d'))).isTaken, false)
    },
  ),

  counterCase('frees what a holder never gave back when its time is over', async ({ take, totalHeld }) => {
    const slot = (holder: string, untilMs: number) => [one('slots', 2, { holder, untilMs })]
    await take(slot('dead', startMs + 1_000))
    await take(slot('alive', startMs + 5_000))

    assert.equal((await take(slot('c', startMs + 9_000), { nowMs: startMs + 999 })).isTaken, false)
    assert.equal(await totalHeld('slots', { nowMs: startMs + 1_000 }), 1)
    assert.equal((await take(slot('c', startMs + 9_000), { nowMs: startMs + 1_000 })).isTaken, true)
    assert.equal((await take(slot('d', startMs + 9_000), { nowMs: startMs + 1_000 })).isTaken, false)
    assert.equal(await totalHeld('slots', { nowMs: startMs + 5_000 }), 1)
  }),

  counterCase('keeps accounts, names and kinds apart', async ({ take, total }) => {
    const names = ['a', 'A', 'a ', 'a:b', 'a/b', "'", '"', '%', '{a}', 'ä', '😀', 'n'.repeat(512)]
    for (const [index, name] of names.entries()) {
      await take([one(name, 1000, { amount: index + 1 })])
    }
    await take([one('a', 1000, { amount: 500 })], { accountId: 'bob' })
    await take([one('a', 1000, { amount: 300 })], { accountId: 'ali' })

    for (const [index, name] of names.entries()) assert.equal(await total(name), index + 1, name)
    assert.equal(await total('a', { accountId: 'bob' }), 500)
    assert.equal(await total('a', { accountId: 'ali' }), 300)
    assert.equal(await total('cea', { accountId: 'ali' }), 0)
  }),

  counterCase('takes and gives back at the same time without losing either', async (context) => {
    const { counters, take } = context
    await take([one('tokens', 10_000, { amount: 5_000 })])
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        index % 2 === 0
          ? take([
              one('tokens', 10_000, { amount: 30, least: 30 }),
              one('slots', 100, { holder: `r${index}` }),
            ])
          : counters.giveBack({ accountId: 'alice', counts: [{ name: 'tokens', amount: 10 }] }),
      ),
    )

    assert.equal(await context.total('tokens'), 5_000 + 20 * 30 - 20 * 10)
    assert.equal(await context.totalHeld('slots'), 20)
  }),

  counterCase('takes from sixteen counters at once', async ({ take, total, totalHeld }) => {
    const counts = Array.from({ length: 16 }, (_, index) =>
      one(`n${index}`, 5, index % 2 === 0 ? {} : { holder: 'r' }),
    )
    assert.equal((await take(counts)).isTaken, true)
    assert.equal((await take(counts.map((count) => ({ ...count, limit: 1 })))).isTaken, false)

    for (const { name, holder } of counts) {
      assert.equal(holder === undefined ? await total(name) : await totalHeld(name), 1, name)
    }
  }),
]
