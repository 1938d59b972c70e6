import assert from 'node:assert/strict'
import type { Client, ClientSubject } from './client.ts'
import { throughFront } from './front.ts'
import { hurried } from './hurried.ts'
import { modeOf, question, raises } from './situations.ts'

/** A gateway whose host can do to it what no example server offers. */
export interface RetrySubject extends Omit<ClientSubject, 'emptyKey'> {
  /** Lets a second pass for the gateway. */
  passSecond(): void
  /** Puts the store out of the gateway's reach, and back. */
  setStoreDown(isDown: boolean): void
}

export interface RetryCase {
  readonly name: string
  /** Whether the account may ask once in a minute only. One second of this minute is left. */
  readonly isLimited: boolean
  run(subject: RetrySubject): Promise<void>
}

/** When a client asks again by itself, and that no second request of it is paid for twice. */
export function retriesOf(client: Client): readonly RetryCase[] {
  const always = [tooMany(client), unavailable(client), backAgain(client), lostWithoutKey(client)]
  // What is not repeated cannot be waited for, nor be recognised.
  return client.repeats === 'only-503-at-once'
    ? always
    : [...always, waitedFor(client), ...lostWithKey(client)]
}

function tooMany(client: Client): RetryCase {
  return {
    name: 'too many requests: the client’s own error is raised',
    isLimited: true,
    run: (subject) =>
      throughFront(subject, async (front) => {
        const asked = question(subject, front, false)
        await client.ask(asked)
        await raises(client, 'too many requests', asked)
        assert.equal(front.count, 2)
      }),
  }
}

function waitedFor(client: Client): RetryCase {
  return {
    name: 'too many requests: the client waits as long as it was told, and is served and billed once',
    isLimited: true,
    run: (subject) =>
      throughFront(
        subject,
        async (front) => {
          const asked = { ...question(subject, front, false), retriesMax: 1 }
          await client.ask(asked)
          const served = subject.simulator.served.length
          const { value, waitedMs } = await hurried(() => client.ask(asked))
          assert.match(value, /^Simulated answer:/)
          assert.ok(waitedMs >= 1_000, `it waited ${waitedMs} ms`)
          assert.equal(front.count, 3)
          assert.equal(subject.simulator.served.length, served + 1)
        },
        (number) => {
          if (number === 3) subject.passSecond()
        },
      ),
  }
}

function unavailable(client: Client): RetryCase {
  return {
    name: 'unavailable: the client’s own error is raised, and no provider was asked',
    isLimited: false,
    run: (subject) =>
      throughFront(subject, async (front) => {
        const asked = subject.simulator.requests.length
        subject.setStoreDown(true)
        try {
          await raises(client, 'unavailable', question(subject, front, false))
        } finally {
          subject.setStoreDown(false)
        }
        assert.equal(front.count, 1)
        assert.equal(subject.simulator.requests.length, asked)
      }),
  }
}

function backAgain(client: Client): RetryCase {
  return {
    name: 'unavailable: the client asks again, after a wait if it is polite, and is served and billed once',
    isLimited: false,
    run: (subject) =>
      throughFront(
        subject,
        async (front) => {
          const served = subject.simulator.served.length
          const asked = { ...question(subject, front, true), retriesMax: 1 }
          const { value, waitedMs } = await hurried(() => client.ask(asked))
          assert.match(value, /^Simulated answer:/)
          if (client.repeats !== 'only-503-at-once') assert.ok(waitedMs >= 1_000, `it waited ${waitedMs} ms`)
          assert.equal(front.count, 2)
          assert.equal(subject.simulator.served.length, served + 1)
        },
        (number) => subject.setStoreDown(number === 1),
      ),
  }
}

/** The gateway has answered and charged; the answer never came. */
function lostWithKey(client: Client): readonly RetryCase[] {
  return [false, true].map((isStreaming) => ({
    name: `a lost answer: ${modeOf(isStreaming)} with an Idempotency-Key is repeated, and billed once`,
    isLimited: false,
    run: (subject: RetrySubject) =>
      throughFront(subject, async (front) => {
        front.loseNextAnswer()
        const served = subject.simulator.served.length
        const { value } = await hurried(() =>
          client.ask({
            ...question(subject, front, isStreaming),
            retriesMax: 1,
            headers: { 'Idempotency-Key': `${client.name} ${modeOf(isStreaming)}` },
          }),
        )
        assert.match(value, /^Simulated answer:/)
        assert.equal(front.count, 2)
        assert.equal(subject.simulator.served.length, served + 1)
      }),
  }))
}

/** The same, and nothing tells that the second request is the first one again. */
function lostWithoutKey(client: Client): RetryCase {
  return {
    name: client.repeatsWhatWasLost
      ? 'a lost answer: without a key the repeat is a further request, served and billed as such'
      : 'a lost answer: without a key nothing is repeated, and what was served is billed',
    isLimited: false,
    run: (subject: RetrySubject) =>
      throughFront(subject, async (front) => {
        front.loseNextAnswer()
        const served = subject.simulator.served.length
        const asked = { ...question(subject, front, false), retriesMax: 1 }
        if (client.repeatsWhatWasLost) await hurried(() => client.ask(asked))
        else await assert.rejects(client.ask(asked))
        const count = client.repeatsWhatWasLost ? 2 : 1
        assert.equal(front.count, count)
        assert.equal(subject.simulator.served.length, served + count)
      }),
  }
}
