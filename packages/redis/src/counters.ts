import type { CounterStore } from '@farebox/core'
import { checkText } from '@farebox/core/batching'
import type { Commands } from './commands.ts'
import { giveBackCounts, takeCounts } from './counter-scripts.ts'
import type { KeyNames } from './key-names.ts'

export interface RedisCountersOptions {
  readonly names: KeyNames
  readonly commands: Commands
}

/** Counters of an account under its hash tag, each a key that expires by itself. One script looks at all and counts. */
export function redisCounters({ names, commands }: RedisCountersOptions): CounterStore {
  return {
    async take({ accountId, nowMs, counts }) {
      checkText(accountId, 'account id')
      const answer = (await commands.write(
        takeCounts,
        counts.map(({ name }) => names.countOf(accountId, name)),
        [
          String(nowMs),
          ...counts.flatMap(({ holder = '', amount, least, limit, untilMs }) =>
            [holder, amount, least, limit, untilMs].map(String),
          ),
        ],
      )) as readonly number[]
      return {
        isTaken: answer[0] === 1,
        counts: counts.map((_, index) => ({
          before: Number(answer[index * 2 + 1]),
          taken: Number(answer[index * 2 + 2]),
        })),
      }
    },

    async giveBack({ accountId, counts }) {
      checkText(accountId, 'account id')
      await commands.write(
        giveBackCounts,
        counts.map(({ name }) => names.countOf(accountId, name)),
        counts.flatMap(({ holder = '', amount }) => [holder, String(amount)]),
      )
    },
  }
}
