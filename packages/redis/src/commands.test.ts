import { isOutcomeUnknown, isUnavailable } from '@farebox/core'
import { expect, it, vi } from 'vitest'
import type { RedisArgument, RedisClient, RedisCluster, RedisCommandOptions } from './client.ts'
import { type Commands, commands } from './commands.ts'
import { readFirstDue, writeAccount } from './scripts.ts'

type Answer = (args: readonly RedisArgument[], options: RedisCommandOptions) => unknown

function clientOf(answer: Answer, isReady?: boolean): RedisClient & { readonly sent: RedisArgument[][] } {
  const sent: RedisArgument[][] = []
  return {
    sent,
    ...(isReady === undefined ? {} : { isReady }),
    async sendCommand(args, options = {}) {
      sent.push([...args])
      return answer(args, options)
    },
  }
}

function open(
  client: RedisClient | RedisCluster,
  replicas?: { replicas: number; timeoutMs: number },
): Commands {
  const limits = { waitTimeoutMs: 1000, answerTimeoutMs: 3000 }
  return commands(client, { ...limits, replicas, chance: () => 0, prepare: () => undefined })
}

it('sends a script by its hash, and its text only where it is not known', async () => {
  let isKnown = false
  const client = clientOf(([name]) => {
    if (name === 'EVALSHA' && !isKnown) throw new Error('NOSCRIPT No matching script. Please use EVAL.')
    isKnown = true
    return 'answer'
  })
  const { read } = open(client)

  expect(await read(readFirstDue, ['{a}:due'], ['5'])).toBe('answer')
  expect(await read(readFirstDue, ['{a}:due'], ['5'])).toBe('answer')
  expect(client.sent).toEqual([
    ['EVALSHA', readFirstDue.sha, '1', '{a}:due', '5'],
    ['EVAL', readFirstDue.text, '1', '{a}:due', '5'],
    ['EVALSHA', readFirstDue.sha, '1', '{a}:due', '5'],
  ])
})

it('tries again while the keys of an account are on two nodes, and gives up after a while', async () => {
  vi.useFakeTimers()
  try {
    let refusals = 3
    const client = clientOf(() => {
      refusals -= 1
      if (refusals >= 0) throw new Error('TRYAGAIN Multiple keys request during rehashing of slot')
      return 'done'
    })
    const written = open(client).write(writeAccount, ['{a}:account'], [])
    await vi.advanceTimersByTimeAsync(500)
    expect(await written).toBe('done')

    refusals = Number.POSITIVE_INFINITY
    const refused = expect(open(client).write(writeAccount, ['{a}:account'], [])).rejects.toSatisfy(
      isUnavailable,
    )
    await vi.advanceTimersByTimeAsync(10_000)
    await refused
    expect(client.sent.length).toBeLessThan(20)
  } finally {
    vi.useRealTimers()
  }
})

it('takes a command back that could not be sent in time: then it surely was not applied', async () => {
  vi.useFakeTimers()
  try {
    const client = clientOf(
      (_args, { abortSignal }) =>
        new Promise((_resolve, reject) => {
          abortSignal?.addEventListener('abort', () => reject(new Error('The command was aborted')))
        }),
      false,
    )
    const refused = expect(open(client).write(writeAccount, ['{a}:account'], [])).rejects.toSatisfy(
      isUnavailable,
    )
    await vi.advanceTimersByTimeAsync(1000)
    await refused
  } finally {
    vi.useRealTimers()
  }
})

it('does not know the outcome of a command that was sent and not answered in time', async () => {
  vi.useFakeTimers()
  try {
    const client = clientOf(() => new Promise(() => {}), true)
    const unknown = expect(open(client).write(writeAccount, ['{a}:account'], [])).rejects.toSatisfy(
      isOutcomeUnknown,
    )
    const unread = expect(open(client).read(readFirstDue, ['{a}:due'], [])).rejects.toSatisfy(isUnavailable)
    await vi.advanceTimersByTimeAsync(3000)
    await unknown
    await unread
  } finally {
    vi.useRealTimers()
  }
})

it('believes a count of replicas only from the connection that wrote', async () => {
  let connection = 7
  const answers: Answer = ([name]) => {
    if (name === 'CLIENT') return connection++
    return name === 'WAIT' ? 2 : 'written'
  }

  await expect(
    open(clientOf(answers), { replicas: 1, timeoutMs: 10 }).write(writeAccount, ['{a}:account'], []),
  ).rejects.toSatisfy(isOutcomeUnknown)
})

it('waits for replicas on the node that has the account, and follows a slot that has moved', async () => {
  let hasMoved = false
  const answers: Answer = ([name]) => {
    if (name === 'EVALSHA' && !hasMoved) throw new Error('MOVED 1 127.0.0.1:7001')
    return name === 'CLIENT' ? 7 : name === 'WAIT' ? 1 : 'written'
  }
  const node = clientOf(answers)
  const asked: RedisArgument[][] = []
  const cluster: RedisCluster = {
    masters: [{}],
    slots: Array.from({ length: 16_384 }, () => ({ master: {} })),
    nodeClient: () => node,
    async sendCommand(_key, _isReadonly, args) {
      asked.push([...args])
      hasMoved = true
      return 0
    },
  }

  const written = await open(cluster, { replicas: 1, timeoutMs: 10 }).write(writeAccount, ['{a}:account'], [])
  expect(written).toBe('written')
  expect(asked).toEqual([['PERSIST', '{a}:account']])
})
