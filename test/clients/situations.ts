import assert from 'node:assert/strict'
import type { Fault } from '@farebox/testkit/simulator'
import {
  type Client,
  type ClientCase,
  type ClientSubject,
  chatModel,
  chatProviders,
  type Question,
  type Refusal,
} from './client.ts'
import { type Front, throughFront } from './front.ts'
import { hurried } from './hurried.ts'

/** What every client has to cope with, at every server: who may not ask, who can not pay, and providers that fail. */
export function situationsOf(client: Client): readonly ClientCase[] {
  return [
    ...[false, true].flatMap((isStreaming) => [
      refusedForGood(client, 'wrong key', isStreaming, () => ({ apiKey: 'wrong' })),
      refusedForGood(client, 'no credit', isStreaming, ({ emptyKey }) => ({ apiKey: emptyKey })),
      refusedForGood(client, 'unknown model', isStreaming, () => ({ model: 'no/such-model' })),
      failedProviders(client, isStreaming),
    ]),
    ...(client.repeats === 'only-503-at-once' ? [] : [retriedOnce(client)]),
    ...brokenStreams.map((broken) => brokenStream(client, broken)),
  ]
}

const brokenStreams: readonly {
  readonly refusal: Refusal
  readonly how: string
  readonly fault: Fault
}[] = [
  {
    refusal: 'error in a stream',
    how: 'in which the provider reports one',
    fault: { kind: 'error-event', afterChunks: 3 },
  },
  { refusal: 'broken stream', how: 'whose connection breaks', fault: { kind: 'truncate', afterChunks: 3 } },
  { refusal: 'broken stream', how: 'that just ends', fault: { kind: 'end-early', afterChunks: 3 } },
]

/** A provider that is down and asks for no wait, so that no test has to wait. */
const down: Fault = { kind: 'status', status: 503, headers: { 'retry-after': '0' } }

function refusedForGood(
  client: Client,
  refusal: Refusal,
  isStreaming: boolean,
  change: (subject: ClientSubject) => Partial<Question>,
): ClientCase {
  return {
    name: `${refusal}: ${modeOf(isStreaming)} is refused once, with the client’s own error`,
    run: (subject) =>
      throughFront(subject, async (front) => {
        const served = subject.simulator.served.length
        await raises(client, refusal, {
          ...question(subject, front, isStreaming),
          retriesMax: 2,
          ...change(subject),
        })
        assert.equal(front.count, 1, 'it asked again for what can not succeed')
        assert.equal(subject.simulator.served.length, served)
      }),
  }
}

function failedProviders(client: Client, isStreaming: boolean): ClientCase {
  return {
    name: `providers failed: ${modeOf(isStreaming)} raises the client’s own error and costs nothing`,
    run: (subject) =>
      withFaults(subject, [down], () =>
        throughFront(subject, async (front) => {
          const served = subject.simulator.served.length
          await raises(client, 'providers failed', question(subject, front, isStreaming))
          assert.equal(front.count, 1)
          assert.equal(subject.simulator.served.length, served)
        }),
      ),
  }
}

function retriedOnce(client: Client): ClientCase {
  return {
    name: 'providers failed: the client asks again by itself, and is served and billed once',
    run: (subject) =>
      withFaults(subject, [down, undefined], () =>
        throughFront(subject, async (front) => {
          const served = subject.simulator.served.length
          const asked = { ...question(subject, front, false), retriesMax: 1 }
          const { value } = await hurried(() => client.ask(asked))
          assert.match(value, /^Simulated answer:/)
          assert.equal(front.count, 2)
          assert.equal(subject.simulator.served.length, served + 1)
        }),
      ),
  }
}

function brokenStream(client: Client, { refusal, how, fault }: (typeof brokenStreams)[number]): ClientCase {
  return {
    name: `${refusal}: one ${how} raises the client’s own error, and is not asked for again`,
    run: (subject) =>
      withFaults(subject, [fault], () =>
        throughFront(subject, async (front) => {
          const served = subject.simulator.served.length
          await raises(client, refusal, {
            ...question(subject, front, true),
            model: `${chatModel}:cerebras`,
            retriesMax: 2,
          })
          assert.equal(front.count, 1, 'it asked again for what was paid for already')
          assert.deepEqual(
            subject.simulator.served.slice(served).map(({ outcome }) => outcome),
            ['failed'],
          )
        }),
      ),
  }
}

export function question(
  { apiKey }: Pick<ClientSubject, 'apiKey'>,
  front: Front,
  isStreaming: boolean,
): Question {
  return { baseUrl: front.baseUrl, apiKey, model: chatModel, isStreaming, retriesMax: 0 }
}

export function modeOf(isStreaming: boolean): string {
  return isStreaming ? 'a stream' : 'a question'
}

/** Asks, and holds what is thrown against what the client has for the refusal. */
export async function raises(client: Client, refusal: Refusal, asked: Question): Promise<void> {
  let text: string
  try {
    text = await client.ask(asked)
  } catch (error) {
    client.raises[refusal](error)
    return
  }
  assert.fail(`The client took this for an answer: ${text}`)
}

/** Each of the two chat providers plays these, one for each request. */
async function withFaults(
  { simulator }: ClientSubject,
  faults: readonly (Fault | undefined)[],
  run: () => Promise<void>,
): Promise<void> {
  for (const provider of chatProviders) simulator.script(provider, faults)
  try {
    await run()
  } finally {
    for (const provider of chatProviders) simulator.script(provider, [])
  }
}
