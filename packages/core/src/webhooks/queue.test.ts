import { describe, expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import { type AttemptOutcome, createWebhookQueue, type Delivery, type WebhookQueueOptions } from './queue.ts'

const delivered: AttemptOutcome = { kind: 'delivered' }
const refused: AttemptOutcome = { kind: 'failed', reason: 'refused', status: 500 }

/** A queue whose attempts come out as `answers` say, one after another, the last one for ever. */
function queueOf(answers: readonly AttemptOutcome[], bounds: Partial<WebhookQueueOptions> = {}) {
  const clock = fakeClock(0)
  const attempts: { readonly id: string; readonly atMs: number }[] = []
  const dropped: { readonly id: string; readonly reason: string; readonly status: number | undefined }[] = []
  const queue = createWebhookQueue({
    clock,
    queueMax: 100,
    inFlightMax: 4,
    attemptsMax: 8,
    attempt: async ({ id }) => {
      attempts.push({ id, atMs: clock.monotonicMs() })
      return answers[Math.min(attempts.length, answers.length) - 1] as AttemptOutcome
    },
    onDropped: ({ id }, reason, status) => dropped.push({ id, reason, status }),
    ...bounds,
  })
  return { queue, clock, attempts, dropped }
}

const delivery = (id: string): Delivery => ({ id, kind: 'alert.threshold', body: '{}', attempts: 0 })

/** Lets what has been answered be looked at. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

async function advance(clock: ReturnType<typeof fakeClock>, ms: number): Promise<void> {
  clock.advance(ms)
  await turn()
}

describe('the queue of a webhook', () => {
  it('sends at once, and only once when it arrives', async () => {
    const { queue, clock, attempts, dropped } = queueOf([delivered])
    queue.add(delivery('a'))
    await advance(clock, 24 * 3_600_000)
    expect(attempts).toEqual([{ id: 'a', atMs: 0 }])
    expect(dropped).toEqual([])
  })

  it('tries again after pauses that grow from five seconds to an hour, and gives up after so many attempts', async () => {
    const { queue, clock, attempts, dropped } = queueOf([refused])
    queue.add(delivery('a'))
    for (let second = 0; second < 5 * 3600; second += 1) await advance(clock, 1000)

    expect(attempts).toHaveLength(8)
    const pauses = attempts.slice(1).map(({ atMs }, index) => atMs - (attempts[index]?.atMs ?? 0))
    for (const [index, seconds] of [5, 30, 120, 600, 1800, 3600, 3600].entries()) {
      expect(pauses[index]).toBeGreaterThanOrEqual(seconds * 750)
      expect(pauses[index]).toBeLessThanOrEqual(seconds * 1250 + 2000)
    }
    expect(dropped).toEqual([{ id: 'a', reason: 'refused', status: 500 }])
  })

  it('does not let what failed together come back together', async () => {
    const { queue, clock, attempts } = queueOf([refused], { inFlightMax: 50 })
    for (let index = 0; index < 50; index += 1) queue.add(delivery(`msg_${index}`))
    await turn()
    for (let step = 0; step < 700; step += 1) await advance(clock, 10)
    const seconds = attempts.slice(50).map(({ atMs }) => Math.floor(atMs / 500))
    expect(new Set(seconds).size).toBeGreaterThanOrEqual(4)
  })

  it('lets what waits hold up nothing else', async () => {
    const { queue, attempts } = queueOf([refused, delivered], { inFlightMax: 1 })
    queue.add(delivery('a'))
    queue.add(delivery('b'))
    await turn()
    expect(attempts.map(({ id }) => id)).toEqual(['a', 'b'])
  })

  it('has no more on its way at once than it may', async () => {
    let answers: ((outcome: AttemptOutcome) => void)[] = []
    const { queue, dropped } = queueOf([], {
      inFlightMax: 2,
      attempt: () => new Promise((resolve) => answers.push(resolve)),
    })
    for (const id of ['a', 'b', 'c']) queue.add(delivery(id))
    expect(answers).toHaveLength(2)
    const [first] = answers
    answers = []
    first?.(delivered)
    await turn()
    expect(answers).toHaveLength(1)
    expect(dropped).toEqual([])
  })

  it('drops what is new when it is full, those that wait counted', async () => {
    const { queue, dropped } = queueOf([refused], { queueMax: 2 })
    queue.add(delivery('a'))
    queue.add(delivery('b'))
    await turn()
    queue.add(delivery('c'))
    expect(dropped).toEqual([{ id: 'c', reason: 'queue-full', status: undefined }])
  })

  it('leaves a receiver alone for as long as it asks, whatever else there is to send', async () => {
    const busy: AttemptOutcome = { kind: 'failed', reason: 'refused', status: 429, restMs: 60_000 }
    const { queue, clock, attempts } = queueOf([busy, delivered])
    queue.add(delivery('a'))
    await turn()
    queue.add(delivery('b'))
    await advance(clock, 59_999)
    expect(attempts.map(({ id }) => id)).toEqual(['a'])
    await advance(clock, 1)
    expect(attempts.map(({ id }) => id).toSorted()).toEqual(['a', 'a', 'b'])
  })

  it('leaves a receiver alone for an hour at most', async () => {
    const busy: AttemptOutcome = { kind: 'failed', reason: 'refused', status: 503, restMs: 1e12 }
    const { queue, clock, attempts } = queueOf([busy, delivered])
    queue.add(delivery('a'))
    await turn()
    await advance(clock, 3_600_000)
    expect(attempts).toHaveLength(2)
  })

  it('sends nothing more to a receiver that is gone', async () => {
    const { queue, clock, attempts, dropped } = queueOf([refused, { kind: 'gone' }])
    queue.add(delivery('a'))
    await turn()
    queue.add(delivery('b'))
    await turn()
    queue.add(delivery('c'))
    await advance(clock, 24 * 3_600_000)
    expect(attempts.map(({ id }) => id)).toEqual(['a', 'b'])
    expect(dropped.map(({ id, reason }) => [id, reason])).toEqual([
      ['b', 'gone'],
      ['a', 'gone'],
    ])
  })

  it('as it drains tries once more what waits, without another pause', async () => {
    const { queue, attempts, dropped } = queueOf([refused, refused, delivered, refused])
    queue.add(delivery('a'))
    queue.add(delivery('b'))
    await turn()
    await queue.drain()
    expect(attempts.map(({ id }) => id)).toEqual(['a', 'b', 'a', 'b'])
    expect(dropped).toEqual([{ id: 'b', reason: 'refused', status: 500 }])
  })

  it('drains at once when there is nothing', async () => {
    await queueOf([delivered]).queue.drain()
  })
})
