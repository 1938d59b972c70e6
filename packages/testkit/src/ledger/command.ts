import type { ModelKey } from './model/key.ts'

/** One step of a history of alice's account: plain data, so that a failing history can be kept and played again. */
export type Command =
  | {
      readonly do: 'configure'
      readonly planId: string
      readonly seats?: number
      readonly limit?: bigint | null
      readonly memberCap?: bigint | null
      readonly anchor?: number | null
    }
  | { readonly do: 'cap'; readonly member: string; readonly cap: bigint | 'none' | null }
  | {
      readonly do: 'grant'
      readonly id: string
      readonly amount: bigint
      readonly kind: 'purchased' | 'promotional' | 'courtesy'
      readonly priority?: number
      readonly startsInMs: number
      readonly lastsMs: number | null
    }
  | {
      readonly do: 'reserve'
      readonly id: string
      readonly amount: bigint
      readonly minimum: bigint
      readonly timeToLiveMs: number
      readonly traceable: boolean
      readonly member?: string
      readonly key?: ModelKey
    }
  | {
      readonly do: 'extend'
      readonly id: string
      readonly ordinal: number
      readonly amount: bigint
      readonly timeToLiveMs: number
    }
  | {
      readonly do: 'settle'
      readonly id: string
      readonly cost: bigint | null
      readonly failedCost: bigint | null
      /** Whose cost comes later: the failed attempt's, the served one's, or both. What was served is expected to cost `cost`. */
      readonly late?: readonly (1 | 2)[]
    }
  | { readonly do: 'reconcile'; readonly id: string; readonly attempt: 1 | 2; readonly cost: bigint | null }
  /** Writes the next invoice, if its period is over. */
  | { readonly do: 'close' }
  | { readonly do: 'void'; readonly op: string; readonly id: string; readonly amount?: bigint }
  | { readonly do: 'adjust'; readonly op: string; readonly amount: bigint }
  | {
      readonly do: 'refund'
      readonly op: string
      readonly id: string
      /** The failed attempt or the served one. */
      readonly attempt: 1 | 2
      readonly amount?: bigint
      readonly courtesy: boolean
    }
  /** `dueByMs`: also looks at what is due by then. @default what the time to ask about will be over for, at that moment */
  | { readonly do: 'look-after'; readonly dueByMs?: number }
  /** Lets time pass, or sets the clock back. */
  | { readonly do: 'wait'; readonly byMs: number }
  /** Goes to so long after the end of the account's period, or before it. */
  | { readonly do: 'period-end'; readonly byMs: number }
