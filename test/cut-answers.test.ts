import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createGateway, memoryStorage, type Receipt, usd } from '@farebox/core'
import { together } from '@farebox/core/providers/together'
import { accountId, authorization, chatBody, chatModel, eventually } from '@farebox/testkit/adapter'
import { describe, expect, it, onTestFinished } from 'vitest'
import { expressHost } from './express-host.ts'

// A provider that dies may do so at any byte. What was cut is never taken for whole, and never left unpaid or paid twice.

const words = ['The', ' fare', ' is', ' due.']
const usage = { prompt_tokens: 11, completion_tokens: words.length, total_tokens: 11 + words.length }

interface Protocol {
  readonly path: string
  readonly question: object
  /** A choice with a piece of the answer, in a stream or whole. */
  readonly choice: (content: string, isWhole: boolean) => object
  readonly object: string
  /** What an event adds to the text, whether it tells that the answer broke off, and whether it ends a whole one. */
  readonly read: (event: Event) => {
    readonly text?: string | undefined
    readonly isError?: boolean
    readonly isEnd?: boolean
  }
}

interface Event {
  readonly type?: string
  readonly error?: object
  readonly delta?: string | { readonly text?: string }
  readonly choices?: readonly { readonly text?: string; readonly delta?: { readonly content?: string } }[]
}

const model = `${chatModel}:together`

const protocols: Readonly<Record<string, Protocol>> = {
  chat: {
    path: '/v1/chat/completions',
    question: chatBody({ model }),
    choice: chatChoice,
    object: 'chat.completion',
    read: readOpenai,
  },
  completions: {
    path: '/v1/completions',
    question: { model, prompt: 'Tell me.' },
    choice: (text) => ({ text }),
    object: 'text_completion',
    read: readOpenai,
  },
  messages: {
    path: '/v1/messages',
    question: { model, max_tokens: 50, messages: [{ role: 'user', content: 'Tell me.' }] },
    choice: chatChoice,
    object: 'chat.completion',
    read: ({ type, delta }) => ({
      text: typeof delta === 'object' ? delta.text : '',
      isError: type === 'error',
      isEnd: type === 'message_stop',
    }),
  },
  responses: {
    path: '/v1/responses',
    question: { model, input: 'Tell me.' },
    choice: chatChoice,
    object: 'chat.completion',
    read: ({ type, delta, error }) => ({
      text: type === 'response.output_text.delta' && typeof delta === 'string' ? delta : '',
      // Before the answer has begun, it is an error like any other of OpenAI's.
      isError: type === 'response.failed' || (type === undefined && error !== undefined),
      isEnd: type === 'response.completed',
    }),
  },
}

function chatChoice(content: string, isWhole: boolean): object {
  return isWhole ? { message: { role: 'assistant', content } } : { delta: { content } }
}

function readOpenai({ error, choices }: Event) {
  const [choice] = choices ?? []
  return { text: choice?.text ?? choice?.delta?.content, isError: error !== undefined }
}

function streamOf({ choice, object }: Protocol): string {
  const event = (members: object) => `data: ${JSON.stringify({ id: 'cut', object, ...members })}\n\n`
  return [
    ...words.map((word) => event({ choices: [{ index: 0, ...choice(word, false), finish_reason: null }] })),
    event({ choices: [{ index: 0, ...choice('', false), finish_reason: 'stop' }], usage }),
    'data: [DONE]\n\n',
  ].join('')
}

function wholeOf({ choice, object }: Protocol): string {
  const choices = [{ index: 0, ...choice(words.join(''), true), finish_reason: 'stop' }]
  return JSON.stringify({ id: 'cut', object, choices, usage })
}

type Death = 'is reset' | 'ends its answer as if that were all'

/** Further apart than some parts of an event, and in step with none. */
const everyBytes = 11

const deaths: readonly Death[] = ['is reset', 'ends its answer as if that were all']

const cases = Object.entries(protocols).flatMap(([name, protocol]) =>
  deaths.map((death) => ({ name, protocol, death })),
)

describe.each(cases)('failure 25: a provider of $name that $death', ({ protocol, death }) => {
  const streamed = streamOf(protocol)
  const whole = wholeOf(protocol)

  it('after any byte of a stream never looks like one that has told everything', async () => {
    const { ask, provider, receipts } = await serving(protocol)
    let broken = 0
    for (let bytes = 1; bytes < streamed.length; bytes += everyBytes) {
      provider.play(streamed, { bytes, death })
      const { status, text } = await ask(true)
      await eventually('the request is settled', () => receipts.length === 1)
      const [receipt] = receipts.splice(0)
      const at = `cut after ${bytes} bytes`

      // Before the first event nothing has been answered yet: then it is a refusal, and not half an answer.
      const events = (status === 200 ? eventsOf(text) : [JSON.parse(text)]).map(protocol.read)
      const isWhole = text.endsWith('data: [DONE]\n\n') || events.some(({ isEnd }) => isEnd)
      const errors = events.filter(({ isError }) => isError)
      expect([200, 502], at).toContain(status)
      expect(errors.length, at).toBe(isWhole ? 0 : 1)
      if (isWhole) expect(events.map(({ text = '' }) => text).join(''), at).toBe(words.join(''))
      else broken += 1
      // What broke off before it had said anything may have been asked once more.
      const outcomes = receipt?.attempts.map(({ outcome }) => outcome) ?? []
      expect(outcomes.pop(), at).toBe(isWhole ? 'served' : status === 200 ? 'aborted' : 'failed')
      expect(
        outcomes.filter((outcome) => outcome !== 'failed'),
        at,
      ).toEqual([])
      if (status === 200) expect(receipt?.charged, at).toBeGreaterThan(0n)
      else expect(receipt?.charged, at).toBe(0n)
    }
    expect(broken).toBeGreaterThan(streamed.length / everyBytes / 2)
  })

  it('after any byte of a whole answer is a failure, and costs its caller nothing', async () => {
    const { ask, provider, receipts } = await serving(protocol)
    for (let bytes = 0; bytes < whole.length; bytes += everyBytes) {
      provider.play(whole, { bytes, death })
      const { status, text, code } = await ask(false)
      await eventually('the request is settled', () => receipts.length === 1)
      const [receipt] = receipts.splice(0)

      expect([status, code], `cut after ${bytes} bytes`).toEqual([502, 'provider_failed'])
      expect(protocol.read(JSON.parse(text)).isError).toBe(true)
      expect(receipt?.charged).toBe(0n)
    }
  })
})

/** Every event but the last mark: each has to be whole. More than one blank line between two says no more than one. */
function eventsOf(text: string): readonly Event[] {
  const events = text.split(/\n{2,}/)
  expect(events.pop()).toBe('')
  return events
    .filter((event) => event !== 'data: [DONE]')
    .map((event) => JSON.parse(event.replace(/^event: .*\n/, '').slice('data: '.length)))
}

/** A gateway in Express over a provider that dies as it is told. */
async function serving({ path, question }: Protocol) {
  const provider = await startDyingProvider()
  const receipts: Receipt[] = []
  const gateway = createGateway({
    providers: [together({ apiKey: 'provider-key', baseUrl: provider.baseUrl })],
    authenticate: () => ({ accountId }),
    storage: memoryStorage(),
    onEvent(event) {
      if (event.kind === 'request.settled') receipts.push(event.receipt)
    },
  })
  await gateway.credits.grant({ grantId: 'g', accountId, amount: usd('100.00'), kind: 'purchased' })
  const { url, close } = await expressHost.mount(gateway, {
    prefix: '/ai',
    parsesJson: false,
    headers: {},
    trustsProxy: false,
    before: undefined,
  })
  onTestFinished(async () => {
    await close()
    await gateway.close()
    await provider.close()
  })
  return {
    provider,
    receipts,
    async ask(stream: boolean) {
      const response = await fetch(`${url}/ai${path}`, {
        method: 'POST',
        headers: authorization,
        body: JSON.stringify({ ...question, stream }),
      })
      const code = response.headers.get('x-error-code')
      return { status: response.status, code, text: await response.text() }
    },
  }
}

async function startDyingProvider() {
  let next = { text: '', bytes: 0, death: deaths[0] as Death }
  const server = createServer((message, reply) => {
    message.resume()
    const { text, bytes, death } = next
    reply.writeHead(200, {
      'content-type': text.startsWith('data:') ? 'text/event-stream' : 'application/json',
    })
    // Over to the other side before the end comes.
    reply.write(text.slice(0, bytes), () => (death === 'is reset' ? reply.destroy() : reply.end()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    play(text: string, { bytes, death }: { readonly bytes: number; readonly death: Death }) {
      next = { text, bytes, death }
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
